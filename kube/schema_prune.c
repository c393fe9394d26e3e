/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pruning and defaulting: both walk the object along the schema and change it in place.
 */
#include "schema_priv.h"

#include "base/buf.h"
#include "kube/schema.h"

enum {
	PRUNE_PATH_MAX = 4096
};

struct pruner {
	json_t *unknown; /* may be NULL */
	struct buf path;
};

static void prune_value(struct pruner *pruner, const struct schema *schema, json_t *value,
                        bool is_root);

static size_t enter(struct pruner *pruner, const char *key)
{
	size_t len = pruner->path.len;
	buf_printf(&pruner->path, "%s%s", len > 0 ? "." : "", key);
	return len;
}

static void leave(struct pruner *pruner, size_t len)
{
	pruner->path.len = len;
	pruner->path.failed = false;
	if (pruner->path.ptr != NULL)
		pruner->path.ptr[len] = '\0';
}

static bool is_object_key(const char *key)
{
	return strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0 ||
	       strcmp(key, "metadata") == 0;
}

static void report(struct pruner *pruner, const char *key)
{
	if (pruner->unknown == NULL)
		return;
	size_t len = enter(pruner, key);
	json_array_append_new(pruner->unknown, json_string(buf_text(&pruner->path)));
	leave(pruner, len);
}

static void prune_object(struct pruner *pruner, const struct schema *schema, json_t *obj,
                         bool is_root)
{
	const char *key;
	void *next;
	json_t *value;
	json_object_foreach_safe (obj, next, key, value) {
		if ((is_root || schema->embedded) && is_object_key(key))
			continue;
		const struct schema *child = schema_find_field(schema, key);
		if (child != NULL) {
			size_t len = enter(pruner, key);
			prune_value(pruner, child, value, false);
			leave(pruner, len);
		} else if (!schema->preserve_unknown && !schema->additional_any) {
			report(pruner, key);
			json_object_del(obj, key);
		}
	}
}

static void prune_value(struct pruner *pruner, const struct schema *schema, json_t *value,
                        bool is_root)
{
	if (json_is_object(value)) {
		prune_object(pruner, schema, value, is_root);
	} else if (json_is_array(value) && schema->items != NULL) {
		size_t at;
		json_t *item;
		json_array_foreach (value, at, item) {
			size_t len = pruner->path.len;
			buf_printf(&pruner->path, "[%zu]", at);
			prune_value(pruner, schema->items, item, false);
			leave(pruner, len);
		}
	}
}

void schema_prune(const struct schema *schema, json_t *obj, json_t *unknown)
{
	struct pruner pruner = {.unknown = unknown};
	buf_init(&pruner.path, PRUNE_PATH_MAX);
	prune_value(&pruner, schema, obj, true);
	buf_fini(&pruner.path);
}

/* --- defaults --------------------------------------------------------------------------------- */

static void default_property(json_t *obj, const char *key, const struct schema *child)
{
	json_t *value = json_object_get(obj, key);
	if (child->default_value == NULL)
		return;
	if (value == NULL || (json_is_null(value) && !child->nullable))
		json_object_set_new(obj, key, json_deep_copy(child->default_value));
}

static void default_object(const struct schema *schema, json_t *obj)
{
	map_for_each (it, &schema->properties) {
		/* The map's copy of a key has a NUL behind it. */
		const char *key = map_key(it).ptr;
		const struct schema *child = map_value(it);
		default_property(obj, key, child);
		json_t *value = json_object_get(obj, key);
		if (value != NULL)
			schema_set_defaults(child, value);
	}
	if (schema->additional == NULL)
		return;
	const char *key;
	json_t *value;
	json_object_foreach (obj, key, value) {
		if (map_find_text(&schema->properties, key) == NULL)
			schema_set_defaults(schema->additional, value);
	}
}

void schema_set_defaults(const struct schema *schema, json_t *obj)
{
	if (json_is_object(obj)) {
		default_object(schema, obj);
	} else if (json_is_array(obj) && schema->items != NULL) {
		size_t at;
		json_t *item;
		json_array_foreach (obj, at, item) {
			if (json_is_null(item) && !schema->items->nullable &&
			    schema->items->default_value != NULL)
				json_array_set_new(obj, at,
				                   json_deep_copy(schema->items->default_value));
			else
				schema_set_defaults(schema->items, item);
		}
	}
}
