/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/patch.h"

/* What a patch value becomes where the target has nothing: nulls are dropped. */
static json_t *without_nulls(const json_t *patch)
{
	if (!json_is_object(patch))
		return json_deep_copy(patch);
	json_t *result = json_object();
	const char *key;
	json_t *value;
	json_t *fields = json_copy((json_t *)(uintptr_t)patch);
	json_object_foreach (fields, key, value) {
		if (!json_is_null(value))
			json_object_set_new(result, key, without_nulls(value));
	}
	json_decref(fields);
	return result;
}

json_t *patch_merge(const json_t *target, const json_t *patch)
{
	if (!json_is_object(patch))
		return json_deep_copy(patch);
	if (!json_is_object(target))
		return without_nulls(patch);
	json_t *result = json_deep_copy(target);
	json_t *fields = json_copy((json_t *)(uintptr_t)patch);
	const char *key;
	json_t *value;
	json_object_foreach (fields, key, value) {
		if (json_is_null(value))
			json_object_del(result, key);
		else
			json_object_set_new(result, key,
			                    patch_merge(json_object_get(target, key), value));
	}
	json_decref(fields);
	return result;
}

static void diff_field(json_t *result, const char *key, const json_t *source, const json_t *target)
{
	if (source != NULL && json_equal(source, target))
		return;
	if (json_is_object(source) && json_is_object(target))
		json_object_set_new(result, key, patch_diff(source, target));
	else
		json_object_set_new(result, key, json_deep_copy(target));
}

json_t *patch_diff(const json_t *source, const json_t *target)
{
	json_t *result = json_object();
	json_t *old = json_copy((json_t *)(uintptr_t)source);
	json_t *new = json_copy((json_t *)(uintptr_t)target);
	const char *key;
	json_t *value;
	json_object_foreach (old, key, value) {
		if (json_object_get(new, key) == NULL)
			json_object_set_new(result, key, json_null());
	}
	json_object_foreach (new, key, value) {
		diff_field(result, key, json_object_get(old, key), value);
	}
	json_decref(old);
	json_decref(new);
	return result;
}
