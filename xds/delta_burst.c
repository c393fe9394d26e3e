/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_client_priv.h"
#include "pbc_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

enum {
	NACK_MESSAGE_MAX = 4096
};

static void stage(struct xds_delta_client *client, enum xds_type type, struct str name,
                  struct xds_resource *resource, const struct err *refusal)
{
	struct staged *staged = xcalloc(1, sizeof(*staged));
	staged->resource = resource;
	staged->refusal = refusal != NULL ? xstrdup(refusal->msg) : NULL;
	client_free_staged(map_set(&client->staged[type], name, staged));
}

static void add_to_nack(struct buf *nack, struct str name, const char *why)
{
	/* what does not fit is cut; the names of all refused ones also go with the report */
	IGNORE(buf_printf(nack, "%s%.*s: %s", nack->len > 0 ? "; " : "", STR_ARG(name), why));
}

static struct xds_resource *make(enum xds_type type, const Envoy__Resource *msg, struct err *err)
{
	if (msg->resource == NULL) {
		err_set(err, ERR_INVALID, "the resource is empty");
		return NULL;
	}
	if (!str_is(str_from(msg->resource->type_url), xds_type_url(type))) {
		err_set(err, ERR_INVALID, "the resource is of another type than the response");
		return NULL;
	}
	return xds_resource_create_versioned(type, str_from(msg->name), str_from(msg->version),
	                                     pbc_str(msg->resource->value), err);
}

/* Names seen in this response are in `seen`: one that comes twice is refused. */
static void take_resource(struct xds_delta_client *client, enum xds_type type,
                          const Envoy__Resource *msg, struct map *seen, struct buf *nack)
{
	struct err err;
	struct str name = str_from(msg->name);
	struct xds_resource *resource = make(type, msg, &err);
	if (resource != NULL && !map_add(seen, name)) {
		err_set(&err, ERR_INVALID, "the name stands twice in one response");
		xds_resource_unref(resource);
		resource = NULL;
	} else if (resource != NULL && !client->check(resource, client->check_arg, &err)) {
		xds_resource_unref(resource);
		resource = NULL;
	}
	if (resource == NULL)
		add_to_nack(nack, name, err.msg);
	if (name.len > 0 && name.len <= XDS_NAME_MAX)
		stage(client, type, name, resource, resource == NULL ? &err : NULL);
}

static void take_all(struct xds_delta_client *client, enum xds_type type,
                     const Envoy__DeltaDiscoveryResponse *msg, struct buf *nack)
{
	struct map seen = MAP_EMPTY;
	for (size_t i = 0; i < msg->n_resources; i++)
		take_resource(client, type, msg->resources[i], &seen, nack);
	map_fini(&seen, NULL);
	for (size_t i = 0; i < msg->n_removed_resources; i++) {
		struct str name = str_from(msg->removed_resources[i]);
		if (name.len > 0 && name.len <= XDS_NAME_MAX)
			stage(client, type, name, NULL, NULL);
	}
}

/* --- the end of a burst ----------------------------------------------------------------------- */

/* Names held after the burst: in force, or refused (the server believes we hold those). */
static size_t count_after(const struct xds_delta_client *client, enum xds_type type)
{
	size_t n = client->replacing ? 0 : map_len(&client->held[type]);
	map_for_each (it, &client->refused[type]) {
		if (map_find(&client->held[type], map_key(it)) == NULL)
			n++;
	}
	map_for_each (it, &client->staged[type]) {
		const struct staged *staged = map_value(it);
		struct str name = map_key(it);
		bool before =
			!client->replacing && (map_find(&client->held[type], name) != NULL ||
		                               map_find(&client->refused[type], name) != NULL);
		bool after = staged->resource != NULL || staged->refusal != NULL;
		n = n + after - before;
	}
	return n;
}

static bool counts_agree(const struct xds_delta_client *client, const struct xds_snapshot *snapshot)
{
	for (size_t i = 0; i < N_CLIENT_TYPES; i++) {
		enum xds_type type = client_types[i];
		if (snapshot->counted[type] && count_after(client, type) != snapshot->held[type])
			return false;
	}
	return true;
}

static void add_change(struct xds_delta_client *client, enum xds_type type, struct str name,
                       struct xds_resource *resource)
{
	struct xds_change *change = &client->changes[client->n_changes++];
	*change = (struct xds_change){.type = type, .resource = resource};
	if (resource != NULL) {
		xds_resource_ref(resource);
		change->name = resource->name;
	} else {
		change->name = str_make(str_dup(name), name.len);
	}
}

static void apply_one(struct xds_delta_client *client, enum xds_type type, struct str name,
                      struct staged *staged)
{
	if (staged->refusal != NULL) {
		free(map_set(&client->refused[type], name, staged->refusal));
		staged->refusal = NULL;
		return;
	}
	free(map_remove(&client->refused[type], name));
	if (staged->resource != NULL) {
		client_put_held(client, staged->resource);
		add_change(client, type, name, staged->resource);
		return;
	}
	struct xds_resource *old = map_remove(&client->held[type], name);
	if (old != NULL)
		add_change(client, type, name, NULL);
	xds_resource_unref(old);
}

