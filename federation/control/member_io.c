/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member's client and what is made in it: objects are applied one after the other, and again
 * when what is wanted has changed. Cleaning deletes the same kinds by their label, the namespace
 * last and only if it is ours and nothing foreign is left in it.
 */
#include "control_priv.h"
#include "member_objects.h"

#include "base/alloc.h"
#include "base/log.h"

struct member_work {
	struct control *control;
	char *cluster;
	struct kube_client *client;
	struct kube_call *call; /* one at a time */
	json_t *wanted;         /* what is being applied, or was */
	size_t next;
	struct loop_timer retry;
	/* cleaning */
	bool cleaning;
	bool clean;
	json_t *doomed; /* array of objects still to delete */
	size_t kind;    /* which kind is being listed */
	struct err clean_err;
};

/* Of the kinds that are made in a member; what is deleted on leave, in this order. */
static const struct kube_resource *const member_kinds[] = {&KUBE_SERVICES, &KUBE_CONFIG_MAPS,
                                                           &KUBE_SERVICE_ACCOUNTS};

static struct member *member_of(struct member_work *work)
{
	return world_member(&work->control->world, work->cluster);
}

static const struct kube_resource *resource_of(const json_t *obj)
{
	const char *kind = json_str_at(obj, "kind", "");
	static const struct kube_resource *const all[] = {
		&KUBE_NAMESPACES, &KUBE_SERVICES, &KUBE_CONFIG_MAPS, &KUBE_SERVICE_ACCOUNTS};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->kind, kind) == 0)
			return all[i];
	}
	UNREACHABLE("a kind that is not made in members");
}

static struct kube_ref ref_of(const json_t *obj)
{
	const struct kube_resource *resource = resource_of(obj);
	return (struct kube_ref){
		.resource = resource,
		.namespace_ = resource->namespaced ? kube_namespace(obj) : NULL,
		.name = kube_name(obj),
	};
}

/* --- installing ---------------------------------------------------------------------------------
 */

static void apply_next(struct member_work *work);

static void on_applied(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	struct member *member = member_of(work);
	(void)answer;
	work->call = NULL;
	if (member == NULL)
		return;
	if (err != NULL) {
		member->setup = MEMBER_SETUP_FAILED;
		member->setup_err = *err;
		loop_timer_set(&work->retry, CONTROL_RETRY_MS);
		control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
		return;
	}
	work->next++;
	apply_next(work);
}

static void apply_next(struct member_work *work)
{
	struct member *member = member_of(work);
	const json_t *obj = json_array_get(work->wanted, work->next);
	if (obj == NULL) {
		member->setup = MEMBER_SETUP_DONE;
		control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
		return;
	}
	struct kube_ref ref = ref_of(obj);
	work->call = kube_client_apply(work->client, &ref, obj, on_applied, work);
}

static void on_retry(void *arg)
{
	struct member_work *work = arg;
	struct member *member = member_of(work);
	if (member == NULL || work->call != NULL || work->cleaning || work->wanted == NULL)
		return;
	work->next = 0;
	member->setup = MEMBER_SETUP_RUNNING;
	apply_next(work);
}

void control_member_install(struct control *control, struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL || work->cleaning || work->call != NULL)
		return;
	json_t *wanted = member_objects_wanted(
		&control->world, member, cert_store_roots(control->store), control->xds_address);
	bool same = work->wanted != NULL && json_equal(wanted, work->wanted);
	if (same && (member->setup == MEMBER_SETUP_DONE || loop_timer_is_set(&work->retry))) {
		json_decref(wanted);
		return;
	}
	json_decref(work->wanted);
	work->wanted = wanted;
	on_retry(work);
}

/* --- cleaning -----------------------------------------------------------------------------------
 */

static void list_next(struct member_work *work);
static void delete_next(struct member_work *work);

static void clean_failed(struct member_work *work, const struct err *err)
{
	work->clean_err = *err;
	work->cleaning = false;
	json_decref(work->doomed);
	work->doomed = NULL;
	control_enqueue(work->control, KIND_CLUSTER, work->cluster, CONTROL_RETRY_MS);
}

static void clean_done(struct member_work *work)
{
	work->clean = true;
	control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
}

static void on_deleted(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	(void)answer;
	work->call = NULL;
	if (err != NULL && err->code != ERR_NOT_FOUND) {
		clean_failed(work, err);
		return;
	}
	json_array_remove(work->doomed, 0);
	delete_next(work);
}

/* Kinds that would be lost with the namespace and whose objects would be somebody else's. */
static const struct kube_resource *const foreign_kinds[] = {&KUBE_CONFIG_MAPS, &KUBE_SECRETS,
                                                            &KUBE_PODS, &KUBE_SERVICES};

static void look_for_foreign(struct member_work *work);

