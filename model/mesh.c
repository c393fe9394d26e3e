/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mesh.h"

#include "mesh_outages_priv.h"
#include "mesh_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

static void free_text(const char *text)
{
	free((char *)(uintptr_t)text);
}

const char *mesh_left_out_text(enum mesh_left_out reason)
{
	static const char *const texts[] = {
#define X(code, fed, text) text,
		MESH_LEFT_OUT(X)
#undef X
	};

	return texts[reason];
}

const char *mesh_left_out_code(enum mesh_left_out reason)
{
	static const char *const codes[] = {
#define X(code, fed, text) fed,
		MESH_LEFT_OUT(X)
#undef X
	};

	return codes[reason];
}

static void cluster_destroy(struct shared *value)
{
	struct mesh_cluster *c = CONTAINER_OF(value, struct mesh_cluster, shared);

	free_text(c->name);
	free_text(c->network);
	free_text(c->why_withdrawn);
	free(c);
}

struct mesh_cluster *mesh_cluster_copy(const struct mesh_cluster *from)
{
	struct mesh_cluster *c = xmalloc(sizeof(*c));

	*c = *from;
	shared_init(&c->shared, cluster_destroy);
	c->name = xstrdup(from->name);
	c->network = xstrdup(from->network != NULL ? from->network : "");
	c->locality = from->locality != NULL ? from->locality : locality_none();
	c->why_withdrawn = xstrdup(from->why_withdrawn != NULL ? from->why_withdrawn : "");
	return c;
}

bool mesh_cluster_eq(const struct mesh_cluster *a, const struct mesh_cluster *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->network, b->network) == 0 &&
	       a->locality == b->locality && a->created_s == b->created_s &&
	       a->withdrawn == b->withdrawn && strcmp(a->why_withdrawn, b->why_withdrawn) == 0;
}

int mesh_cluster_cmp(const struct mesh_cluster *a, const struct mesh_cluster *b)
{
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void network_destroy(struct shared *value)
{
	struct mesh_network *n = CONTAINER_OF(value, struct mesh_network, shared);

	for (size_t i = 0; i < n->n_gateways; i++) {
		free_text(n->gateways[i].name);
		free_text(n->gateways[i].cluster);
		free_text(n->gateways[i].address);
		free_text(n->gateways[i].reason);
	}
	free(n->gateways);
	free(n->source_ranges);
	free_text(n->name);
	free(n);
}

static int gateway_cmp(const void *a, const void *b)
{
	const struct mesh_gateway *x = a, *y = b;
	int cmp = strcmp(x->cluster, y->cluster);

	if (cmp == 0)
		cmp = strcmp(x->name, y->name);
	if (cmp == 0)
		cmp = strcmp(x->address, y->address);
	return cmp != 0 ? cmp : (int)x->port - (int)y->port;
}

static char *dup_text(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

struct mesh_network *mesh_network_copy(const struct mesh_network *from)
{
	struct mesh_network *n = xmalloc(sizeof(*n));

	*n = *from;
	shared_init(&n->shared, network_destroy);
	n->name = xstrdup(from->name);
	n->gateways = xcalloc(from->n_gateways + 1, sizeof(n->gateways[0]));
	for (size_t i = 0; i < n->n_gateways; i++) {
		struct mesh_gateway *g = &n->gateways[i];

		*g = from->gateways[i];
		g->name = dup_text(g->name);
		g->cluster = dup_text(g->cluster);
		g->address = dup_text(g->address);
		g->reason = dup_text(g->reason);
	}
	n->source_ranges = xcalloc(from->n_source_ranges, sizeof(n->source_ranges[0]));
	for (size_t i = 0; i < n->n_source_ranges; i++)
		n->source_ranges[i] = from->source_ranges[i];
	if (n->n_gateways > 1)
		qsort(n->gateways, n->n_gateways, sizeof(n->gateways[0]), gateway_cmp);
	return n;
}

static bool gateway_eq(const struct mesh_gateway *a, const struct mesh_gateway *b)
{
	return gateway_cmp(a, b) == 0 && a->weight == b->weight && a->mark == b->mark &&
	       a->live == b->live && strcmp(a->reason, b->reason) == 0;
}

static bool ranges_eq(const struct mesh_network *a, const struct mesh_network *b)
{
	size_t n = a->n_source_ranges;

	return n == b->n_source_ranges && (n == 0 || memcmp(a->source_ranges, b->source_ranges,
	                                                    n * sizeof(a->source_ranges[0])) == 0);
}

bool mesh_network_eq(const struct mesh_network *a, const struct mesh_network *b)
{
	if (strcmp(a->name, b->name) != 0 || a->joined != b->joined ||
	    a->n_gateways != b->n_gateways || !ranges_eq(a, b))
		return false;
	for (size_t i = 0; i < a->n_gateways; i++) {
		if (!gateway_eq(&a->gateways[i], &b->gateways[i]))
			return false;
	}
	return true;
}

struct mesh *mesh_ref(struct mesh *mesh)
{
	shared_ref(&mesh->shared);
	return mesh;
}

void mesh_unref(struct mesh *mesh)
{
	if (mesh != NULL)
		shared_unref(&mesh->shared);
}

const struct mesh_cluster *mesh_find_cluster(const struct mesh *mesh, const char *name)
{
	return tree_find(mesh->clusters, str_from(name));
}

const struct mesh_network *mesh_find_network(const struct mesh *mesh, const char *name)
{
	return tree_find(mesh->networks, str_from(name));
}

const struct mesh_service *mesh_find_service(const struct mesh *mesh, const char *key)
{
	return tree_find(mesh->services, str_from(key));
}

const struct mesh_outage *mesh_find_outage(const struct mesh_service *service, const char *network,
                                           const char *sni)
{
	return mesh_outages_find(&service->outages, network, sni);
}

bool mesh_is_joined(const struct mesh *mesh, const char *network)
{
	const struct mesh_network *n = mesh_find_network(mesh, network);

	return mesh->settings.interconnect_enabled && n != NULL && n->joined;
}

static bool has_port_name(const struct mesh_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		if (strcmp(service->ports[i].name, name) == 0)
			return true;
	}
	return false;
}

enum mesh_left_out mesh_part_judge(const struct mesh_service *service, const struct mesh_part *part,
                                   const struct snap_port *port)
{
	if (service->left_out != MESH_USED)
		return service->left_out;
	if (part->cluster->withdrawn)
		return MESH_CLUSTER_WITHDRAWN;
	if (part->cluster->network[0] == '\0')
		return MESH_NO_NETWORK;
	if (!part->exported)
		return MESH_NOT_EXPORTED;
	if (part->service->external)
		return MESH_EXTERNAL;
	if (strcmp(port->protocol, "TCP") != 0)
		return MESH_NOT_TCP;
	if (!has_port_name(service, port->name))
		return MESH_PORT_LOST;
	return MESH_USED;
}

enum mesh_left_out mesh_endpoint_judge(const struct snap_endpoint *endpoint)
{
	if (endpoint->terminating)
		return MESH_TERMINATING;
	return endpoint->mtls ? MESH_USED : MESH_NOT_MTLS;
}

const struct locality *mesh_endpoint_locality(const struct mesh_part *part,
                                              const struct snap_endpoint *endpoint)
{
	return endpoint->locality != locality_none() ? endpoint->locality : part->cluster->locality;
}
