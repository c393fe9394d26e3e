/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "kube/meta.h"

static json_t *find_in(const json_t *conditions, const char *type, size_t *ret_at)
{
	size_t i;
	json_t *item;

	json_array_foreach (conditions, i, item) {
		if (strcmp(json_str_at(item, "type", ""), type) == 0) {
			*ret_at = i;
			return item;
		}
	}
	return NULL;
}

const json_t *kube_condition_find(const json_t *obj, const char *type)
{
	size_t at;

	return find_in(json_at(obj, "status.conditions"), type, &at);
}

bool kube_condition_is_true(const json_t *obj, const char *type)
{
	return strcmp(json_str_at(kube_condition_find(obj, type), "status", ""), "True") == 0;
}

/* Sets the text; false if it was the same. */
static bool set_text(json_t *obj, const char *key, const char *value)
{
	const char *old = json_string_value(json_object_get(obj, key));

	if (old != NULL && strcmp(old, value) == 0)
		return false;
	json_object_set_new(obj, key, json_string(value));
	return true;
}

static bool set_generation(json_t *obj, int64_t generation)
{
	const json_t *old = json_object_get(obj, "observedGeneration");

	if (generation == 0 || (old != NULL && json_integer_value(old) == generation))
		return false;
	json_object_set_new(obj, "observedGeneration", json_integer(generation));
	return true;
}

bool kube_condition_set(json_t *conditions, const struct kube_condition *condition,
                        int64_t now_wall_s)
{
	size_t at;
	json_t *item = find_in(conditions, condition->type, &at);
	char text[32];
	bool changed = false;

	if (item == NULL) {
		item = json_object();
		json_array_append_new(conditions, item);
		changed = set_text(item, "type", condition->type);
	}
	if (set_text(item, "status", condition->status)) {
		set_text(item, "lastTransitionTime", clock_format_rfc3339(now_wall_s, text));
		changed = true;
	}
	changed |= set_text(item, "reason", condition->reason);
	changed |= set_text(item, "message", condition->message != NULL ? condition->message : "");
	changed |= set_generation(item, condition->observed_generation);
	return changed;
}

bool kube_condition_remove(json_t *conditions, const char *type)
{
	size_t at;

	if (find_in(conditions, type, &at) == NULL)
		return false;
	json_array_remove(conditions, at);
	return true;
}
