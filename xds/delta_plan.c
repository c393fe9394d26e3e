/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream lacks. While a subscription is fresh, the names and versions the client told (or
 * that it had of another set) are compared with the whole set, once. From then on the journal says
 * what changed since the cursor; names that the set withholds (hold, not complete) are kept in
 * `owed` and looked at again with each plan.
 */
#include "delta_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/assignment.h"
#include "xds/network.h"

/* Value of maps that are sets, and a version that is equal to no real one. */
static char other_version[] = "";

static void items_add(struct delta_items *items, struct delta_item item)
{
	if (items->n == items->cap) {
		items->cap = items->cap > 0 ? items->cap * 2 : 16;
		items->v = xrealloc(items->v, items->cap * sizeof(*items->v));
	}
	items->v[items->n++] = item;
}

void delta_items_fini(struct delta_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		xds_resource_unref(items->v[i].resource);
	free(items->v);
	*items = (struct delta_items){0};
}

static void items_append(struct delta_items *items, struct delta_items *more)
{
	for (size_t i = 0; i < more->n; i++)
		items_add(items, more->v[i]);
	free(more->v);
	*more = (struct delta_items){0};
}

/* One pass over all types. */
struct pass {
	struct xds_delta_server *server;
	struct delta_items adds[N_XDS_TYPES];
	struct delta_items removals[N_XDS_TYPES];
};

static bool is_wanted(const struct delta_sub *sub, struct str name)
{
	return sub->wildcard || map_find(&sub->names, name) != NULL;
}

/* is_held: the stream has the name already. */
static void add(struct pass *pass, struct xds_resource *resource, bool is_held)
{
	struct delta_item item = {resource->type, DELTA_SEND, is_held, xds_resource_ref(resource)};
	items_add(&pass->adds[resource->type], item);
}

/* Envoy ignores removals of assignments, so it gets an empty one. */
static void remove_name(struct pass *pass, enum xds_type type, struct str name)
{
	struct err err;
	bool empty = type == XDS_ASSIGNMENT && pass->server->role == XDS_ROLE_INGRESS;
	struct xds_resource *resource = empty ? xds_assignment_encode_empty(name, &err)
	                                      : xds_resource_create(type, name, STR_NULL, &err);
	if (resource == NULL)
		return; /* a name that no resource can have is held by nobody */
	struct delta_item item = {type, empty ? DELTA_SEND : DELTA_REMOVE, true, resource};
	items_add(&pass->removals[type], item);
}

static void free_version(void *value)
{
	if (value != other_version)
		free(value);
}

/* --- the whole set against what is held ------------------------------------------------------- */

static void sync_entry(struct pass *pass, struct delta_sub *sub, const struct set_entry *entry)
{
	struct xds_resource *resource = entry->resource;
	char *version = map_remove(&sub->held, resource->name);
	map_remove(&sub->asked, resource->name);
	if (version == NULL)
		add(pass, resource, false);
	else if (entry->hold && strcmp(version, resource->version) != 0)
		map_add(&sub->owed, resource->name);
	else if (strcmp(version, resource->version) != 0)
		add(pass, resource, true);
	free_version(version);
}

/* What is held and not in the set, or asked for and not there. */
static void sync_missing(struct pass *pass, enum xds_type type, struct delta_sub *sub)
{
	map_for_each (it, &sub->held) {
		struct str name = map_key(it);
		if (!is_wanted(sub, name))
			continue;
		map_remove(&sub->asked, name);
		if (pass->server->set->complete)
			remove_name(pass, type, name);
		else
			map_add(&sub->owed, name);
	}
}

void delta_held_fini(struct map *held)
{
	map_fini(held, free_version);
	*held = MAP_EMPTY;
}

static void answer_asked(struct pass *pass, enum xds_type type, struct delta_sub *sub)
{
	const struct xds_set *set = pass->server->set;
	map_for_each (it, &sub->asked) {
		struct str name = map_key(it);
		struct xds_resource *resource = xds_set_find(set, type, name);
		if (resource != NULL)
			add(pass, resource, false);
		else if (set->complete)
			remove_name(pass, type, name);
		else
			continue; /* nobody knows yet whether it exists */
		map_remove(&sub->asked, name);
	}
}

static void sync_whole(struct pass *pass, enum xds_type type, struct delta_sub *sub)
{
	struct xds_set *set = pass->server->set;
	list_for_each (it, &set->journal[type]) {
		const struct set_entry *entry = LIST_ENTRY(it, struct set_entry, link);
		if (!entry->removed && is_wanted(sub, entry->resource->name))
			sync_entry(pass, sub, entry);
	}
	sync_missing(pass, type, sub);
	delta_held_fini(&sub->held);
	answer_asked(pass, type, sub);
	sub->fresh = false;
}

