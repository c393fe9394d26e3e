/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/delta_client.h"

#include "delta_client_priv.h"
#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

enum {
	NODE_BYTES_MAX = 16 << 10,
	NACK_CODE = 3 /* google.rpc.Code INVALID_ARGUMENT */
};

const enum xds_type client_types[N_CLIENT_TYPES] = {XDS_CLUSTER, XDS_NETWORK, XDS_PEERS,
                                                    XDS_ASSIGNMENT, XDS_SNAPSHOT};

/* --- life ------------------------------------------------------------------------------------- */

struct xds_delta_client *xds_delta_client_create(const struct xds_node *node, xds_check_cb check,
                                                 void *check_arg)
{
	struct xds_delta_client *client = xcalloc(1, sizeof(*client));
	buf_init(&client->node_bytes, NODE_BYTES_MAX);
	xds_node_encode(node, &client->node_bytes);
	client->check = check;
	client->check_arg = check_arg;
	return client;
}

void client_free_staged(void *value)
{
	struct staged *staged = value;
	if (staged == NULL)
		return;
	xds_resource_unref(staged->resource);
	free(staged->refusal);
	free(staged);
}

static void unref_resource(void *value)
{
	xds_resource_unref(value);
}

void client_forget_staged(struct xds_delta_client *client)
{
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		map_fini(&client->staged[i], client_free_staged);
}

void client_forget_changes(struct xds_delta_client *client)
{
	for (size_t i = 0; i < client->n_changes; i++) {
		struct xds_change *change = &client->changes[i];
		if (change->resource != NULL)
			xds_resource_unref(change->resource);
		else
			free(str_lend(change->name.ptr));
	}
	free(client->changes);
	client->changes = NULL;
	client->n_changes = 0;
}

void client_forget_held(struct xds_delta_client *client)
{
	for (size_t i = 0; i < N_XDS_TYPES; i++) {
		map_fini(&client->held[i], unref_resource);
		map_fini(&client->refused[i], free);
	}
	xds_resource_unref(client->snapshot_resource);
	client->snapshot_resource = NULL;
	xds_snapshot_fini(&client->snapshot);
	client->has_snapshot = false;
}

void xds_delta_client_destroy(struct xds_delta_client *client)
{
	if (client == NULL)
		return;
	client_forget_staged(client);
	client_forget_changes(client);
	xds_answers_clear(&client->answers);
	client_forget_held(client);
	buf_fini(&client->node_bytes);
	free(client);
}

void client_put_held(struct xds_delta_client *client, struct xds_resource *resource)
{
	xds_resource_unref(
		map_set(&client->held[resource->type], resource->name, xds_resource_ref(resource)));
}

void client_put_snapshot(struct xds_delta_client *client, struct xds_resource *resource,
                         const struct xds_snapshot *snapshot)
{
	xds_resource_ref(resource);
	xds_resource_unref(client->snapshot_resource);
	client->snapshot_resource = resource;
	xds_snapshot_fini(&client->snapshot);
	client->snapshot = *snapshot;
	client->has_snapshot = true;
}

void xds_delta_client_restore(struct xds_delta_client *client, struct xds_resource *resource)
{
	struct xds_snapshot snapshot;
	struct err err;
	if (resource->type != XDS_SNAPSHOT)
		client_put_held(client, resource);
	else if (xds_snapshot_decode(resource->bytes, &snapshot, &err))
		client_put_snapshot(client, resource, &snapshot);
}

/* --- requests --------------------------------------------------------------------------------- */

void xds_delta_client_start(struct xds_delta_client *client, bool with_versions)
{
	client_forget_staged(client);
	xds_answers_clear(&client->answers);
	/* the server sends what was refused again, as we do not name it */
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		map_fini(&client->refused[i], free);
	client->subscribed = 0;
	client->with_versions = with_versions;
	client->replacing = !with_versions;
	client->started = true;
}

static void pack_subscription(struct xds_delta_client *client, enum xds_type type, struct buf *out)
{
	char *names[] = {str_lend("*")};
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	msg.type_url = str_lend(xds_type_url(type));
	msg.resource_names_subscribe = names;
	msg.n_resource_names_subscribe = 1;
	if (type == client_types[0]) {
		msg.has_node = true;
		msg.node = pbc_bytes(buf_str(&client->node_bytes));
	}
	size_t n = client->with_versions ? map_len(&client->held[type]) : 0;
	Envoy__DeltaDiscoveryRequest__VersionEntry *entries = xcalloc(n, sizeof(*entries));
	Envoy__DeltaDiscoveryRequest__VersionEntry **list =
		xcalloc(n, sizeof(Envoy__DeltaDiscoveryRequest__VersionEntry *));
	size_t at = 0;
	map_for_each (it, &client->held[type]) {
		if (at == n)
			break;
		struct xds_resource *resource = map_value(it);
		envoy__delta_discovery_request__version_entry__init(&entries[at]);
		entries[at].key = str_lend(resource->name.ptr);
		entries[at].value = resource->version;
		list[at] = &entries[at];
		at++;
	}
	msg.initial_resource_versions = list;
	msg.n_initial_resource_versions = n;
	xds_message_pack(&msg.base, out);
	free(list);
	free(entries);
}

bool xds_delta_client_next(struct xds_delta_client *client, struct buf *out)
{
	if (!client->started)
		return false;
	if (client->subscribed < N_CLIENT_TYPES) {
		pack_subscription(client, client_types[client->subscribed++], out);
		return true;
	}
	return xds_answers_next(&client->answers, out);
}

/* --- reading ---------------------------------------------------------------------------------- */

const struct xds_change *xds_delta_client_changes(const struct xds_delta_client *client,
                                                  size_t *ret_n)
{
	*ret_n = client->n_changes;
	return client->changes;
}

struct xds_resource *xds_delta_client_find(const struct xds_delta_client *client,
                                           enum xds_type type, struct str name)
{
	return map_find(&client->held[type], name);
}

size_t xds_delta_client_len(const struct xds_delta_client *client, enum xds_type type)
{
	return map_len(&client->held[type]);
}

void xds_delta_client_for_each(const struct xds_delta_client *client, xds_held_cb cb, void *arg)
{
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		map_for_each (it, &client->held[type])
			cb(map_value(it), arg);
	}
	if (client->snapshot_resource != NULL)
		cb(client->snapshot_resource, arg);
}

const struct xds_snapshot *xds_delta_client_snapshot(const struct xds_delta_client *client)
{
	return client->has_snapshot ? &client->snapshot : NULL;
}

void xds_delta_client_refusals(const struct xds_delta_client *client, xds_refusal_cb cb, void *arg)
{
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		map_for_each (it, &client->refused[type]) {
			struct xds_refusal refusal = {(enum xds_type)type, map_key(it),
			                              map_value(it)};
			cb(&refusal, arg);
		}
	}
}
