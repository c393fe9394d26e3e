/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair - a delta_server and a delta_client joined in memory, for tests.
 */
#pragma once

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xds/delta_client.h"
#include "xds/delta_server.h"

struct pair {
	struct xds_delta_server *server;
	struct xds_delta_client *client;
	struct xds_set *set;
	const char *bad; /* the resource of this name is refused */
	enum xds_client_event event;
	size_t events;
	size_t responses;
	size_t refusals; /* outcomes that were NACKs */
	char nack[XDS_NACK_MESSAGE_MAX + 1];
};

static bool pair_check(const struct xds_resource *resource, void *arg, struct err *err)
{
	const struct pair *pair = arg;
	if (pair->bad != NULL && str_is(resource->name, pair->bad))
		return err_set(err, ERR_INVALID, "made to be refused");
	return true;
}

static inline struct xds_resource *pair_resource(enum xds_type type, const char *name,
                                                 const char *content)
{
	struct err err;
	struct xds_resource *resource =
		xds_resource_create(type, str_from(name), str_from(content), &err);
	assert_non_null(resource);
	return resource;
}

static inline void pair_put_hold(struct xds_set *set, enum xds_type type, const char *name,
                                 const char *content, bool hold)
{
	struct xds_resource *resource = pair_resource(type, name, content);
	xds_set_put(set, resource, hold);
	xds_resource_unref(resource);
}

static inline void pair_put(struct xds_set *set, enum xds_type type, const char *name,
                            const char *content)
{
	pair_put_hold(set, type, name, content, false);
}

static inline void pair_init(struct pair *pair)
{
	static char id[] = "gw-1/a";
	static char name[] = "gw-1";
	struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY, .name = name, .mark = true};
	*pair = (struct pair){0};
	pair->client = xds_delta_client_create(&node, pair_check, pair);
	pair->set = xds_set_create();
	xds_set_set_complete(pair->set, true);
	struct xds_set_info info = {.network = "n1", .cluster = "c1", .locality = "r/z/s"};
	xds_set_describe(pair->set, &info);
}

static inline void pair_connect(struct pair *pair, bool with_versions)
{
	xds_delta_server_destroy(pair->server);
	pair->server = xds_delta_server_create();
	xds_delta_client_start(pair->client, with_versions);
}

static inline void pair_fini(struct pair *pair)
{
	xds_delta_server_destroy(pair->server);
	xds_delta_client_destroy(pair->client);
	xds_set_unref(pair->set);
}

static inline bool pair_to_server(struct pair *pair)
{
	struct buf message CLEANUP(buf_fini) = {0};
	struct xds_request_info info;
	struct err err;
	buf_init(&message, (16 << 20));
	if (!xds_delta_client_next(pair->client, &message))
		return false;
	if (!xds_delta_server_feed(pair->server, buf_str(&message), &info, &err))
		fail_msg("%s", err.msg);
	if (info.node != NULL)
		xds_delta_server_set_set(pair->server, pair->set);
	if (info.outcome != NULL && !info.outcome->accepted) {
		pair->refusals++;
		snprintf(pair->nack, sizeof(pair->nack), "%s", info.outcome->message);
	}
	return true;
}

/* One response to the client. False: there was none. */
static inline bool pair_to_client(struct pair *pair)
{
	struct buf message CLEANUP(buf_fini) = {0};
	enum xds_client_event event;
	struct err err;
	buf_init(&message, (16 << 20));
	if (!xds_delta_server_next(pair->server, &message))
		return false;
	assert_false(buf_failed(&message));
	assert_true(message.len <= XDS_RESPONSE_MAX);
	pair->responses++;
	if (!xds_delta_client_feed(pair->client, buf_str(&message), &event, &err))
		fail_msg("%s", err.msg);
	if (event != XDS_CLIENT_NONE) {
		pair->event = event;
		pair->events++;
	}
	return true;
}

static inline void pair_pump(struct pair *pair)
{
	pair->event = XDS_CLIENT_NONE;
	for (bool moved = true; moved;) {
		moved = false;
		while (pair_to_server(pair))
			moved = true;
		if (pair_to_client(pair))
			moved = true;
	}
}

/* What the client holds is what the set holds. */
static inline void pair_assert_equal(const struct pair *pair)
{
	for (size_t type = 0; type < XDS_LISTENER; type++)
		assert_int_equal(xds_delta_client_len(pair->client, type),
		                 xds_set_len(pair->set, type));
}

static inline struct str pair_held(const struct pair *pair, enum xds_type type, const char *name)
{
	struct xds_resource *resource = xds_delta_client_find(pair->client, type, str_from(name));
	return resource != NULL ? resource->bytes : STR_NULL;
}
