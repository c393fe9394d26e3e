/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member's client. What is made there: member_install_io.c; and deleted: member_clean_io.c.
 */
#include "member_objects.h"
#include "member_work.h"

#include "base/alloc.h"

struct member *member_of(const struct member_work *work)
{
	return world_member(&work->control->world, work->cluster);
}

void member_work_delete(struct member_work *work, const json_t *obj, kube_answer_cb cb)
{
	struct kube_ref ref = member_object_ref(obj);
	struct kube_delete_options options = {.uid = kube_uid(obj),
	                                      .resource_version = kube_resource_version(obj)};
	work->call = kube_client_delete(work->client, &ref, &options, cb, work);
}

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
		work->due = true; /* perhaps another cluster */
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
	control_member_install_init(work);
	member->work = work;
}

void control_member_disconnect(struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL)
		return;
	member->work = NULL;
	control_reviews_end(work->control, work->client);
	loop_timer_fini(&work->timer);
	kube_client_destroy(work->client);
	json_decref(work->wanted);
	json_decref(work->found);
	json_decref(work->todo);
	json_decref(work->doomed);
	free(work->cluster);
	free(work);
}
