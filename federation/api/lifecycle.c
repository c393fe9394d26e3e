/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle.h"

#include "call.h"
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "kube/meta.h"

#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* --- making ----------------------------------------------------------------------------------- */

/* As a client's create would, without its checks. Nothing if it is there. Steals obj. */
static void ensure(struct api_core *core, const char *plural, json_t *obj)
{
	struct api_resource *resource = api_kinds_find(&core->kinds, "", plural);
	json_t *meta = json_object_get(obj, "metadata");
	if (api_index_find(&resource->index, kube_namespace(obj), kube_name(obj)) == NULL) {
		char uid[37];
		api_uid_make(uid);
		json_object_set_new(meta, "uid", json_string(uid));
		json_object_set_new(meta, "creationTimestamp", api_now(core));
		api_put(core, resource, obj, NULL);
	}
	json_decref(obj);
}

static void furnish(struct api_core *core, const char *namespace_)
{
	ensure(core, "serviceaccounts",
	       json_pack("{s:{s:s, s:s}}", "metadata", "name", "default", "namespace", namespace_));
	if (core->ca_pem != NULL)
		ensure(core, "configmaps",
		       json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", "kube-root-ca.crt",
		                 "namespace", namespace_, "data", "ca.crt", core->ca_pem));
}

void api_lifecycle_namespace_changed(struct api_core *core, const json_t *obj, const json_t *old)
{
	if (obj != NULL && old == NULL)
		furnish(core, kube_name(obj));
	if (obj != NULL && kube_is_deleting(obj))
		core->has_chores = true;
}

void api_lifecycle_start(struct api_core *core)
{
	static const char *const names[] = {"default", "kube-system", "kube-public",
	                                    "kube-node-lease"};
	for (size_t i = 0; i < N_ELEMS(names); i++)
		ensure(core, "namespaces",
		       json_pack("{s:{s:s, s:{s:s}}, s:{s:[s]}, s:{s:s}}", "metadata", "name",
		                 names[i], "labels", "kubernetes.io/metadata.name", names[i],
		                 "spec", "finalizers", "kubernetes", "status", "phase", "Active"));
	core->has_chores = true;
}

/* --- emptying --------------------------------------------------------------------------------- */

/* Deletes what is in the range and not yet marked; *budget goes down. True: nothing is left. */
static bool empty_resource(struct api_core *core, struct api_resource *resource,
                           const char *namespace_, int *budget)
{
	size_t first;
	size_t end;
	api_index_range(&resource->index, namespace_, &first, &end);
	if (first == end)
		return true;
	size_t n = end - first;
	struct api_object **objects = xcalloc(n, sizeof(*objects));
	for (size_t i = 0; i < n; i++)
		objects[i] = api_object_ref(resource->index.v[first + i]);
	for (size_t i = 0; i < n; i++) {
		struct api_object *marked;
		if (*budget > 0 && !api_object_is_deleting(objects[i])) {
			api_delete_object(core, resource, objects[i], &marked);
			(*budget)--;
		}
		api_object_unref(objects[i]);
	}
	free(objects);
	api_index_range(&resource->index, namespace_, &first, &end);
	return first == end;
}

static void finish_namespace(struct api_core *core, struct api_resource *namespaces,
                             struct api_object *object, int *budget)
{
	bool empty = true;
	for (struct api_resource *it = core->kinds.first; it != NULL; it = it->next) {
		if (it->namespaced && !it->is_virtual)
			empty = empty_resource(core, it, object->name, budget) && empty;
	}
	if (!empty)
		return;
	json_t *obj = api_object_decode(object, "v1", "Namespace");
	json_set_at(obj, "spec", json_object());
	if (json_array_size(json_at(obj, "metadata.finalizers")) == 0)
		api_remove(core, namespaces, obj);
	else
		api_put(core, namespaces, obj, obj);
	json_decref(obj);
}

static void finish_definition(struct api_core *core, struct api_resource *crds,
                              struct api_object *object, int *budget)
{
	json_t *obj CLEANUP(json_cleanup) =
		api_object_decode(object, "apiextensions.k8s.io/v1", "CustomResourceDefinition");
	struct api_resource *resource =
		api_kinds_find(&core->kinds, json_str_at(obj, "spec.group", ""),
	                       json_str_at(obj, "spec.names.plural", ""));
	if (resource != NULL && !empty_resource(core, resource, "", budget))
		return;
	if (!kube_finalizer_remove(obj, CRD_FINALIZER))
		return;
	if (json_array_size(json_at(obj, "metadata.finalizers")) == 0)
		api_remove(core, crds, obj);
	else
		api_put(core, crds, obj, obj);
}

/* Calls finish for every object of the resource that is being deleted. */
static void finish_all(struct api_core *core, const char *group, const char *plural,
                       void (*finish)(struct api_core *core, struct api_resource *resource,
                                      struct api_object *object, int *budget),
                       int *budget)
{
	struct api_resource *resource = api_kinds_find(&core->kinds, group, plural);
	size_t n = resource->index.n;
	struct api_object **objects = xcalloc(n + 1, sizeof(*objects));
	for (size_t i = 0; i < n; i++)
		objects[i] = api_object_ref(resource->index.v[i]);
	for (size_t i = 0; i < n; i++) {
		if (api_object_is_deleting(objects[i]))
			finish(core, resource, objects[i], budget);
		api_object_unref(objects[i]);
	}
	free(objects);
}

void api_lifecycle_step(struct api_core *core)
{
	int budget = API_CHORES_A_TURN;
	if (!core->has_chores)
		return;
	core->has_chores = false;
	finish_all(core, "apiextensions.k8s.io", "customresourcedefinitions", finish_definition,
	           &budget);
	finish_all(core, "", "namespaces", finish_namespace, &budget);
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool is_expired(struct api_object *object, int64_t now_s)
{
	const json_t *meta = api_object_meta(object);
	int64_t at_s = clock_parse_rfc3339(json_str_at(meta, "creationTimestamp", ""));
	return at_s != 0 && at_s + API_EVENT_TTL_S < now_s;
}

void api_lifecycle_expire_events(struct api_core *core)
{
	struct api_resource *events = api_kinds_find(&core->kinds, "", "events");
	for (size_t i = events->index.n; i > 0; i--) {
		struct api_object *object = api_object_ref(events->index.v[i - 1]);
		struct api_object *marked;
		if (is_expired(object, core->now_s))
			api_delete_object(core, events, object, &marked);
		api_object_unref(object);
	}
}
