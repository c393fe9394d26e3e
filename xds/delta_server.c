/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/delta_server.h"

#include "delta_priv.h"
#include "pbc_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

enum {
	/* Bytes of a response beside names, versions and contents of its resources: tags, lengths
	 * and type URLs. */
	RESPONSE_OVERHEAD = 512,
	ITEM_OVERHEAD = 32
};

struct xds_delta_server *xds_delta_server_create(void)
{
	struct xds_delta_server *server = xcalloc(1, sizeof(*server));
	list_init(&server->reader.link);
	return server;
}

static void burst_unref(struct xds_delta_server *server, struct delta_burst *burst)
{
	if (burst == NULL || --burst->refs > 0)
		return;
	if (!burst->failed)
		memcpy(server->stats.acked_version, burst->version, sizeof(burst->version));
	free(burst);
}

static void sent_fini(struct xds_delta_server *server, struct delta_sent *sent)
{
	for (size_t i = 0; i < sent->n_resources; i++)
		xds_resource_unref(sent->resources[i]);
	free(sent->resources);
	burst_unref(server, sent->burst);
	*sent = (struct delta_sent){0};
}

void xds_delta_server_destroy(struct xds_delta_server *server)
{
	if (server == NULL)
		return;
	for (size_t i = 0; i < server->n_sent; i++)
		sent_fini(server, &server->sent[i]);
	sent_fini(server, &server->answered);
	burst_unref(server, server->burst);
	delta_items_fini(&server->plan);
	set_remove_reader(&server->reader);
	for (size_t i = 0; i < N_XDS_TYPES; i++) {
		map_fini(&server->subs[i].names, NULL);
		map_fini(&server->subs[i].asked, NULL);
		map_fini(&server->subs[i].owed, NULL);
		delta_held_fini(&server->subs[i].held);
	}
	xds_set_unref(server->set);
	xds_node_fini(&server->node);
	free(server);
}

void xds_delta_server_set_set(struct xds_delta_server *server, struct xds_set *set)
{
	if (server->set == set)
		return;
	xds_set_ref(set);
	delta_plan_detach(server);
	if (server->burst != NULL)
		server->burst->failed = true; /* broken off: nobody holds it whole */
	burst_unref(server, server->burst);
	server->burst = NULL;
	set_remove_reader(&server->reader);
	xds_set_unref(server->set);
	server->set = set;
	set_add_reader(set, &server->reader);
	server->dirty = true;
}

/* --- requests --------------------------------------------------------------------------------- */

static bool check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	if (len == 0 || len > XDS_NAME_MAX)
		return err_set(err, ERR_INVALID, "a resource name of %zu bytes, 1 to %d are taken",
		               len, XDS_NAME_MAX);
	return true;
}

static bool subscribe(struct delta_sub *sub, const char *name, struct err *err)
{
	if (strcmp(name, "*") == 0) {
		/* the rest of the set is news to whoever had single names */
		sub->fresh = sub->fresh || !sub->wildcard;
		sub->wildcard = true;
		return true;
	}
	if (!check_name(name, err))
		return false;
	if (map_len(&sub->names) >= XDS_SUBSCRIPTIONS_MAX)
		return err_set(err, ERR_TOO_MANY, "more than %d names of one type are subscribed",
		               XDS_SUBSCRIPTIONS_MAX);
	map_add(&sub->names, str_from(name));
	map_add(&sub->asked, str_from(name));
	return true;
}

static void unsubscribe(struct delta_sub *sub, const char *name)
{
	if (strcmp(name, "*") == 0) {
		sub->wildcard = false;
		return;
	}
	map_remove(&sub->names, str_from(name));
	map_remove(&sub->asked, str_from(name));
	if (!sub->wildcard)
		map_remove(&sub->owed, str_from(name));
}

static bool take_versions(struct delta_sub *sub, const Envoy__DeltaDiscoveryRequest *msg,
                          struct err *err)
{
	if (msg->n_initial_resource_versions > XDS_SUBSCRIPTIONS_MAX)
		return err_set(err, ERR_TOO_MANY, "%zu initial resource versions, %d are taken",
		               msg->n_initial_resource_versions, XDS_SUBSCRIPTIONS_MAX);
	for (size_t i = 0; i < msg->n_initial_resource_versions; i++) {
		const Envoy__DeltaDiscoveryRequest__VersionEntry *entry =
			msg->initial_resource_versions[i];
		if (entry->key == NULL || !check_name(entry->key, err))
			return err_set(err, ERR_INVALID,
			               "an initial resource version with a bad name");
		const char *version = entry->value != NULL ? entry->value : "";
		free(map_set(&sub->held, str_from(entry->key),
		             xstrndup(version, strnlen(version, XDS_VERSION_MAX))));
	}
	return true;
}