/* --- changes since the cursor ----------------------------------------------------------------- */

static void sync_change(struct pass *pass, enum xds_type type, const struct set_entry *entry)
{
	struct delta_sub *sub = &pass->server->subs[type];
	struct str name = entry->resource->name;
	if (!is_wanted(sub, name))
		return;
	bool holds = set_reader_holds(&pass->server->reader, entry) ||
	             map_find(&sub->owed, name) != NULL;
	bool withheld = entry->removed ? !pass->server->set->complete : entry->hold;
	if (holds && withheld) {
		map_add(&sub->owed, name);
		return;
	}
	map_remove(&sub->owed, name);
	if (!entry->removed) {
		map_remove(&sub->asked, name);
		add(pass, entry->resource, holds);
	} else if (holds) {
		remove_name(pass, type, name);
	}
}

static void sync_owed(struct pass *pass, enum xds_type type, struct delta_sub *sub)
{
	const struct xds_set *set = pass->server->set;
	map_for_each (it, &sub->owed) {
		struct str name = map_key(it);
		const struct set_entry *entry = set_find_entry(set, type, name);
		if (entry != NULL ? entry->hold : !set->complete)
			continue;
		if (entry != NULL)
			add(pass, entry->resource, true);
		else
			remove_name(pass, type, name);
		map_remove(&sub->asked, name);
		map_remove(&sub->owed, name);
	}
}

static void sync_changes(struct pass *pass, enum xds_type type, struct delta_sub *sub)
{
	struct list *journal = &pass->server->set->journal[type];
	uint64_t cursor = pass->server->reader.cursor[type];
	struct list *first = journal;
	while (first->prev != journal &&
	       LIST_ENTRY(first->prev, struct set_entry, link)->seq > cursor)
		first = first->prev;
	for (struct list *it = first; it != journal; it = it->next)
		sync_change(pass, type, LIST_ENTRY(it, struct set_entry, link));
	sync_owed(pass, type, sub);
	answer_asked(pass, type, sub);
}

static void sync_type(struct pass *pass, enum xds_type type)
{
	struct xds_delta_server *server = pass->server;
	struct delta_sub *sub = &server->subs[type];
	if (sub->active && sub->fresh)
		sync_whole(pass, type, sub);
	else if (sub->active)
		sync_changes(pass, type, sub);
	set_reader_pass(server->set, &server->reader, type);
}

/* --- stock Envoy ------------------------------------------------------------------------------ */

/* A cluster that is sent again warms until its assignment comes again, changed or not. */
static void follow_clusters(struct pass *pass)
{
	const struct delta_sub *sub = &pass->server->subs[XDS_ASSIGNMENT];
	const struct delta_items *clusters = &pass->adds[XDS_CLUSTER];
	struct delta_items *assignments = &pass->adds[XDS_ASSIGNMENT];
	struct map sent = MAP_EMPTY;
	for (size_t i = 0; i < assignments->n; i++)
		map_add(&sent, assignments->v[i].resource->name);
	for (size_t i = 0; i < clusters->n; i++) {
		struct str name = clusters->v[i].resource->name;
		struct xds_resource *assignment =
			xds_set_find(pass->server->set, XDS_ASSIGNMENT, name);
		if (assignment != NULL && is_wanted(sub, name) && map_find(&sent, name) == NULL)
			add(pass, assignment, true);
	}
	map_fini(&sent, NULL);
}

/* Envoy's start waits for the first answer of each type, even if there is nothing. */
static void answer_first(struct pass *pass, enum xds_type type)
{
	struct delta_sub *sub = &pass->server->subs[type];
	if (!sub->active || sub->answered)
		return;
	sub->answered = true;
	if (sub->wildcard && pass->adds[type].n == 0 && pass->removals[type].n == 0)
		items_add(&pass->adds[type], (struct delta_item){type, DELTA_EMPTY, false, NULL});
}

/* --- our gateways ----------------------------------------------------------------------------- */

static uint32_t count_held(const struct xds_delta_server *server, enum xds_type type)
{
	size_t n = server->set->n_live[type];
	map_for_each (it, &server->subs[type].owed) {
		if (set_find_entry(server->set, type, map_key(it)) == NULL)
			n++;
	}
	return (uint32_t)n;
}

