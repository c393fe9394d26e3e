/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common end of every write.
 */
#include "call.h"
#include "failure.h"
#include "strategy.h"

#include <string.h>

#include "base/alloc.h"
#include "kube/meta.h"

struct api_object *api_find_object(struct api_call *call)
{
	struct api_object *object = api_index_find(
		&call->resource->index, call->resource->namespaced ? call->route.namespace_ : "",
		call->route.name);
	if (object == NULL)
		api_fail_not_found(call->reply, call->resource, call->route.name);
	return object;
}

json_t *api_decode_object(const struct api_call *call, const struct api_object *object)
{
	return api_object_decode(object, call->group_version, call->resource->kind);
}

void api_reply_object(struct api_call *call, int status, const struct api_object *object,
                      uint64_t rev)
{
	struct api_encoder encoder;
	api_encoder_init(&encoder, call->resource, call->version, call->accept.form);
	encoder.include = api_include_parse(call->params.include_object);
	encoder.now_s = call->core->now_s;
	call->reply->status = status;
	api_encode_object(&encoder, object, rev, true, &call->reply->body);
	buf_add_char(&call->reply->body, '\n');
}

struct api_object *api_put(struct api_core *core, struct api_resource *resource, json_t *obj,
                           const json_t *old)
{
	const struct api_strategy *strategy = resource->strategy;
	struct api_object *object = api_object_ref(api_core_put(core, resource, obj));
	if (strategy != NULL && strategy->changed != NULL)
		strategy->changed(core, obj, old);
	/* What followed may have replaced it; the index or history still holds a reference. */
	api_object_unref(object);
	return object;
}

void api_remove(struct api_core *core, struct api_resource *resource, const json_t *last)
{
	const struct api_strategy *strategy = resource->strategy;
	api_core_remove(core, resource, last);
	if (strategy != NULL && strategy->changed != NULL)
		strategy->changed(core, NULL, last);
}

/* --- taking an update into force -------------------------------------------------------------- */

static bool is_outside_generation(const struct api_call *call, const char *key)
{
	return strcmp(key, "metadata") == 0 || strcmp(key, "apiVersion") == 0 ||
	       strcmp(key, "kind") == 0 ||
	       (call->version->has_status && strcmp(key, "status") == 0);
}

static bool has_new_key(const struct api_call *call, json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;
	json_object_foreach (a, key, value) {
		if (is_outside_generation(call, key))
			continue;
		const json_t *other = json_object_get(b, key);
		if (other == NULL || !json_equal(value, other))
			return true;
	}
	return false;
}

static void bump_generation(const struct api_call *call, json_t *obj, const json_t *old)
{
	if (!call->resource->has_generation)
		return;
	json_t *copy = json_copy((json_t *)(uintptr_t)old);
	if (has_new_key(call, obj, old) || has_new_key(call, copy, obj))
		json_set_at(obj, "metadata.generation", json_integer(kube_generation(old) + 1));
	json_decref(copy);
}

/* Held by nothing any more, and to be deleted? */
static bool is_released(const struct api_call *call, const json_t *obj)
{
	if (!kube_is_deleting(obj) || json_array_size(json_at(obj, "metadata.finalizers")) > 0)
		return false;
	return strcmp(call->resource->kind, "Namespace") != 0 ||
	       json_array_size(json_at(obj, "spec.finalizers")) == 0;
}

static bool is_same(const json_t *obj, const json_t *old)
{
	json_object_del(json_object_get(obj, "metadata"), "resourceVersion");
	json_t *copy = json_deep_copy(old);
	json_object_del(json_object_get(copy, "metadata"), "resourceVersion");
	bool same = json_equal(obj, copy);
	json_decref(copy);
	return same;
}

/* An answer that shows obj under the revision of the current state. */
static void reply_unstored(struct api_call *call, const json_t *obj, uint64_t rev)
{
	struct api_object *object = api_object_create(rev, rev, obj);
	api_reply_object(call, 200, object, rev);
	api_object_unref(object);
}

bool api_commit_update(struct api_call *call, json_t *obj, const json_t *old)
{
	struct api_object *current = api_find_object(call);
	if (current == NULL)
		return false;
	uint64_t rev = current->rev;
	bump_generation(call, obj, old);
	if (is_released(call, obj)) {
		reply_unstored(call, obj, rev);
		if (!call->params.dry_run)
			api_remove(call->core, call->resource, obj);
	} else if (is_same(obj, old)) {
		api_reply_object(call, 200, current, rev);
	} else if (call->params.dry_run) {
		reply_unstored(call, obj, rev);
	} else {
		struct api_object *object = api_put(call->core, call->resource, obj, old);
		api_reply_object(call, 200, object, object->rev);
	}
	return true;
}
