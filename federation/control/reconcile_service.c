/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One MeshService per service of the mesh: made, its status kept, deleted when no member has the
 * service any more. Counts are written at most every five seconds.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "model/service_status.h"

struct service_pace {
	int64_t written_ms;
};

/* Partial knowledge deletes nothing. Of a member that is lost, what it had is known. */
static bool all_complete(const struct control *control)
{
	map_for_each (it, &control->world.members) {
		const struct member *member = map_value(it);
		if (!member->complete && !member->lost && !member->spec.paused &&
		    member->clash == NULL)
			return false;
	}
	return true;
}

struct making {
	struct control *control;
	char *key;
	bool has_namespace;
};

static void make_step(struct making *making);

static void on_made(json_t *answer, const struct err *err, void *arg)
{
	struct making *making = arg;
	(void)answer;
	if (err == NULL && !making->has_namespace) {
		making->has_namespace = true;
		make_step(making);
		return;
	}
	map_remove(&making->control->making, str_from(making->key));
	if (err != NULL) {
		log_warn("control", "MeshService '%s' not made: %s", making->key, err->msg);
		control_enqueue(making->control, KIND_SERVICE, making->key, CONTROL_RETRY_MS);
	}
	free(making->key);
	free(making);
}

static void on_namespace_made(json_t *answer, const struct err *err, void *arg)
{
	on_made(answer, err != NULL && err->code == ERR_EXISTS ? NULL : err, arg);
}

/* Its namespace first, which users of the hosted side may not have. */
static void make_step(struct making *making)
{
	struct str ns;
	struct str name;
	kube_key_split(str_from(making->key), &ns, &name);
	char *ns_text = str_dup(ns);
	char *name_text = str_dup(name);
	json_t *labels = json_pack("{ss}", CONTROL_MANAGED_BY, "fedway");
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = ns_text};
	json_t *obj;
	if (making->has_namespace) {
		ref = (struct kube_ref){.resource = &control_resources[KIND_SERVICE],
		                        .namespace_ = ns_text,
		                        .name = name_text};
		obj = json_pack("{ss ss s{ss ss so}}", "apiVersion", "fedway.io/v1alpha1", "kind",
		                "MeshService", "metadata", "name", name_text, "namespace", ns_text,
		                "labels", labels);
		kube_client_apply(making->control->api, &ref, obj, on_made, making);
	} else {
		obj = json_pack("{ss ss s{ss so}}", "apiVersion", "v1", "kind", "Namespace",
		                "metadata", "name", ns_text, "labels", labels);
		/* one that is there stays as it is */
		kube_client_create_object(making->control->api, &ref, obj, on_namespace_made,
		                          making);
	}
	json_decref(obj);
	free(ns_text);
	free(name_text);
}

static void make(struct control *control, const char *key)
{
	if (map_find_text(&control->making, key) != NULL)
		return;
	struct making *making = xcalloc(1, sizeof(*making));
	making->control = control;
	making->key = xstrdup(key);
	map_set(&control->making, str_from(key), making);
	make_step(making);
}

static void on_removed(json_t *answer, const struct err *err, void *arg)
{
	(void)answer;
	(void)arg;
	if (err != NULL && err->code != ERR_NOT_FOUND)
		log_warn("control", "MeshService not deleted: %s", err->msg);
}

/* In_ms until the next write is due; 0 now. */
static int64_t pace(struct control *control, const char *key)
{
	int64_t now_ms = loop_now_ms(control->loop);
	struct service_pace *have = map_find_text(&control->service_written, key);
	if (have != NULL && now_ms - have->written_ms < CONTROL_SERVICE_MS)
		return have->written_ms + CONTROL_SERVICE_MS - now_ms;
	if (have == NULL) {
		have = xcalloc(1, sizeof(*have));
		map_set(&control->service_written, str_from(key), have);
	}
	have->written_ms = now_ms;
	return 0;
}

static bool differs(const json_t *status, const json_t *obj)
{
	json_t *nothing = json_object();
	const json_t *have = json_object_get(obj, "status");
	json_t *diff = kube_apply_diff(status, have != NULL ? have : nothing);
	json_decref(nothing);
	bool any = diff != NULL;
	json_decref(diff);
	return any;
}

void control_reconcile_service(struct control *control, const char *key)
{
	const json_t *obj = control_object(control, KIND_SERVICE, key);
	if (obj != NULL && status_service_is_lost(obj, &control->world))
		return;
	const struct mesh_service *service =
		control->mesh != NULL ? mesh_find_service(control->mesh, key) : NULL;
	if (service == NULL || !service_has_status(service)) {
		if (obj != NULL && control->mesh != NULL && all_complete(control)) {
			struct kube_ref ref = control_ref(KIND_SERVICE, obj);
			kube_client_delete(control->api, &ref, NULL, on_removed, NULL);
			free(map_remove(&control->service_written, str_from(key)));
		}
		return;
	}
	if (obj == NULL) {
		make(control, key);
		return;
	}
	json_t *status = status_service(obj, control->mesh, service, control_now(control));
	if (!differs(status, obj)) {
		json_decref(status);
		return;
	}
	int64_t wait_ms = pace(control, key);
	if (wait_ms > 0) {
		json_decref(status);
		control_enqueue(control, KIND_SERVICE, key, wait_ms);
		return;
	}
	control_write_status(control, KIND_SERVICE, obj, status);
}

static void drop_making(void *value)
{
	struct making *making = value;
	free(making->key);
	free(making);
}

void control_services_fini(struct control *control)
{
	map_fini(&control->service_written, free);
	map_fini(&control->making, drop_making);
}
