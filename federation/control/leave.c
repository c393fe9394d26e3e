/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way out of a member, one step at a time: withdraw → drain → tell its gateways → clean both
 * sides → release. Each step is level-triggered, so a restart goes on where things stand: when it
 * was withdrawn is condition Withdrawn.
 */
#include "control_priv.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"

/* Removing the last cluster of a joined group would cut the group off. NULL: nothing holds it. */
static const char *what_holds(const struct control *control, const struct member *member)
{
	const struct group_spec *group =
		map_find_text(&control->world.groups, member->spec.network);
	if (group == NULL || !group->joined || group->deleting)
		return NULL;
	map_for_each (it, &control->world.members) {
		const struct member *other = map_value(it);
		if (other != member && !other->spec.deleting && other->clash == NULL &&
		    strcmp(other->spec.network, group->name) == 0)
			return NULL;
	}
	return group->name;
}

static bool is_held(const struct control *control, struct member *member)
{
	const char *group = what_holds(control, member);
	free(member->held);
	member->held = group != NULL ? xstrdup(group) : NULL;
	return group != NULL;
}

static int64_t drain_ms(const json_t *obj)
{
	uint64_t seconds;
	const char *text = kube_annotation_find(obj, CONTROL_DRAIN);
	if (text != NULL && str_to_u64(str_from(text), 86400, &seconds))
		return (int64_t)seconds * 1000;
	return CONTROL_DRAIN_MS;
}

static void move(struct control *control, struct member *member, enum member_leave to)
{
	static const char *const words[] = {"stays", "draining", "cleaning", "gone"};
	member->leave = to;
	member->leave_ms = loop_now_ms(control->loop);
	log_info("control", "cluster leaves  cluster=%s step=%s", member->spec.name, words[to]);
	/* one that yielded to it need not any more */
	control_enqueue_all(control, KIND_CLUSTER);
}

/* After a restart what has been waited before counts, but for the time that its gateways take to
 * come back: they have to be told that it has left. */
static void start_draining(struct control *control, struct member *member, const json_t *obj)
{
	int64_t withdrawn_s = status_withdrawn_s(obj);
	int64_t may_count_ms = drain_ms(obj) - CONTROL_RETURN_MS;
	int64_t waited_ms =
		withdrawn_s > 0 ? (control_now(control).wall_s - withdrawn_s) * 1000 : 0;
	move(control, member, MEMBER_DRAINING);
	if (waited_ms > may_count_ms)
		waited_ms = may_count_ms;
	if (waited_ms > 0)
		member->leave_ms -= waited_ms;
}

static void start_cleaning(struct control *control, struct member *member, const json_t *obj)
{
	const char *unreachable = kube_annotation_find(obj, CONTROL_GONE);
	ads_leave(control->ads, member->spec.name);
	if (unreachable != NULL && strcmp(unreachable, "true") == 0)
		control_member_disconnect(member);
	move(control, member, MEMBER_CLEANING);
}

static void on_gateway_deleted(json_t *answer, const struct err *err, void *arg)
{
	(void)answer;
	(void)arg;
	if (err != NULL && err->code != ERR_NOT_FOUND)
		log_warn("control", "gateway not deleted: %s", err->msg);
}

/* The gateways made for the cluster by the CLI carry its label; others are the user's. */
static void delete_own_gateway(struct str key, json_t *obj, void *arg)
{
	struct control *control = arg;
	const char *cluster = kube_label_find(obj, CONTROL_CLUSTER);
	const struct member *member =
		cluster != NULL ? world_member(&control->world, cluster) : NULL;
	(void)key;
	if (member == NULL || member->leave != MEMBER_CLEANING || kube_is_deleting(obj))
		return;
	struct kube_ref ref = control_ref(KIND_GATEWAY, obj);
	kube_client_delete(control->api, &ref, NULL, on_gateway_deleted, NULL);
}

static void release(struct control *control, struct member *member, const json_t *obj)
{
	struct err err;
	json_t *copy = json_deep_copy(obj);
	if (!cert_store_remove_cluster(control->store, member->spec.name, &err))
		log_warn("control", "intermediate of %s not deleted: %s", member->spec.name,
		         err.msg);
	if (kube_finalizer_remove(copy, CONTROL_FINALIZER)) {
		json_t *left = json_at(copy, "metadata.finalizers");
		control_patch(control, KIND_CLUSTER, obj,
		              json_pack("{s{sO}}", "metadata", "finalizers",
		                        left != NULL ? left : json_null()));
	}
	json_decref(copy);
}

void control_member_leave(struct control *control, struct member *member, const json_t *obj)
{
	struct err err;
	int64_t waited_ms = loop_now_ms(control->loop) - member->leave_ms;
	int64_t wait_ms = drain_ms(obj);
	switch (member->leave) {
	case MEMBER_STAYS:
		if (status_withdrawn_s(obj) > 0 || !is_held(control, member))
			start_draining(control, member, obj);
		break;
	case MEMBER_DRAINING:
		if (waited_ms >= wait_ms)
			start_cleaning(control, member, obj);
		else
			control_enqueue(control, KIND_CLUSTER, member->spec.name,
			                wait_ms - waited_ms);
		break;
	case MEMBER_CLEANING:
		reflector_for_each(control->reflectors[KIND_GATEWAY], delete_own_gateway, control);
		control_member_clean(member);
		if (control_member_is_clean(member, &err))
			move(control, member, MEMBER_GONE);
		break;
	case MEMBER_GONE:
		release(control, member, obj);
		break;
	}
}
