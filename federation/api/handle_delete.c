/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "failure.h"
#include "lifecycle.h"
#include "watcher.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/meta.h"

/* --- one object ------------------------------------------------------------------------------- */

static void mark(struct api_core *core, const struct api_resource *resource, json_t *obj)
{
	json_t *meta = json_object_get(obj, "metadata");
	json_object_set_new(meta, "deletionTimestamp", api_now(core));
	if (strcmp(resource->kind, "Namespace") == 0)
		json_set_at(obj, "status.phase", json_string("Terminating"));
	else
		json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(0));
	if (resource->has_generation)
		json_object_set_new(meta, "generation", json_integer(kube_generation(obj) + 1));
}

static bool is_held(const struct api_resource *resource, const json_t *obj)
{
	return json_array_size(json_at(obj, "metadata.finalizers")) > 0 ||
	       (strcmp(resource->kind, "Namespace") == 0 &&
	        json_array_size(json_at(obj, "spec.finalizers")) > 0);
}

void api_delete_object(struct api_core *core, struct api_resource *resource,
                       struct api_object *object, struct api_object **ret_object)
{
	char group_version[API_VERSION_TEXT_MAX];
	api_group_version(resource->group, api_resource_storage(resource)->name, group_version);
	json_t *obj = api_object_decode(object, group_version, resource->kind);
	*ret_object = NULL;
	if (!is_held(resource, obj)) {
		api_remove(core, resource, obj);
	} else if (kube_is_deleting(obj)) {
		*ret_object = object;
	} else {
		json_t *old = json_deep_copy(obj);
		mark(core, resource, obj);
		*ret_object = api_put(core, resource, obj, old);
		json_decref(old);
	}
	json_decref(obj);
}

/* --- options: in the body or in the query ----------------------------------------------------- */

struct delete_options {
	const char *uid;
	const char *rev;
};

static bool check_propagation(struct api_call *call, const char *policy)
{
	/* Owner references are not followed (yet): Foreground and Orphan would wait for a collector
	 * that is not there, so they delete as Background does. */
	if (policy[0] == '\0' || strcmp(policy, "Background") == 0 ||
	    strcmp(policy, "Foreground") == 0 || strcmp(policy, "Orphan") == 0)
		return true;
	char *message = xasprintf("Unsupported value: \"%s\": supported values: \"Foreground\", "
	                          "\"Background\", \"Orphan\", \"nil\"",
	                          policy);
	api_fail_options(call->reply, "DeleteOptions", "propagationPolicy",
	                 "FieldValueNotSupported", message);
	free(message);
	return false;
}

/* body: the parsed options, or NULL; texts are borrowed from it. */
static bool read_options(struct api_call *call, const json_t *body, struct delete_options *options)
{
	const char *dry_run = json_string_value(json_array_get(json_object_get(body, "dryRun"), 0));
	if (dry_run != NULL && strcmp(dry_run, "All") == 0)
		call->params.dry_run = true;
	options->uid = json_str_at(body, "preconditions.uid", "");
	options->rev = json_str_at(body, "preconditions.resourceVersion", "");
	return check_propagation(call,
	                         json_str_at(body, "propagationPolicy", call->params.propagation));
}

static bool parse_options(struct api_call *call, json_t **ret_body)
{
	*ret_body = NULL;
	if (str_trim(call->request->body).len == 0)
		return true;
	*ret_body = api_parse_body(call);
	return *ret_body != NULL;
}

static bool check_preconditions(struct api_call *call, struct api_object *object,
                                const struct delete_options *options)
{
	char rev[24];
	char *why = NULL;
	snprintf(rev, sizeof(rev), "%llu", (unsigned long long)object->rev);
	if (options->uid[0] != '\0' && strcmp(options->uid, api_object_uid(object)) != 0)
		why = xasprintf("the UID in the precondition (%s) does not match the UID in record "
		                "(%s). The object might have been deleted and then recreated",
		                options->uid, api_object_uid(object));
	else if (options->rev[0] != '\0' && strcmp(options->rev, rev) != 0)
		why = xasprintf(
			"the ResourceVersion in the precondition (%s) does not match the "
			"ResourceVersion in record (%s). The object might have been modified",
			options->rev, rev);
	if (why == NULL)
		return true;
	api_fail_conflict(call->reply, call->resource, object->name, why);
	free(why);
	return false;
}

static bool is_protected(const struct api_call *call)
{
	const char *name = call->route.name;
	return call->resource->builtin && strcmp(call->resource->kind, "Namespace") == 0 &&
	       (strcmp(name, "default") == 0 || strcmp(name, "kube-system") == 0 ||
	        strcmp(name, "kube-public") == 0);
}

static bool delete_one(struct api_call *call, struct api_object *object,
                       const struct delete_options *options)
{
	struct api_object *marked = NULL;
	if (!check_preconditions(call, object, options))
		return false;
	if (is_protected(call))
		return api_fail_forbidden(call->reply, call->resource, object->name,
		                          "this namespace may not be deleted", NULL);
	api_object_ref(object);
	if (!call->params.dry_run)
		api_delete_object(call->core, call->resource, object, &marked);
	if (marked != NULL)
		api_reply_object(call, 200, marked, marked->rev);
	else
		api_reply_deleted(call->reply, call->resource, object->name,
		                  api_object_uid(object));
	api_object_unref(object);
	return true;
}

bool api_handle_delete(struct api_call *call)
{
	struct delete_options options;
	json_t *body;
	if (!parse_options(call, &body))
		return false;
	struct api_object *object = NULL;
	if (read_options(call, body, &options))
		object = api_find_object(call);
	bool ok = object != NULL && delete_one(call, object, &options);
	json_decref(body);
	return ok;
}

/* --- a collection ----------------------------------------------------------------------------- */

static size_t select_objects(struct api_call *call, struct api_object ***ret_objects)
{
	struct api_encoder encoder;
	size_t first;
	size_t end;
	size_t n = 0;
	api_encoder_init(&encoder, call->resource, call->version, API_FORM_OBJECT);
	api_index_range(&call->resource->index, call->route.namespace_, &first, &end);
	*ret_objects = xcalloc(end - first + 1, sizeof(**ret_objects));
	for (size_t i = first; i < end; i++) {
		struct api_object *object = call->resource->index.v[i];
		if (api_selects(&encoder, object, "", &call->params.labels, &call->params.fields))
			(*ret_objects)[n++] = api_object_ref(object);
	}
	return n;
}

bool api_handle_delete_collection(struct api_call *call)
{
	struct delete_options options;
	json_t *body;
	if (!parse_options(call, &body))
		return false;
	bool ok = read_options(call, body, &options);
	json_decref(body);
	if (!ok)
		return false;
	struct api_object **objects;
	size_t n = select_objects(call, &objects);
	struct api_encoder encoder;
	struct api_list_meta meta = {.rev = call->core->head};
	api_encoder_init(&encoder, call->resource, call->version, API_FORM_OBJECT);
	api_encode_list(&encoder, objects, n, &meta, &call->reply->body);
	for (size_t i = 0; i < n; i++) {
		struct api_object *marked;
		if (!call->params.dry_run)
			api_delete_object(call->core, call->resource, objects[i], &marked);
		api_object_unref(objects[i]);
	}
	free(objects);
	return true;
}