static struct xds_resource *make_snapshot(const struct xds_delta_server *server)
{
	const struct xds_set *set = server->set;
	struct xds_snapshot snapshot = {
		.version = str_lend(xds_set_version(set)),
		.left = set->left,
		.network = set->network,
		.cluster = set->cluster,
		.locality = set->locality,
		.source_ranges = set->source_ranges,
		.n_source_ranges = set->n_source_ranges,
	};
	for (size_t type = 0; type < XDS_SNAPSHOT; type++) {
		snapshot.counted[type] = server->subs[type].active && server->subs[type].wildcard;
		if (snapshot.counted[type])
			snapshot.held[type] = count_held(server, type);
	}
	struct err err;
	struct xds_resource *resource = xds_snapshot_encode(&snapshot, &err);
	if (resource == NULL)
		UNREACHABLE("a snapshot is small");
	return resource;
}

static void end_with_snapshot(struct xds_delta_server *server)
{
	struct delta_sub *sub = &server->subs[XDS_SNAPSHOT];
	struct xds_resource *snapshot = make_snapshot(server);
	bool is_due = sub->fresh || server->plan.n > 0 ||
	              strcmp(snapshot->version, server->snapshot_version) != 0;
	if (!is_due) {
		xds_resource_unref(snapshot);
		return;
	}
	sub->fresh = false;
	map_fini(&sub->asked, NULL);
	sub->asked = MAP_EMPTY;
	delta_held_fini(&sub->held);
	memcpy(server->snapshot_version, snapshot->version, sizeof(server->snapshot_version));
	struct delta_item item = {XDS_SNAPSHOT, DELTA_SEND, false, snapshot};
	items_add(&server->plan, item);
}

bool delta_plan_make(struct xds_delta_server *server)
{
	if (server->set == NULL || !server->known ||
	    (!server->dirty && server->planned_generation == server->set->generation))
		return false;
	bool is_ours = server->role == XDS_ROLE_GATEWAY;
	if (is_ours && !server->subs[XDS_SNAPSHOT].active)
		return false; /* it asks for all at once; the last request is still on its way */
	struct pass pass = {.server = server};
	for (size_t type = 0; type < XDS_SNAPSHOT; type++)
		sync_type(&pass, type);
	if (!is_ours) {
		follow_clusters(&pass);
		for (size_t type = 0; type < XDS_SNAPSHOT; type++)
			answer_first(&pass, type);
	}
	for (size_t type = 0; type < XDS_SNAPSHOT; type++)
		items_append(&server->plan, &pass.adds[type]);
	for (size_t type = XDS_SNAPSHOT; type-- > 0;)
		items_append(&server->plan, &pass.removals[type]);
	set_reader_pass(server->set, &server->reader, XDS_SNAPSHOT);
	if (is_ours)
		end_with_snapshot(server);
	server->planned_generation = server->set->generation;
	server->dirty = false;
	return server->plan.n > 0;
}

/* --- another set ------------------------------------------------------------------------------ */

static void hold_version(struct delta_sub *sub, struct str name, const char *version)
{
	map_set(&sub->held, name, xstrdup(version));
}

static void detach_type(struct xds_delta_server *server, enum xds_type type)
{
	struct delta_sub *sub = &server->subs[type];
	uint64_t cursor = server->reader.cursor[type];
	if (!sub->active || sub->fresh)
		return;
	list_for_each (it, &server->set->journal[type]) {
		const struct set_entry *entry = LIST_ENTRY(it, struct set_entry, link);
		struct str name = entry->resource->name;
		if (!set_reader_holds(&server->reader, entry) || !is_wanted(sub, name))
			continue;
		if (entry->seq > cursor)
			map_set(&sub->held, name, other_version);
		else if (!entry->removed)
			hold_version(sub, name, entry->resource->version);
	}
	map_for_each (it, &sub->owed) {
		free_version(map_set(&sub->held, map_key(it), other_version));
	}
	map_fini(&sub->owed, NULL);
	sub->owed = MAP_EMPTY;
	sub->fresh = true;
}

/* What was planned and not sent has not happened. */
static void undo_item(struct xds_delta_server *server, const struct delta_item *item)
{
	struct delta_sub *sub = &server->subs[item->type];
	if (item->verb == DELTA_EMPTY || item->type == XDS_SNAPSHOT)
		return;
	struct str name = item->resource->name;
	if (item->is_held)
		free_version(map_set(&sub->held, name, other_version));
	else
		free_version(map_remove(&sub->held, name));
	if (map_find(&sub->names, name) != NULL)
		map_add(&sub->asked, name);
}

void delta_plan_detach(struct xds_delta_server *server)
{
	if (server->set != NULL) {
		for (size_t type = 0; type < N_XDS_TYPES; type++)
			detach_type(server, type);
	}
	for (size_t i = server->plan_next; i < server->plan.n; i++)
		undo_item(server, &server->plan.v[i]);
	delta_items_fini(&server->plan);
	server->plan_next = 0;
}
