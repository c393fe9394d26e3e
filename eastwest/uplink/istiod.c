/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "uplink/istiod_node.h"
#include "uplink/istiod_priv.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

const enum xds_type istiod_types[N_ISTIOD_KINDS] = {
	[ISTIOD_CLUSTERS] = XDS_CLUSTER,
	[ISTIOD_ASSIGNMENTS] = XDS_ASSIGNMENT,
	[ISTIOD_LISTENERS] = XDS_LISTENER,
};

/* --- life ------------------------------------------------------------------------------------- */

struct ew_istiod *ew_istiod_create(struct str node, const char *cluster, uint16_t port)
{
	struct ew_istiod *istiod = xcalloc(1, sizeof(*istiod));
	buf_init(&istiod->node, EW_ISTIOD_NODE_MAX);
	buf_add_str(&istiod->node, node);
	istiod->cluster = xstrdup(cluster);
	istiod->port = port;
	istiod->version = xstrdup("");
	return istiod;
}

void istiod_free_held(void *value)
{
	struct istiod_held *held = value;
	if (held == NULL)
		return;
	xds_resource_unref(held->resource);
	free(held);
}

static void free_exposed(void *value)
{
	ew_exposed_fini(value);
	free(value);
}

void ew_istiod_destroy(struct ew_istiod *istiod)
{
	if (istiod == NULL)
		return;
	xds_answers_clear(&istiod->answers);
	map_fini(&istiod->clusters, istiod_free_held);
	map_fini(&istiod->assignments, istiod_free_held);
	map_fini(&istiod->listeners, free_exposed);
	for (size_t i = 0; i < N_ISTIOD_KINDS; i++)
		map_fini(&istiod->refused[i], free);
	struct map *const sets[] = {&istiod->unresolved, &istiod->changed, &istiod->routed,
	                            &istiod->subscribe, &istiod->unsubscribe};
	for (size_t i = 0; i < N_ELEMS(sets); i++)
		map_fini(sets[i], NULL);
	buf_fini(&istiod->node);
	free(istiod->cluster);
	free(istiod->version);
	free(istiod);
}

/* --- subscriptions ---------------------------------------------------------------------------- */

void istiod_want(struct ew_istiod *istiod, struct str name)
{
	map_remove(&istiod->unsubscribe, name);
	map_add(&istiod->subscribe, name);
}

void istiod_unwant(struct ew_istiod *istiod, struct str name)
{
	if (map_remove(&istiod->subscribe, name) == NULL)
		map_add(&istiod->unsubscribe, name);
}

void ew_istiod_start(struct ew_istiod *istiod)
{
	xds_answers_clear(&istiod->answers);
	map_fini(&istiod->subscribe, NULL);
	map_fini(&istiod->unsubscribe, NULL);
	for (size_t i = 0; i < N_ISTIOD_KINDS; i++)
		istiod->asked[i] = false;
	map_for_each (it, &istiod->clusters)
		map_add(&istiod->subscribe, map_key(it));
	istiod->started = true;
}

/* --- requests --------------------------------------------------------------------------------- */

static const struct map *held(const struct ew_istiod *istiod, enum istiod_kind kind)
{
	return kind == ISTIOD_CLUSTERS ? &istiod->clusters : &istiod->listeners;
}

/* Everything of a type. An istiod's resources have no versions; it takes the names to tell which
 * of them are gone. */
