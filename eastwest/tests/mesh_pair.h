/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_pair - a set on one side, our client of it on the other, joined in memory.
 */
#pragma once

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "eastwest/mesh.h"
#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/delta_server.h"
#include "xds/network.h"

#define WEB   "outbound_.80_._.web.shop.svc.cluster.local"
#define OTHER "outbound_.80_._.other.shop.svc.cluster.local"

struct mesh_pair {
	struct xds_set *set;
	struct xds_delta_server *server;
	struct xds_delta_client *client;
	enum xds_client_event event;
};

static inline void mesh_put(struct xds_set *set, struct xds_resource *resource)
{
	assert_non_null(resource);
	xds_set_put(set, resource, false);
	xds_resource_unref(resource);
}

static inline struct xds_assignment mesh_assignment(const char *sni)
{
	struct xds_assignment assignment = {.sni = xstrdup(sni)};
	struct xds_locality *own = xds_assignment_add_locality(&assignment);
	own->region = xstrdup("r1");
	own->zone = xstrdup("z1");
	own->weight = 80;
	struct xds_endpoint *endpoint = xds_locality_add_endpoint(own);
	endpoint->cluster = xstrdup("c1");
	assert_true(addr_parse(STR_LIT("10.0.0.1:80"), &endpoint->addr));
	struct xds_locality *far = xds_assignment_add_locality(&assignment);
	far->region = xstrdup("r2");
	far->priority = 1;
	endpoint = xds_locality_add_endpoint(far);
	endpoint->network = xstrdup("n2");
	endpoint->cluster = xstrdup("c2");
	endpoint->weight = 3;
	return assignment;
}

static inline void mesh_put_route(struct xds_set *set, const char *sni, bool exposed)
{
	struct err err;
	char service[] = "shop/web";
	char *name = xstrdup(sni);
	struct xds_cluster cluster = {
		.sni = name, .service = service, .exposed = exposed, .weighted = true};
	struct xds_assignment assignment = mesh_assignment(sni);
	mesh_put(set, xds_cluster_encode(&cluster, &err));
	mesh_put(set, xds_assignment_encode(&assignment, &err));
	xds_assignment_fini(&assignment);
	free(name);
}

static inline struct xds_gateway mesh_gateway(char *address, bool mark)
{
	static char name[] = "gw-2";
	static char cluster[] = "c2";
	return (struct xds_gateway){name, cluster, address, 15443, 2, mark};
}

static inline void mesh_put_network(struct xds_set *set, char *name, char *address)
{
	struct err err;
	struct xds_gateway gateway = mesh_gateway(address, true);
	struct xds_network network = {name, &gateway, 1};
	mesh_put(set, xds_network_encode(&network, &err));
}

static inline void mesh_put_peers(struct xds_set *set, char *cluster)
{
	struct err err;
	struct xds_peers peers = {&cluster, 1};
	mesh_put(set, xds_peers_encode(&peers, &err));
}

static inline bool mesh_to_server(struct mesh_pair *pair)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct xds_request_info info;
	struct err err;
	buf_init(&bytes, XDS_RESPONSE_MAX);
	if (!xds_delta_client_next(pair->client, &bytes))
		return false;
	assert_true(xds_delta_server_feed(pair->server, buf_str(&bytes), &info, &err));
	if (info.node != NULL)
		xds_delta_server_set_set(pair->server, pair->set);
	return true;
}

static inline bool mesh_to_client(struct mesh_pair *pair)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct err err;
	buf_init(&bytes, XDS_RESPONSE_MAX);
	if (!xds_delta_server_next(pair->server, &bytes))
		return false;
	assert_true(xds_delta_client_feed(pair->client, buf_str(&bytes), &pair->event, &err));
	return true;
}

/* Until the present burst is in force. */
static inline void mesh_pump(struct mesh_pair *pair)
{
	bool moved = true;
	while (moved) {
		moved = false;
		while (mesh_to_server(pair))
			moved = true;
		if (mesh_to_client(pair))
			moved = true;
		if (pair->event == XDS_CLIENT_APPLIED)
			return;
	}
}

static inline struct xds_delta_client *mesh_client(void)
{
	static char id[] = "gw-1/host";
	const struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY, .name = id, .mark = true};
	return xds_delta_client_create(&node, ew_burst_check, NULL);
}

/* One route, one network, one peer, in force. */
static inline void mesh_pair_init(struct mesh_pair *pair)
{
	static char network[] = "n2";
	static char address[] = "192.0.2.2";
	static char peer[] = "c2";
	const struct xds_set_info info = {.network = "n1", .cluster = "c1", .locality = "r1/z1/"};
	*pair = (struct mesh_pair){.set = xds_set_create(),
	                           .server = xds_delta_server_create(),
	                           .client = mesh_client()};
	xds_set_describe(pair->set, &info);
	xds_set_set_complete(pair->set, true);
	mesh_put_route(pair->set, WEB, true);
	mesh_put_network(pair->set, network, address);
	mesh_put_peers(pair->set, peer);
	xds_delta_client_start(pair->client, true);
	mesh_pump(pair);
	assert_int_equal(pair->event, XDS_CLIENT_APPLIED);
}

static inline void mesh_pair_fini(struct mesh_pair *pair)
{
	xds_delta_client_destroy(pair->client);
	xds_delta_server_destroy(pair->server);
	xds_set_unref(pair->set);
}
