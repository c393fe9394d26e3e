/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "failure.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/meta.h"
#include "kube/patch.h"
#include "kube/status.h"

/* --- what must agree with the current state --------------------------------------------------- */

static bool check_preconditions(struct api_call *call, const json_t *obj, const json_t *old)
{
	const char *rev = kube_resource_version(obj);
	const char *uid = kube_uid(obj);
	if (rev[0] != '\0' && strcmp(rev, kube_resource_version(old)) != 0)
		return api_fail_modified(call->reply, call->resource, call->route.name);
	if (uid[0] == '\0' || strcmp(uid, kube_uid(old)) == 0)
		return true;
	char *why =
		xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s",
	                  uid, kube_uid(old));
	api_fail_conflict(call->reply, call->resource, call->route.name, why);
	free(why);
	return false;
}

/* Custom resources do not take an update that says nothing about what it replaces. */
static bool check_has_rev(struct api_call *call, const json_t *obj)
{
	if (call->resource->builtin || kube_resource_version(obj)[0] != '\0')
		return true;
	json_t *causes = json_array();
	kube_status_add_cause(causes, "FieldValueInvalid", "metadata.resourceVersion",
	                      "Invalid value: 0x0: must be specified for an update");
	return api_fail_invalid(call->reply, call->resource, call->route.name, causes);
}

/* --- the parts that an endpoint may change ---------------------------------------------------- */

static void copy_field(json_t *obj, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);
	if (value != NULL)
		json_object_set(obj, key, value);
	else
		json_object_del(obj, key);
}

/* /status: status counts, all else is as it was (labels and annotations of built-ins may come
 * along). */
static json_t *only_status(const struct api_call *call, const json_t *obj, const json_t *old)
{
	json_t *result = json_deep_copy(old);
	copy_field(result, obj, "status");
	if (call->resource->builtin) {
		const json_t *meta = json_object_get(obj, "metadata");
		copy_field(json_object_get(result, "metadata"), meta, "labels");
		copy_field(json_object_get(result, "metadata"), meta, "annotations");
	}
	return result;
}

/* Steals obj. */
static json_t *restrict_to_endpoint(const struct api_call *call, json_t *obj, const json_t *old)
{
	if (strcmp(call->route.subresource, "status") == 0) {
		json_t *result = only_status(call, obj, old);
		json_decref(obj);
		return result;
	}
	if (call->version->has_status)
		copy_field(obj, old, "status");
	return obj;
}

/* Steals obj. */
static bool apply(struct api_call *call, json_t *obj, const json_t *old)
{
	if (!check_preconditions(call, obj, old)) {
		json_decref(obj);
		return false;
	}
	obj = restrict_to_endpoint(call, obj, old);
	bool ok = api_prepare(call, obj, old) && api_commit_update(call, obj, old);
	json_decref(obj);
	return ok;
}

bool api_handle_update(struct api_call *call)
{
	json_t *obj = api_decode_body(call);
	if (obj == NULL)
		return false;
	struct api_object *current = api_find_object(call);
	if (current == NULL || !check_has_rev(call, obj)) {
		json_decref(obj);
		return false;
	}
	json_t *old = api_decode_object(call, current);
	bool ok = apply(call, obj, old);
	json_decref(old);
	return ok;
}

/* --- PATCH ------------------------------------------------------------------------------------ */

static bool refuse_patch_media(struct api_call *call)
{
	return api_fail_media(call->reply, call->resource->builtin
	                                           ? "application/merge-patch+json, "
	                                             "application/strategic-merge-patch+json"
	                                           : "application/merge-patch+json");
}

static json_t *parse_patch(struct api_call *call)
{
	struct err err;
	json_t *patch = json_parse(call->request->body, &err);
	if (patch == NULL) {
		api_fail(call->reply, ERR_BAD_REQUEST, "error decoding patch: %s", err.msg);
		return NULL;
	}
	if (json_is_object(patch))
		return patch;
	json_decref(patch);
	api_fail(call->reply, ERR_BAD_REQUEST, "error decoding patch: it must be a JSON object");
	return NULL;
}

/* The patch alone, against the schema of metadata and kind: a merge key's strategy. */
static json_t *merge_strategic(struct api_call *call, const json_t *old, json_t *patch)
{
	struct err err;
	json_t *meta_patch = json_incref(json_object_get(patch, "metadata"));
	json_t *meta = NULL;
	if (json_is_object(meta_patch)) {
		meta = patch_strategic(json_object_get(old, "metadata"), meta_patch,
		                       call->core->object_meta, &err);
		if (meta == NULL) {
			json_decref(meta_patch);
			api_fail_err(call->reply, &err);
			return NULL;
		}
		json_object_del(patch, "metadata");
	}
	json_decref(meta_patch);
	json_t *result = patch_strategic(old, patch, call->version->schema, &err);
	if (result == NULL)
		api_fail_err(call->reply, &err);
	else if (meta != NULL)
		json_object_set(result, "metadata", meta);
	json_decref(meta);
	return result;
}

static json_t *merge(struct api_call *call, enum api_media media, const json_t *old, json_t *patch)
{
	if (media == API_MEDIA_STRATEGIC_PATCH)
		return merge_strategic(call, old, patch);
	return patch_merge(old, patch);
}

static bool check_patched(struct api_call *call, const json_t *obj, const json_t *old)
{
	const char *name = kube_name(obj);
	if (!json_is_object(json_object_get(obj, "metadata")))
		return api_fail(call->reply, ERR_BAD_REQUEST, "metadata must be an object");
	if (strcmp(name, call->route.name) != 0)
		return api_fail(
			call->reply, ERR_BAD_REQUEST,
			"the name of the object (%s) does not match the name on the URL (%s)", name,
			call->route.name);
	if (strcmp(kube_namespace(obj), kube_namespace(old)) != 0)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "the namespace of the provided object does not match the namespace "
		                "sent on the request");
	if (strcmp(kube_uid(obj), kube_uid(old)) == 0)
		return true;
	json_t *causes = json_array();
	char *message = xasprintf("Invalid value: \"%s\": field is immutable", kube_uid(obj));
	kube_status_add_cause(causes, "FieldValueInvalid", "metadata.uid", message);
	free(message);
	return api_fail_invalid(call->reply, call->resource, call->route.name, causes);
}

static bool patch_object(struct api_call *call, enum api_media media, const json_t *old,
                         json_t *patch)
{
	json_t *obj = merge(call, media, old, patch);
	if (obj == NULL)
		return false;
	if (!check_patched(call, obj, old) || !api_prune(call, obj, NULL)) {
		json_decref(obj);
		return false;
	}
	return apply(call, obj, old);
}

bool api_handle_patch(struct api_call *call)
{
	enum api_media media = api_media_parse(call->request->content_type);
	if (media != API_MEDIA_MERGE_PATCH &&
	    (media != API_MEDIA_STRATEGIC_PATCH || !call->resource->builtin))
		return refuse_patch_media(call);
	if (call->params.force)
		return api_fail_options(call->reply, "PatchOptions", "force", "FieldValueForbidden",
		                        "Forbidden: may not be specified for non-apply patch");
	json_t *patch = parse_patch(call);
	struct api_object *current = patch != NULL ? api_find_object(call) : NULL;
	bool ok = false;
	if (current != NULL) {
		json_t *old = api_decode_object(call, current);
		ok = patch_object(call, media, old, patch);
		json_decref(old);
	}
	json_decref(patch);
	return ok;
}