static void pack_wildcard(struct ew_istiod *istiod, enum istiod_kind kind, struct buf *out)
{
	const struct map *known = held(istiod, kind);
	size_t n = map_len(known);
	char *all[] = {str_lend("*")};
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	Envoy__DeltaDiscoveryRequest__VersionEntry *entries = xcalloc(n + 1, sizeof(*entries));
	Envoy__DeltaDiscoveryRequest__VersionEntry **list =
		xcalloc(n + 1, sizeof(Envoy__DeltaDiscoveryRequest__VersionEntry *));
	size_t at = 0;
	msg.type_url = str_lend(xds_type_url(istiod_types[kind]));
	msg.resource_names_subscribe = all;
	msg.n_resource_names_subscribe = 1;
	if (kind == ISTIOD_CLUSTERS) { /* the first request of a stream */
		msg.has_node = true;
		msg.node.data = (uint8_t *)istiod->node.ptr;
		msg.node.len = istiod->node.len;
	}
	map_for_each (it, known) {
		envoy__delta_discovery_request__version_entry__init(&entries[at]);
		entries[at].key = str_lend(map_key(it).ptr);
		entries[at].value = str_lend("");
		list[at] = &entries[at];
		at++;
	}
	msg.initial_resource_versions = list;
	msg.n_initial_resource_versions = n;
	xds_message_pack(&msg.base, out);
	free(list);
	free(entries);
	istiod->asked[kind] = true;
}

/* Some of the assignments to ask for, or to ask for no more. Never in one request with an answer:
 * an istiod drops what comes with a nonce that is not its last one. */
static void pack_names(struct map *names, bool subscribe, struct buf *out)
{
	char **list = xcalloc(EW_ISTIOD_NAMES_A_REQUEST, sizeof(char *));
	size_t n = 0;
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	msg.type_url = str_lend(xds_type_url(XDS_ASSIGNMENT));
	map_for_each (it, names) {
		if (n == EW_ISTIOD_NAMES_A_REQUEST)
			break;
		list[n++] = str_dup(map_key(it));
	}
	for (size_t i = 0; i < n; i++)
		map_remove(names, str_from(list[i]));
	msg.resource_names_subscribe = subscribe ? list : NULL;
	msg.n_resource_names_subscribe = subscribe ? n : 0;
	msg.resource_names_unsubscribe = subscribe ? NULL : list;
	msg.n_resource_names_unsubscribe = subscribe ? 0 : n;
	xds_message_pack(&msg.base, out);
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

bool ew_istiod_next(struct ew_istiod *istiod, struct buf *out)
{
	if (!istiod->started)
		return false;
	if (!istiod->asked[ISTIOD_CLUSTERS])
		pack_wildcard(istiod, ISTIOD_CLUSTERS, out);
	else if (xds_answers_next(&istiod->answers, out))
		return true;
	else if (map_first(&istiod->unsubscribe) != NULL)
		pack_names(&istiod->unsubscribe, false, out);
	else if (map_first(&istiod->subscribe) != NULL)
		pack_names(&istiod->subscribe, true, out);
	else if (!istiod->asked[ISTIOD_LISTENERS])
		pack_wildcard(istiod, ISTIOD_LISTENERS, out);
	else
		return false;
	return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool ew_istiod_is_complete(const struct ew_istiod *istiod)
{
	return istiod->complete;
}

const char *ew_istiod_version(const struct ew_istiod *istiod)
{
	return istiod->version;
}

void ew_istiod_stats(const struct ew_istiod *istiod, struct ew_istiod_stats *ret_stats)
{
	struct ew_istiod_stats stats = {
		.clusters = map_len(&istiod->clusters),
		.routes = map_len(&istiod->routed),
		.unresolved = map_len(&istiod->unresolved),
	};
	map_for_each (it, &istiod->listeners) {
		const struct ew_exposed *exposed = map_value(it);
		stats.exposed += map_len(&exposed->names);
		stats.left_out += exposed->n_left_out;
		if (exposed->why != NULL)
			snprintf(stats.why, sizeof(stats.why), "a filter chain of '%.*s' %s",
			         STR_ARG(map_key(it)), exposed->why);
	}
	for (size_t kind = 0; kind < N_ISTIOD_KINDS; kind++) {
		stats.refused += map_len(&istiod->refused[kind]);
		map_for_each (it, &istiod->refused[kind])
			snprintf(stats.why, sizeof(stats.why), "'%.*s': %s", STR_ARG(map_key(it)),
			         (const char *)map_value(it));
	}
	*ret_stats = stats;
}