/* Where the server was not told what is held, it does not remove what it no longer has. */
static void stage_vanished(struct xds_delta_client *client)
{
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		map_for_each (it, &client->held[type]) {
			struct str name = map_key(it);
			if (map_find(&client->staged[type], name) == NULL)
				stage(client, (enum xds_type)type, name, NULL, NULL);
		}
	}
	client->replacing = false;
}

static void apply(struct xds_delta_client *client)
{
	size_t n = 0;
	if (client->replacing)
		stage_vanished(client);
	for (size_t type = 0; type < N_XDS_TYPES; type++)
		n += map_len(&client->staged[type]);
	client->changes = xcalloc(n, sizeof(*client->changes));
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		map_for_each (it, &client->staged[type])
			apply_one(client, (enum xds_type)type, map_key(it), map_value(it));
		map_fini(&client->staged[type], client_free_staged);
	}
}

static enum xds_client_event end_burst(struct xds_delta_client *client,
                                       struct xds_resource *resource, struct xds_snapshot *snapshot)
{
	if (snapshot->left) {
		client_forget_staged(client);
		client_forget_held(client);
		xds_snapshot_fini(snapshot);
		return XDS_CLIENT_LEFT;
	}
	if (!counts_agree(client, snapshot)) {
		client_forget_staged(client);
		xds_snapshot_fini(snapshot);
		return XDS_CLIENT_RESYNC;
	}
	apply(client);
	client_put_snapshot(client, resource, snapshot);
	return XDS_CLIENT_APPLIED;
}

static enum xds_client_event take_snapshot(struct xds_delta_client *client,
                                           const Envoy__DeltaDiscoveryResponse *msg,
                                           struct buf *nack)
{
	struct err err;
	struct xds_snapshot snapshot;
	if (msg->n_resources != 1) {
		add_to_nack(nack, STR_LIT("default"), "a burst ends with exactly one snapshot");
		return XDS_CLIENT_NONE;
	}
	struct xds_resource *resource = make(XDS_SNAPSHOT, msg->resources[0], &err);
	enum xds_client_event event = XDS_CLIENT_NONE;
	if (resource == NULL || !xds_snapshot_decode(resource->bytes, &snapshot, &err))
		add_to_nack(nack, STR_LIT("default"), err.msg);
	else
		event = end_burst(client, resource, &snapshot);
	xds_resource_unref(resource);
	return event;
}

static bool is_wanted(enum xds_type type)
{
	for (size_t i = 0; i < N_CLIENT_TYPES; i++) {
		if (client_types[i] == type)
			return true;
	}
	return false;
}

static bool check_response(const struct xds_delta_client *client,
                           const Envoy__DeltaDiscoveryResponse *msg, enum xds_type *ret_type,
                           struct err *err)
{
	if (!client->started)
		return err_set(err, ERR_PROTOCOL, "a response before any request");
	if (!xds_type_parse(str_from(msg->type_url), ret_type) || !is_wanted(*ret_type))
		return err_set(err, ERR_PROTOCOL,
		               "a response of type '%.100s' that nobody asked for",
		               msg->type_url != NULL ? msg->type_url : "");
	if (msg->nonce == NULL || msg->nonce[0] == '\0' || strlen(msg->nonce) > XDS_NAME_MAX)
		return err_set(err, ERR_PROTOCOL, "a response without a usable nonce");
	if (map_len(&client->staged[*ret_type]) + msg->n_resources + msg->n_removed_resources >
	    XDS_HELD_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d changes of type %s in one burst",
		               XDS_HELD_MAX, xds_type_name(*ret_type));
	return xds_answers_have_room(&client->answers, err);
}

bool xds_delta_client_feed(struct xds_delta_client *client, struct str response,
                           enum xds_client_event *ret_event, struct err *err)
{
	enum xds_type type;
	enum xds_client_event event = XDS_CLIENT_NONE;
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__delta_discovery_response__descriptor, response, err);
	if (message == NULL)
		return false;
	const Envoy__DeltaDiscoveryResponse *msg = (const Envoy__DeltaDiscoveryResponse *)message;
	if (!check_response(client, msg, &type, err)) {
		xds_message_free(message);
		return false;
	}
	client_forget_changes(client);
	struct buf nack CLEANUP(buf_fini) = {0};
	buf_init(&nack, NACK_MESSAGE_MAX);
	if (type == XDS_SNAPSHOT)
		event = take_snapshot(client, msg, &nack);
	else
		take_all(client, type, msg, &nack);
	bool refused = nack.len > 0 || buf_failed(&nack);
	xds_answers_add(&client->answers, type, str_from(msg->nonce),
	                refused ? buf_text(&nack) : NULL);
	xds_message_free(message);
	*ret_event = event;
	return true;
}