static void on_namespace_contents(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	size_t i;
	json_t *item;
	bool foreign = false;
	work->call = NULL;
	if (err != NULL) {
		clean_failed(work, err);
		return;
	}
	/* what Kubernetes itself puts into each namespace does not count */
	json_array_foreach (json_object_get(answer, "items"), i, item)
		foreign = foreign || strcmp(kube_name(item), "kube-root-ca.crt") != 0;
	if (foreign) {
		log_warn("control", "namespace %s of %s stays: %s that are not ours are in it",
		         CONTROL_NAMESPACE, work->cluster, foreign_kinds[work->kind]->plural);
		clean_done(work);
		return;
	}
	work->kind++;
	look_for_foreign(work);
}

static void look_for_foreign(struct member_work *work)
{
	if (work->kind < sizeof(foreign_kinds) / sizeof(foreign_kinds[0])) {
		struct kube_ref ref = {.resource = foreign_kinds[work->kind],
		                       .namespace_ = CONTROL_NAMESPACE};
		struct kube_list_options options = {.metadata_only = true};
		work->call =
			kube_client_list(work->client, &ref, &options, on_namespace_contents, work);
		return;
	}
	json_array_append_new(work->doomed, json_pack("{ss s{ss}}", "kind", "Namespace", "metadata",
	                                              "name", CONTROL_NAMESPACE));
	delete_next(work);
}

static void on_namespace(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	work->call = NULL;
	if (err != NULL && err->code != ERR_NOT_FOUND) {
		clean_failed(work, err);
		return;
	}
	const char *label = err == NULL ? kube_label_find(answer, CONTROL_CLUSTER) : NULL;
	if (label == NULL || strcmp(label, work->cluster) != 0 || kube_is_deleting(answer)) {
		clean_done(work);
		return;
	}
	work->kind = 0;
	look_for_foreign(work);
}

static void delete_next(struct member_work *work)
{
	const json_t *obj = json_array_get(work->doomed, 0);
	if (obj != NULL) {
		struct kube_ref ref = ref_of(obj);
		work->call = kube_client_delete(work->client, &ref, NULL, on_deleted, work);
		return;
	}
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = CONTROL_NAMESPACE};
	work->call = kube_client_get(work->client, &ref, on_namespace, work);
}

static void on_listed(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	size_t i;
	json_t *item;
	work->call = NULL;
	if (err != NULL && err->code != ERR_NOT_FOUND) {
		clean_failed(work, err);
		return;
	}
	json_array_foreach (json_object_get(answer, "items"), i, item)
		json_array_append_new(work->doomed, json_pack("{ss s{ss ss}}", "kind",
		                                              member_kinds[work->kind]->kind,
		                                              "metadata", "name", kube_name(item),
		                                              "namespace", kube_namespace(item)));
	work->kind++;
	list_next(work);
}

static void list_next(struct member_work *work)
{
	if (work->kind == sizeof(member_kinds) / sizeof(member_kinds[0])) {
		delete_next(work);
		return;
	}
	char *selector =
		xasprintf("%s=fedway,%s=%s", CONTROL_MANAGED_BY, CONTROL_CLUSTER, work->cluster);
	struct kube_list_options options = {.label_selector = selector};
	struct kube_ref ref = {.resource = member_kinds[work->kind]};
	work->call = kube_client_list(work->client, &ref, &options, on_listed, work);
	free(selector);
}

void control_member_clean(struct control *control, struct member *member)
{
	struct member_work *work = member->work;
	(void)control;
	if (work == NULL || work->cleaning || work->clean)
		return;
	kube_call_cancel(work->call);
	work->call = NULL;
	loop_timer_cancel(&work->retry);
	work->cleaning = true;
	work->kind = 0;
	work->doomed = json_array();
	list_next(work);
}

bool control_member_is_clean(const struct member *member, struct err *ret_err)
{
	if (member->work == NULL)
		return true;
	*ret_err = member->work->clean_err;
	return member->work->clean;
}

/* --- the client ---------------------------------------------------------------------------------
 */

struct kube_client *control_member_client(const struct member *member)
{
	return member->work != NULL ? member->work->client : NULL;
}

void control_member_connect(struct control *control, struct member *member)
{
	struct err err;
	struct member_work *work = member->work;
	if (work != NULL) {
		if (!kube_client_set_config(work->client, &member->kubeconfig, &err))
			member->secret_err = err;
		return;
	}
	struct kube_client_options options = {.loop = control->loop,
	                                      .user_agent = "fedwayd/" FEDWAY_VERSION};
	struct kube_client *client = kube_client_create(&member->kubeconfig, &options, &err);
	if (client == NULL) {
		member->secret_err = err;
		return;
	}
	work = xcalloc(1, sizeof(*work));
	work->control = control;
	work->cluster = xstrdup(member->spec.name);
	work->client = client;
	loop_timer_init(&work->retry, control->loop, on_retry, work);
	member->work = work;
}

void control_member_disconnect(struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL)
		return;
	member->work = NULL;
	control_reviews_end(work->control, work->client);
	loop_timer_fini(&work->retry);
	kube_client_destroy(work->client);
	json_decref(work->wanted);
	json_decref(work->doomed);
	free(work->cluster);
	free(work);
}
