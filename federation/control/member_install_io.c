/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made in a member, and kept as it was made:
 *
 *   look (namespace, then a list a kind, by our label) ─▶ compare ─▶ apply what differs ─▶ delete
 *     ▲                                                     │        accounts of gone gateways
 *     └──── what is wanted has changed; 30 s are over ──────┴─▶ an older Cluster's label is there:
 *                                                              nothing is written
 *
 * Looking again each 30 s rather than watching: a watch a kind would be four more streams that each
 * member's API server holds for ever, for objects that nobody changes in years; four small lists
 * are less, and they also see what came while nobody watched.
 */
#include "member_objects.h"
#include "member_work.h"

#include "base/alloc.h"
#include "base/log.h"

static const struct kube_resource *const looked_at[] = {&KUBE_NAMESPACES, &KUBE_SERVICES,
                                                        &KUBE_CONFIG_MAPS, &KUBE_SERVICE_ACCOUNTS};

static void look_next(struct member_work *work);
static void apply_next(struct member_work *work);
static void delete_next(struct member_work *work);

static void end(struct member_work *work, enum member_setup setup, int64_t again_ms)
{
	struct member *member = member_of(work);
	member->setup = setup;
	loop_timer_set(&work->timer, again_ms);
	control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
}

/* An API server that is away is its Cluster's condition Reachable; what is there stays there. */
static enum member_setup after_failure(const struct member *member, const struct err *err)
{
	bool is_away =
		err->code == ERR_IO || err->code == ERR_TIMEOUT || err->code == ERR_UNAVAILABLE;
	return is_away && member->setup == MEMBER_SETUP_DONE ? MEMBER_SETUP_DONE
	                                                     : MEMBER_SETUP_FAILED;
}

/* False: the call that was answered failed, and so has all of it. */
static bool went_well(struct member_work *work, const struct err *err, bool may_be_missing)
{
	work->call = NULL;
	if (err == NULL || (may_be_missing && err->code == ERR_NOT_FOUND))
		return true;
	member_of(work)->setup_err = *err;
	end(work, after_failure(member_of(work), err), CONTROL_RETRY_MS);
	return false;
}

/* --- deleting ---------------------------------------------------------------------------------
 */

/* Changed meanwhile, so not ours for sure: the next look sees what it is now. */
static void on_deleted(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	(void)answer;
	if (err != NULL && err->code == ERR_CONFLICT)
		err = NULL;
	if (!went_well(work, err, true))
		return;
	json_array_remove(work->doomed, 0);
	delete_next(work);
}

static void delete_next(struct member_work *work)
{
	const json_t *obj = json_array_get(work->doomed, 0);
	if (obj != NULL) {
		log_info("control", "account deleted  cluster=%s name=%s", work->cluster,
		         kube_name(obj));
		member_work_delete(work, obj, on_deleted);
		return;
	}
	work->changed = false;
	/* a younger Cluster that writes there learns of us soon; its last write may come after ours
	 */
	end(work, MEMBER_SETUP_DONE, work->taken_over ? CONTROL_RETRY_MS : CONTROL_CHECK_MS);
}

/* --- applying ---------------------------------------------------------------------------------
 */

static void on_applied(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	(void)answer;
	if (!went_well(work, err, false))
		return;
	json_array_remove(work->todo, 0);
	apply_next(work);
}

static void apply_next(struct member_work *work)
{
	const json_t *obj = json_array_get(work->todo, 0);
	if (obj == NULL) {
		delete_next(work);
		return;
	}
	struct kube_ref ref = member_object_ref(obj);
	work->call = kube_client_apply(work->client, &ref, obj, on_applied, work);
}

/* --- looking ----------------------------------------------------------------------------------
 */

static void compare(struct member_work *work)
{
	struct member *member = member_of(work);
	struct member_survey survey =
		member_objects_compare(&work->control->world, member, work->wanted, work->found);
	free(member->found_twin);
	member->found_twin = survey.older != NULL ? xstrdup(survey.older) : NULL;
	work->taken_over = survey.younger;
	json_decref(work->todo);
	json_decref(work->doomed);
	work->todo = survey.todo;
	work->doomed = survey.surplus;
	if (member->found_twin != NULL) {
		/* told, and looked at again, when that one goes */
		work->due = true;
		control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
		return;
	}
	if (member->setup == MEMBER_SETUP_DONE && !work->changed && json_array_size(work->todo) > 0)
		log_warn("control", "put back  cluster=%s objects=%zu first=%s", work->cluster,
		         json_array_size(work->todo), kube_name(json_array_get(work->todo, 0)));
	apply_next(work);
}

static void on_looked(json_t *answer, const struct err *err, void *arg)
{
	struct member_work *work = arg;
	if (!went_well(work, err, true))
		return;
	if (answer != NULL)
		member_objects_gather(work->found, looked_at[work->kind], answer);
	work->kind++;
	look_next(work);
}

static void look_next(struct member_work *work)
{
	struct kube_list_options options = {.label_selector = CONTROL_MANAGED_BY "=fedway"};
	if (work->kind == sizeof(looked_at) / sizeof(looked_at[0])) {
		compare(work);
		return;
	}
	struct kube_ref ref = {.resource = looked_at[work->kind]};
	if (!ref.resource->namespaced) {
		ref.name = CONTROL_NAMESPACE;
		work->call = kube_client_get(work->client, &ref, on_looked, work);
		return;
	}
	ref.namespace_ = CONTROL_NAMESPACE;
	work->call = kube_client_list(work->client, &ref, &options, on_looked, work);
}

/* Only asks: whether the member may be written to now is the reconciler's matter. */
static void on_timer(void *arg)
{
	struct member_work *work = arg;
	work->due = true;
	control_enqueue(work->control, KIND_CLUSTER, work->cluster, 0);
}

void control_member_look_again(struct member *member)
{
	if (member->work != NULL)
		loop_timer_set(&member->work->timer, CONTROL_RETRY_MS);
}

void control_member_install_init(struct member_work *work)
{
	loop_timer_init(&work->timer, work->control->loop, on_timer, work);
}

void control_member_install(struct control *control, struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL || work->cleaning || work->call != NULL)
		return;
	json_t *wanted = member_objects_wanted(
		&control->world, member, cert_store_roots(control->store), control->xds_address);
	bool same = work->wanted != NULL && json_equal(wanted, work->wanted);
	json_decref(work->wanted);
	work->wanted = wanted;
	work->changed = work->changed || !same;
	if (same && !work->due)
		return;
	work->due = false;
	/* a member with all that was wanted stays one while more is made in it */
	if (member->setup != MEMBER_SETUP_DONE)
		member->setup = MEMBER_SETUP_RUNNING;
	work->kind = 0;
	json_decref(work->found);
	work->found = json_array();
	look_next(work);
}

void control_member_halt(struct member *member)
{
	struct member_work *work = member->work;
	if (work == NULL || work->cleaning)
		return;
	kube_call_cancel(work->call);
	work->call = NULL;
	loop_timer_cancel(&work->timer);
	work->due = true;
	member->setup = MEMBER_SETUP_NONE;
}
