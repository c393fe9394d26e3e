/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "failure.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/meta.h"

enum {
	GENERATED_NAME_TRIES = 8,
	GENERATED_PREFIX_MAX = 58
};

/* The namespace is there and takes new objects? */
static bool check_namespace(struct api_call *call, const char *name)
{
	const char *namespace_ = call->route.namespace_;
	if (!call->resource->namespaced)
		return true;
	struct api_object *object = api_core_find_namespace(call->core, namespace_);
	if (object == NULL)
		return api_fail_not_found(call->reply,
		                          api_kinds_find(&call->core->kinds, "", "namespaces"),
		                          namespace_);
	if (!api_object_is_deleting(object))
		return true;
	char *why = xasprintf("unable to create new content in namespace %s because it is being "
	                      "terminated",
	                      namespace_);
	char *message = xasprintf("namespace %s is being terminated", namespace_);
	json_t *cause = json_pack("{s:s, s:s, s:s}", "reason", "NamespaceTerminating", "message",
	                          message, "field", "metadata.namespace");
	api_fail_forbidden(call->reply, call->resource, name, why, cause);
	free(why);
	free(message);
	return false;
}

static bool is_there(const struct api_call *call, const json_t *obj)
{
	return api_index_find(&call->resource->index, kube_namespace(obj), kube_name(obj)) != NULL;
}

/* A name from generateName; a taken one is tried again with another suffix. */
static void generate_name(const struct api_call *call, json_t *obj)
{
	json_t *meta = json_object_get(obj, "metadata");
	const char *prefix = json_str_at(meta, "generateName", "");
	if (kube_name(obj)[0] != '\0' || prefix[0] == '\0')
		return;
	for (int i = 0; i < GENERATED_NAME_TRIES; i++) {
		char suffix[6];
		api_name_suffix_make(suffix);
		char *name = xasprintf("%.*s%s", GENERATED_PREFIX_MAX, prefix, suffix);
		json_object_set_new(meta, "name", json_string(name));
		free(name);
		if (!is_there(call, obj))
			return;
	}
}

static bool check_new(struct api_call *call, const json_t *obj)
{
	if (kube_resource_version(obj)[0] != '\0')
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "resourceVersion should not be set on objects to be created");
	return check_namespace(call, kube_name(obj));
}

static bool create(struct api_call *call, json_t *obj)
{
	generate_name(call, obj);
	if (!check_new(call, obj))
		return false;
	if (call->version->has_status && !call->resource->builtin)
		json_object_del(obj, "status");
	api_fill_new_meta(call, obj);
	if (!api_prepare(call, obj, NULL))
		return false;
	if (is_there(call, obj))
		return api_fail_exists(call->reply, call->resource, kube_name(obj));
	if (call->params.dry_run) {
		struct api_object *object = api_object_create(0, 0, obj);
		api_reply_object(call, 201, object, 0);
		api_object_unref(object);
		return true;
	}
	struct api_object *object = api_put(call->core, call->resource, obj, NULL);
	api_reply_object(call, 201, object, object->rev);
	return true;
}

bool api_handle_create(struct api_call *call)
{
	json_t *obj = api_decode_body(call);
	if (obj == NULL)
		return false;
	bool ok = create(call, obj);
	json_decref(obj);
	return ok;
}