static bool take_subscriptions(struct delta_sub *sub, enum xds_type type,
                               const Envoy__DeltaDiscoveryRequest *msg, struct err *err)
{
	bool is_first = !sub->active;
	if (is_first) {
		sub->active = true;
		sub->fresh = true;
		/* asking for nothing by name at first means everything (the old way) */
		bool by_name = type == XDS_ASSIGNMENT;
		sub->wildcard = !by_name && msg->n_resource_names_subscribe == 0;
		if (!take_versions(sub, msg, err))
			return false;
	}
	for (size_t i = 0; i < msg->n_resource_names_subscribe; i++) {
		if (!subscribe(sub, msg->resource_names_subscribe[i], err))
			return false;
	}
	for (size_t i = 0; i < msg->n_resource_names_unsubscribe; i++)
		unsubscribe(sub, msg->resource_names_unsubscribe[i]);
	return true;
}

static bool take_node(struct xds_delta_server *server, const Envoy__DeltaDiscoveryRequest *msg,
                      struct xds_request_info *info, struct err *err)
{
	if (server->known)
		return true;
	if (!msg->has_node)
		return err_set(err, ERR_BAD_REQUEST, "the first request of a stream names no node");
	if (!xds_node_decode(pbc_str(msg->node), &server->node, err))
		return false;
	server->known = true;
	server->role = server->node.role;
	info->node = &server->node;
	return true;
}

/* The answer to a response; a nonce that is not outstanding any more says nothing. */
static void take_answer(struct xds_delta_server *server, enum xds_type type,
                        const Envoy__DeltaDiscoveryRequest *msg, struct xds_request_info *info)
{
	uint64_t nonce = 0;
	size_t at = 0;
	if (msg->response_nonce == NULL ||
	    !str_to_u64(str_from(msg->response_nonce), UINT64_MAX, &nonce))
		return;
	while (at < server->n_sent &&
	       (server->sent[at].nonce != nonce || server->sent[at].type != type))
		at++;
	if (at == server->n_sent)
		return;
	server->answered = server->sent[at];
	server->n_sent--;
	memmove(&server->sent[at], &server->sent[at + 1],
	        (server->n_sent - at) * sizeof(server->sent[0]));

	const Google__Status *detail = msg->error_detail;
	if (detail != NULL) {
		server->stats.nacks++;
		server->answered.burst->failed = true;
		snprintf(server->nack, sizeof(server->nack), "%s",
		         detail->message != NULL ? detail->message : "refused without a word");
	}
	/* the burst may go with its last answer; what is lent out must not */
	memcpy(server->answered_version, server->answered.burst->version,
	       sizeof(server->answered_version));
	server->outcome = (struct xds_outcome){
		.type = type,
		.accepted = detail == NULL,
		.message = detail != NULL ? server->nack : "",
		.set_version = server->answered_version,
		.resources = server->answered.resources,
		.n_resources = server->answered.n_resources,
	};
	info->outcome = &server->outcome;
	burst_unref(server, server->answered.burst);
	server->answered.burst = NULL;
}

bool xds_delta_server_feed(struct xds_delta_server *server, struct str request,
                           struct xds_request_info *ret_info, struct err *err)
{
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__delta_discovery_request__descriptor, request, err);
	if (message == NULL)
		return false;
	const Envoy__DeltaDiscoveryRequest *msg = (const Envoy__DeltaDiscoveryRequest *)message;
	struct xds_request_info info = {0};
	enum xds_type type;
	sent_fini(server, &server->answered);
	bool ok = take_node(server, msg, &info, err);
	if (ok && xds_type_parse(str_from(msg->type_url), &type)) {
		take_answer(server, type, msg, &info);
		ok = take_subscriptions(&server->subs[type], type, msg, err);
		server->dirty = true;
	}
	xds_message_free(message);
	if (ok)
		*ret_info = info;
	return ok;
}

/* --- responses -------------------------------------------------------------------------------- */

static void start_burst(struct xds_delta_server *server)
{
	server->burst = xcalloc(1, sizeof(*server->burst));
	server->burst->refs = 1;
	snprintf(server->burst->version, sizeof(server->burst->version), "%s",
	         xds_set_version(server->set));
}

static void end_burst(struct xds_delta_server *server)
{
	burst_unref(server, server->burst);
	server->burst = NULL;
	delta_items_fini(&server->plan);
	server->plan_next = 0;
}

