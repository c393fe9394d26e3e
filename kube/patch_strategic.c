/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps are merged key by key; a list is merged by its merge key, by value (a set), or replaced.
 * Everything works on deep copies, so the inputs stay as they were.
 */
#include <string.h>

#include "base/macros.h"
#include "kube/patch.h"

#define ORDER_PREFIX  "$setElementOrder/"
#define DELETE_PREFIX "$deleteFromPrimitiveList/"

static bool merge_map(json_t *target, json_t *patch, const struct schema *schema, struct err *err);

static bool has_prefix(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* A patch value for which the target has no counterpart: directives and nulls are for nobody. */
static json_t *without_directives(json_t *patch)
{
	json_t *result;
	if (json_is_object(patch)) {
		const char *key;
		json_t *value;
		result = json_object();
		json_object_foreach (patch, key, value) {
			if (key[0] != '$' && !json_is_null(value))
				json_object_set_new(result, key, without_directives(value));
		}
		return result;
	}
	if (!json_is_array(patch))
		return json_deep_copy(patch);
	size_t at;
	json_t *item;
	result = json_array();
	json_array_foreach (patch, at, item) {
		if (!json_is_object(item) || json_object_get(item, "$patch") == NULL)
			json_array_append_new(result, without_directives(item));
	}
	return result;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Index of the element that item means, or -1. key NULL: by value. */
static ssize_t find_item(const json_t *list, const char *key, const json_t *item)
{
	size_t at;
	json_t *other;
	const json_t *want = key != NULL ? json_object_get(item, key) : item;
	if (want == NULL)
		return -1;
	json_array_foreach ((json_t *)(uintptr_t)list, at, other) {
		const json_t *have = key != NULL ? json_object_get(other, key) : other;
		if (have != NULL && json_equal(have, want))
			return (ssize_t)at;
	}
	return -1;
}

static bool merge_item(json_t *target, json_t *item, const char *key, const struct schema *schema,
                       struct err *err)
{
	const char *directive = json_string_value(json_object_get(item, "$patch"));
	if (json_object_get(item, key) == NULL)
		return err_set(err, ERR_BAD_REQUEST,
		               "map: %s does not contain declared merge key: %s",
		               directive != NULL ? directive : "element", key);
	ssize_t at = find_item(target, key, item);
	if (directive != NULL && strcmp(directive, "delete") == 0) {
		for (; at >= 0; at = find_item(target, key, item))
			json_array_remove(target, (size_t)at);
		return true;
	}
	if (at >= 0)
		return merge_map(json_array_get(target, (size_t)at), item, schema, err);
	json_array_append_new(target, without_directives(item));
	return true;
}

static bool is_replace(json_t *patch)
{
	size_t at;
	json_t *item;
	json_array_foreach (patch, at, item) {
		const char *directive = json_string_value(json_object_get(item, "$patch"));
		if (directive != NULL && strcmp(directive, "replace") == 0)
			return true;
	}
	return false;
}

static bool merge_list(json_t *target, json_t *patch, const struct schema *schema, struct err *err)
{
	const char *key = schema_find_merge_key(schema);
	size_t at;
	json_t *item;
	json_array_foreach (patch, at, item) {
		if (key != NULL) {
			if (!merge_item(target, item, key, schema_find_items(schema), err))
				return false;
		} else if (find_item(target, NULL, item) < 0) {
			json_array_append(target, item);
		}
	}
	return true;
}

static void delete_values(json_t *list, const json_t *values)
{
	size_t at;
	json_t *value;
	json_array_foreach ((json_t *)(uintptr_t)values, at, value) {
		ssize_t found;
		while ((found = find_item(list, NULL, value)) >= 0)
			json_array_remove(list, (size_t)found);
	}
}

/*
 * Puts the elements that order names in its order. Those that only the server has keep their place
 * relative to the elements that stood beside them.
 */
static void set_order(json_t *list, const json_t *order, const char *key)
{
	json_t *result = json_array();
	json_t *old = json_copy(list);
	size_t next_old = 0;
	size_t n_old = json_array_size(old);
	size_t at;
	json_t *wanted;
	json_array_foreach ((json_t *)(uintptr_t)order, at, wanted) {
		ssize_t found = find_item(old, key, wanted);
		if (found < 0)
			continue;
		for (; next_old < n_old && (ssize_t)next_old < found; next_old++) {
			json_t *item = json_array_get(old, next_old);
			if (find_item(order, key, item) < 0)
				json_array_append(result, item);
		}
		json_array_append(result, json_array_get(old, (size_t)found));
	}
	for (; next_old < n_old; next_old++) {
		json_t *item = json_array_get(old, next_old);
		if (find_item(order, key, item) < 0)
			json_array_append(result, item);
	}
	json_array_clear(list);
	json_array_extend(list, result);
	json_decref(old);
	json_decref(result);
}

/* --- maps ------------------------------------------------------------------------------------- */

static bool merge_field(json_t *target, const char *key, json_t *value, const struct schema *schema,
                        struct err *err)
{
	json_t *have = json_object_get(target, key);
	if (json_is_null(value)) {
		json_object_del(target, key);
		return true;
	}
	if (json_is_object(have) && json_is_object(value))
		return merge_map(have, value, schema, err);
	bool merges = schema_find_merge_key(schema) != NULL || schema_is_patch_merge(schema);
	if (json_is_array(have) && json_is_array(value) && merges && !is_replace(value))
		return merge_list(have, value, schema, err);
	json_object_set_new(target, key, without_directives(value));
	return true;
}

static void retain_keys(json_t *target, const json_t *keys)
{
	const char *key;
	void *next;
	json_t *value;
	json_object_foreach_safe (target, next, key, value) {
		json_t *name = json_string(key);
		if (find_item(keys, NULL, name) < 0)
			json_object_del(target, key);
		json_decref(name);
	}
}

/* Directives that need the merged list: deletions, then order. */
static void apply_list_directives(json_t *target, json_t *patch, const struct schema *schema)
{
	const char *key;
	json_t *value;
	json_object_foreach (patch, key, value) {
		if (has_prefix(key, DELETE_PREFIX))
			delete_values(json_object_get(target, key + strlen(DELETE_PREFIX)), value);
	}
	json_object_foreach (patch, key, value) {
		if (!has_prefix(key, ORDER_PREFIX))
			continue;
		const char *name = key + strlen(ORDER_PREFIX);
		json_t *list = json_object_get(target, name);
		if (list != NULL)
			set_order(list, value,
			          schema_find_merge_key(schema_find_field(schema, name)));
	}
}

static bool merge_map(json_t *target, json_t *patch, const struct schema *schema, struct err *err)
{
	const char *directive = json_string_value(json_object_get(patch, "$patch"));
	if (directive != NULL && strcmp(directive, "merge") != 0) {
		bool replaces = strcmp(directive, "replace") == 0;
		if (!replaces && strcmp(directive, "delete") != 0)
			return err_set(err, ERR_BAD_REQUEST, "unknown patch type found: %s",
			               directive);
		json_object_clear(target);
		json_t *content = without_directives(patch);
		if (replaces)
			json_object_update(target, content);
		json_decref(content);
		return true;
	}
	const char *key;
	json_t *value;
	json_object_foreach (patch, key, value) {
		if (key[0] != '$' &&
		    !merge_field(target, key, value, schema_find_field(schema, key), err))
			return false;
	}
	if (json_is_array(json_object_get(patch, "$retainKeys")))
		retain_keys(target, json_object_get(patch, "$retainKeys"));
	apply_list_directives(target, patch, schema);
	return true;
}

json_t *patch_strategic(const json_t *target, const json_t *patch, const struct schema *schema,
                        struct err *err)
{
	if (!json_is_object(target) || !json_is_object(patch)) {
		IGNORE(err_set(err, ERR_BAD_REQUEST, "a strategic merge patch must be an object"));
		return NULL;
	}
	json_t *result = json_deep_copy(target);
	json_t *copy = json_deep_copy(patch);
	bool ok = merge_map(result, copy, schema, err);
	json_decref(copy);
	if (ok)
		return result;
	json_decref(result);
	return NULL;
}
