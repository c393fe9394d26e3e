/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a decoded body to an object that may be stored.
 */
#include "call.h"
#include "failure.h"
#include "meta_rules.h"
#include "strategy.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "kube/meta.h"

json_t *api_now(const struct api_core *core)
{
	char text[32];
	return json_string(clock_format_rfc3339(core->now_s, text));
}

static void fill_random(unsigned char *bytes, int n)
{
	if (RAND_bytes(bytes, n) != 1)
		UNREACHABLE("the system gives no random bytes");
}

void api_uid_make(char text[37])
{
	unsigned char b[16];
	fill_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	         b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
	         b[13], b[14], b[15]);
}

void api_name_suffix_make(char text[6])
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	unsigned char b[5];
	fill_random(b, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++)
		text[i] = alphabet[b[i] % (sizeof(alphabet) - 1)];
	text[sizeof(b)] = '\0';
}

/* --- metadata that is the server's ------------------------------------------------------------ */

static void drop_foreign(json_t *meta)
{
	static const char *const keys[] = {"managedFields", "selfLink"};
	for (size_t i = 0; i < N_ELEMS(keys); i++)
		json_object_del(meta, keys[i]);
	/* Go writes an absent map or list as null. */
	const char *key;
	void *next;
	json_t *value;
	json_object_foreach_safe (meta, next, key, value) {
		if (json_is_null(value))
			json_object_del(meta, key);
	}
}

static void keep_from_old(json_t *meta, const json_t *old)
{
	static const char *const keys[] = {
		"uid",        "creationTimestamp", "deletionTimestamp",
		"generation", "generateName",      "deletionGracePeriodSeconds"};
	const json_t *old_meta = json_object_get(old, "metadata");
	for (size_t i = 0; i < N_ELEMS(keys); i++) {
		json_t *value = json_object_get(old_meta, keys[i]);
		if (value != NULL)
			json_object_set(meta, keys[i], value);
		else
			json_object_del(meta, keys[i]);
	}
}

void api_fill_new_meta(struct api_call *call, json_t *obj)
{
	static const char *const keys[] = {"resourceVersion", "deletionTimestamp", "generation",
	                                   "deletionGracePeriodSeconds"};
	char uid[37];
	json_t *meta = json_object_get(obj, "metadata");
	for (size_t i = 0; i < N_ELEMS(keys); i++)
		json_object_del(meta, keys[i]);
	api_uid_make(uid);
	json_object_set_new(meta, "uid", json_string(uid));
	json_object_set_new(meta, "creationTimestamp", api_now(call->core));
	if (call->resource->has_generation)
		json_object_set_new(meta, "generation", json_integer(1));
}

/* --- checks ----------------------------------------------------------------------------------- */

static void check_meta_types(const struct api_core *core, const json_t *obj, json_t *causes)
{
	json_t *found = json_array();
	schema_check(core->object_meta, json_object_get(obj, "metadata"), found);
	for (size_t i = 0; i < json_array_size(found); i++) {
		json_t *cause = json_array_get(found, i);
		char *field = xasprintf("metadata.%s", json_str_at(cause, "field", ""));
		json_object_set_new(cause, "field", json_string(field));
		json_array_append(causes, cause);
		free(field);
	}
	json_decref(found);
}

/* Of a built-in kind a value of the wrong type does not even decode. */
static bool refuse_undecodable(struct api_call *call, const json_t *causes)
{
	for (size_t i = 0; i < json_array_size(causes); i++) {
		const json_t *cause = json_array_get(causes, i);
		if (strcmp(json_str_at(cause, "reason", ""), "FieldValueTypeInvalid") != 0)
			continue;
		api_fail(call->reply, ERR_BAD_REQUEST,
		         "%s in version \"%s\" cannot be handled as a %s: %s: %s",
		         call->resource->kind, call->version->name, call->resource->kind,
		         json_str_at(cause, "field", ""), json_str_at(cause, "message", ""));
		return true;
	}
	return false;
}

static bool check_size(struct api_call *call, const json_t *obj)
{
	size_t bytes = json_dumpb(obj, NULL, 0, JSON_COMPACT);
	return bytes <= API_OBJECT_MAX ||
	       api_fail(call->reply, ERR_TOO_LARGE,
	                "the object has %zu bytes, at most %d can be stored: split it", bytes,
	                API_OBJECT_MAX);
}

static bool conclude(struct api_call *call, const json_t *obj, json_t *causes)
{
	if (json_array_size(causes) == 0) {
		json_decref(causes);
		return check_size(call, obj);
	}
	if (call->resource->builtin && refuse_undecodable(call, causes)) {
		json_decref(causes);
		return false;
	}
	return api_fail_invalid(call->reply, call->resource, kube_name(obj), causes);
}

bool api_prepare(struct api_call *call, json_t *obj, const json_t *old)
{
	const struct api_strategy *strategy = call->resource->strategy;
	const struct schema *schema = call->version->schema;
	json_t *causes = json_array();
	json_t *meta = json_object_get(obj, "metadata");
	drop_foreign(meta);
	if (old != NULL)
		keep_from_old(meta, old);
	/* Types first: what follows reads fields as their types say. */
	check_meta_types(call->core, obj, causes);
	if (schema != NULL) {
		schema_set_defaults(schema, obj);
		schema_check(schema, obj, causes);
	}
	if (json_array_size(causes) == 0 || !call->resource->builtin) {
		api_meta_check(call->resource, obj, causes);
		if (old != NULL)
			api_meta_check_update(obj, old, causes);
		if (strategy != NULL && strategy->prepare != NULL)
			strategy->prepare(call->core, obj, old, causes);
	}
	return conclude(call, obj, causes);
}
