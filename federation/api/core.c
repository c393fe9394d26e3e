/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "builtins.h"
#include "committer.h"
#include "request.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

bool api_core_init(struct api_core *core, struct err *err)
{
	*core = (struct api_core){.head = 0};
	api_kinds_init(&core->kinds);
	api_hub_init(&core->hub, 0);
	return api_builtins_load(&core->kinds, &core->object_meta, err);
}

void api_core_fini(struct api_core *core)
{
	api_hub_fini(&core->hub);
	api_kinds_fini(&core->kinds);
	schema_destroy(core->object_meta);
	free(core->ca_pem);
	free(core->admin_token);
	*core = (struct api_core){0};
}

/* --- changing --------------------------------------------------------------------------------- */

static struct str store_text(const struct api_resource *resource, const struct api_object *object)
{
	char group_version[API_VERSION_TEXT_MAX];
	struct buf text;
	buf_init(&text, API_REPLY_MAX);
	api_group_version(resource->group, api_resource_storage(resource)->name, group_version);
	api_object_format(object, group_version, resource->kind, object->rev, &text);
	size_t len = text.len;
	return str_make(buf_take(&text), len);
}

static void add_row(struct api_core *core, const struct api_resource *resource,
                    const struct api_object *object, const struct api_object *prev, bool deleted)
{
	char name[API_VERSION_TEXT_MAX];
	if (core->committer == NULL) {
		api_hub_set_durable(&core->hub, object->rev);
		return;
	}
	struct api_row row = {
		.rev = object->rev,
		.create_rev = object->create_rev,
		.prev_rev = prev != NULL ? prev->rev : 0,
		.deleted = deleted,
		.time_s = core->now_s,
		.cluster = xstrdup(""),
		.resource = xstrdup(api_resource_name(resource, name)),
		.namespace_ = xstrdup(object->namespace_),
		.name = xstrdup(object->name),
		.value = store_text(resource, object),
	};
	api_committer_add(core->committer, &row);
}

static struct api_object *find_current(const struct api_resource *resource, const json_t *obj)
{
	return api_index_find(&resource->index, json_str_at(obj, "metadata.namespace", ""),
	                      json_str_at(obj, "metadata.name", ""));
}

static void add_event(struct api_core *core, const struct api_resource *resource,
                      struct api_object *object, struct api_object *prev, bool deleted)
{
	struct api_event event = {.resource = resource,
	                          .object = object,
	                          .prev = prev,
	                          .deleted = deleted,
	                          .time_s = core->now_s};
	api_hub_add(&core->hub, &event);
}

struct api_object *api_core_put(struct api_core *core, struct api_resource *resource,
                                const json_t *obj)
{
	struct api_object *prev = find_current(resource, obj);
	uint64_t rev = ++core->head;
	struct api_object *object =
		api_object_create(rev, prev != NULL ? prev->create_rev : rev, obj);
	add_event(core, resource, object, prev, false);
	add_row(core, resource, object, prev, false);
	api_index_set(&resource->index, object);
	api_object_unref(object); /* the index keeps it */
	return object;
}

void api_core_remove(struct api_core *core, struct api_resource *resource, const json_t *last)
{
	struct api_object *prev = find_current(resource, last);
	if (prev == NULL)
		return;
	struct api_object *object = api_object_create(++core->head, prev->create_rev, last);
	add_event(core, resource, object, prev, true);
	add_row(core, resource, object, prev, true);
	api_index_remove(&resource->index, object->namespace_, object->name);
	api_object_unref(object);
	/* Something may have waited for this one to go. */
	core->has_chores = true;
}

/* --- loading ---------------------------------------------------------------------------------- */

static struct api_resource *resource_of(struct api_core *core, const struct api_row *row)
{
	struct api_resource *resource = map_find_text(&core->kinds.by_name, row->resource);
	if (resource != NULL)
		return resource;
	/* A custom resource whose definition comes later or is gone: its name is all that is known.
	 * The definition gives the rest. */
	struct err err;
	const char *dot = strchr(row->resource, '.');
	char *plural = dot != NULL ? xstrndup(row->resource, (size_t)(dot - row->resource))
	                           : xstrdup(row->resource);
	json_t *definition = json_pack("{s:s, s:s, s:s, s:b, s:[{s:s, s:b, s:b}]}", "group",
	                               dot != NULL ? dot + 1 : "", "plural", plural, "kind", plural,
	                               "namespaced", row->namespace_[0] != '\0', "versions", "name",
	                               "v1", "served", false, "storage", true);
	resource = api_kinds_define(&core->kinds, definition, &err);
	if (resource == NULL)
		UNREACHABLE("a placeholder for a kind is refused");
	api_kinds_hide(&core->kinds, resource);
	json_decref(definition);
	free(plural);
	return resource;
}

bool api_core_load_row(struct api_core *core, const struct api_row *row, uint64_t compacted,
                       struct err *err)
{
	struct api_resource *resource = resource_of(core, row);
	struct api_object *object = api_object_load(row->rev, row->create_rev, row->value, err);
	if (object == NULL)
		return err_wrap(err, "revision %llu", (unsigned long long)row->rev);
	struct api_object *prev =
		api_index_find(&resource->index, object->namespace_, object->name);
	core->head = row->rev;
	core->now_s = row->time_s;
	if (row->rev > compacted)
		add_event(core, resource, object, prev, row->deleted);
	if (row->deleted)
		api_index_remove(&resource->index, object->namespace_, object->name);
	else
		api_index_set(&resource->index, object);
	api_object_unref(object);
	core->hub.durable = row->rev;
	return true;
}

void api_core_set_durable(struct api_core *core, uint64_t rev)
{
	api_hub_set_durable(&core->hub, rev);
	uint64_t forgotten = api_hub_compact(&core->hub, core->now_s);
	if (forgotten > 0 && core->committer != NULL)
		api_committer_compact(core->committer, forgotten);
}

struct api_object *api_core_find_namespace(const struct api_core *core, const char *name)
{
	const struct api_resource *namespaces = api_kinds_find(&core->kinds, "", "namespaces");
	return api_index_find(&namespaces->index, "", name);
}
