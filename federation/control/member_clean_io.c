/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleaning a member: what carries the Cluster's label is listed, kind by kind, and deleted as it
 * was listed: what has got another label meanwhile is another Cluster's and stays. The namespace
 * comes last, and only if it is ours and nothing foreign is left in it.
 */
#include "member_objects.h"
#include "member_work.h"

#include "base/alloc.h"
#include "base/log.h"

/* Of the kinds that are made in a member; what is deleted, in this order. */
static const struct kube_resource *const member_kinds[] = {&KUBE_SERVICES, &KUBE_CONFIG_MAPS,
                                                           &KUBE_SERVICE_ACCOUNTS};

static void list_next(struct member_work *work);
static void delete_next(struct member_work *work);
static void look_for_foreign(struct member_work *work);

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

/* A conflict means that it is not as it was listed: the lists are read again. */
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
	if (work->kind == sizeof(foreign_kinds) / sizeof(foreign_kinds[0])) {
		json_array_append(work->doomed, work->found);
		delete_next(work);
		return;
	}
	struct kube_ref ref = {.resource = foreign_kinds[work->kind],
	                       .namespace_ = CONTROL_NAMESPACE};
	struct kube_list_options options = {.metadata_only = true};
	work->call = kube_client_list(work->client, &ref, &options, on_namespace_contents, work);
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
	json_decref(work->found);
	work->found = json_incref(answer);
	work->kind = 0;
	look_for_foreign(work);
}

static void delete_next(struct member_work *work)
{
	const json_t *obj = json_array_get(work->doomed, 0);
	if (obj != NULL) {
		member_work_delete(work, obj, on_deleted);
		return;
	}
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = CONTROL_NAMESPACE};
	work->call = kube_client_get(work->client, &ref, on_namespace, work);
}

static void on_listed(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	work->call = NULL;
	if (err != NULL && err->code != ERR_NOT_FOUND) {
		clean_failed(work, err);
		return;
	}
	member_objects_gather(work->doomed, member_kinds[work->kind], answer);
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
	struct kube_ref ref = {.resource = member_kinds[work->kind],
	                       .namespace_ = CONTROL_NAMESPACE};
	work->call = kube_client_list(work->client, &ref, &options, on_listed, work);
	free(selector);
}

void control_member_clean(struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL || work->cleaning || work->clean)
		return;
	control_member_halt(member);
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