/* How many items from plan_next on make the next response: one type, one verb, one message. */
static size_t cut(const struct xds_delta_server *server)
{
	const struct delta_item *first = &server->plan.v[server->plan_next];
	bool whole = server->role == XDS_ROLE_INGRESS && first->type == XDS_CLUSTER &&
	             server->stats.sent[XDS_CLUSTER] == 0;
	size_t bytes = RESPONSE_OVERHEAD;
	size_t n = 0;
	for (size_t i = server->plan_next; i < server->plan.n; i++) {
		const struct delta_item *item = &server->plan.v[i];
		if (item->type != first->type || item->verb != first->verb)
			break;
		if (item->verb == DELTA_EMPTY)
			return 1;
		bytes += ITEM_OVERHEAD + item->resource->name.len;
		if (item->verb == DELTA_SEND)
			bytes += item->resource->bytes.len + strlen(item->resource->version) +
			         strlen(xds_type_url(item->type));
		if (bytes > XDS_RESPONSE_MAX && n > 0 && !whole)
			break;
		n++;
	}
	return n;
}

static void encode_sends(const struct delta_item *items, size_t n,
                         Envoy__DeltaDiscoveryResponse *msg, struct buf *out)
{
	Envoy__Resource *resources = xcalloc(n, sizeof(*resources));
	Google__Any *anys = xcalloc(n, sizeof(*anys));
	Envoy__Resource **list = xcalloc(n, sizeof(struct Envoy__Resource *));
	for (size_t i = 0; i < n; i++) {
		struct xds_resource *resource = items[i].resource;
		google__any__init(&anys[i]);
		anys[i].type_url = str_lend(xds_type_url(resource->type));
		anys[i].has_value = true;
		anys[i].value = pbc_bytes(resource->bytes);
		envoy__resource__init(&resources[i]);
		resources[i].version = resource->version;
		resources[i].name = str_lend(resource->name.ptr);
		resources[i].resource = &anys[i];
		list[i] = &resources[i];
	}
	msg->resources = list;
	msg->n_resources = n;
	xds_message_pack(&msg->base, out);
	free(list);
	free(anys);
	free(resources);
}

static void encode_removals(const struct delta_item *items, size_t n,
                            Envoy__DeltaDiscoveryResponse *msg, struct buf *out)
{
	char **names = xcalloc(n, sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = str_lend(items[i].resource->name.ptr);
	msg->removed_resources = names;
	msg->n_removed_resources = n;
	xds_message_pack(&msg->base, out);
	free(names);
}

static void encode(struct xds_delta_server *server, const struct delta_item *items, size_t n,
                   struct buf *out)
{
	char nonce[24];
	snprintf(nonce, sizeof(nonce), "%" PRIu64, ++server->nonce);
	Envoy__DeltaDiscoveryResponse msg = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	msg.system_version_info = server->burst->version;
	msg.type_url = str_lend(xds_type_url(items[0].type));
	msg.nonce = nonce;
	switch (items[0].verb) {
	case DELTA_SEND:
		encode_sends(items, n, &msg, out);
		server->stats.sent[items[0].type] += n;
		break;
	case DELTA_REMOVE:
		encode_removals(items, n, &msg, out);
		server->stats.removed[items[0].type] += n;
		break;
	case DELTA_EMPTY:
		xds_message_pack(&msg.base, out);
		break;
	}
}

static void remember(struct xds_delta_server *server, const struct delta_item *items, size_t n)
{
	struct delta_sent *sent = &server->sent[server->n_sent++];
	*sent = (struct delta_sent){
		.nonce = server->nonce, .type = items[0].type, .burst = server->burst};
	server->burst->refs++;
	if (items[0].verb != DELTA_SEND)
		return;
	sent->resources = xcalloc(n, sizeof(struct xds_resource *));
	sent->n_resources = n;
	for (size_t i = 0; i < n; i++)
		sent->resources[i] = xds_resource_ref(items[i].resource);
}

bool xds_delta_server_next(struct xds_delta_server *server, struct buf *out)
{
	if (server->n_sent == XDS_OUTSTANDING_MAX)
		return false;
	if (server->plan_next == server->plan.n) {
		if (!delta_plan_make(server))
			return false;
		start_burst(server);
	}
	const struct delta_item *items = &server->plan.v[server->plan_next];
	size_t n = cut(server);
	encode(server, items, n, out);
	remember(server, items, n);
	server->plan_next += n;
	if (server->plan_next == server->plan.n)
		end_burst(server);
	return true;
}

void xds_delta_server_stats(const struct xds_delta_server *server,
                            struct xds_delta_stats *ret_stats)
{
	*ret_stats = server->stats;
	ret_stats->outstanding = server->n_sent;
}
