/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mesh, NetworkGroup, EastWestGateway, DestinationRule: into the world and the mesh, and their
 * status back.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/log.h"

static void tell_bad(struct control *control, enum control_kind kind, const json_t *obj,
                     const struct err *err)
{
	log_warn("control", "%s '%s' left as it was: %s", control_resources[kind].kind,
	         kube_name(obj), err->msg);
	control_write_status(control, kind, obj, status_refused(obj, err, control_now(control)));
}

/* --- networks follow groups, gateways, clusters, streams ----------------------------------------
 */

void control_update_network(struct control *control, const char *name)
{
	const struct group_spec *group = map_find_text(&control->world.groups, name);
	if (group == NULL) {
		mesh_builder_remove_network(control->builder, name);
		world_set_in_effect(&control->world, name, false);
	} else {
		struct network_result result = world_network(&control->world, group);
		mesh_builder_set_network(control->builder, &result.network);
		/* before the first mesh its gateways may not have been looked at yet */
		if (result.network.joined || control->mesh != NULL)
			world_set_in_effect(&control->world, name, result.network.joined);
		network_result_fini(&result);
	}
	control_publish_soon(control);
}

void control_update_networks(struct control *control)
{
	map_for_each (it, &control->world.groups) {
		const struct group_spec *group = map_value(it);
		control_update_network(control, group->name);
		control_enqueue(control, KIND_GROUP, group->name, 0);
	}
}

/* --- Mesh ---------------------------------------------------------------------------------------
 */

static void count_instance(const struct ads_instance *instance, void *arg)
{
	struct status_counts *counts = arg;
	counts->connected++;
	counts->acknowledged += instance->current ? 1 : 0;
}

void control_reconcile_mesh(struct control *control, const char *key)
{
	struct err err;
	bool changed;
	const json_t *obj = control_object(control, KIND_MESH, key);
	if (obj == NULL || strcmp(key, "default") != 0)
		return;
	if (!world_set_mesh(&control->world, obj, &changed, &err)) {
		tell_bad(control, KIND_MESH, obj, &err);
		return;
	}
	if (changed) {
		mesh_builder_set_settings(control->builder, &control->world.mesh);
		control_update_networks(control);
	}
	if (control->mesh == NULL)
		return; /* after a restart the counts of before stay until there is a mesh */
	struct status_counts counts = {.services = tree_len(control->mesh->services)};
	if (control->ads != NULL)
		ads_for_each_instance(control->ads, count_instance, &counts);
	control_write_status(
		control, KIND_MESH, obj,
		status_mesh(obj, &control->world, control->store, &counts, control_now(control)));
}

/* --- NetworkGroup -------------------------------------------------------------------------------
 */

/* Members that wait for the group to leave the interconnect may go on. */
static void release_held(struct control *control, const char *group)
{
	map_for_each (it, &control->world.members) {
		const struct member *member = map_value(it);
		if (member->held != NULL && strcmp(member->held, group) == 0)
			control_enqueue(control, KIND_CLUSTER, member->spec.name, 0);
	}
}

void control_reconcile_group(struct control *control, const char *key)
{
	struct err err;
	const json_t *obj = control_object(control, KIND_GROUP, key);
	if (obj == NULL) {
		world_remove_group(&control->world, key);
		control_update_network(control, key);
		return;
	}
	if (!world_set_group(&control->world, obj, &err)) {
		tell_bad(control, KIND_GROUP, obj, &err);
		return;
	}
	const struct group_spec *group = map_find_text(&control->world.groups, key);
	control_update_network(control, key);
	release_held(control, key);
	control_write_status(control, KIND_GROUP, obj,
	                     status_group(obj, &control->world, group, control_now(control)));
}

/* --- EastWestGateway ----------------------------------------------------------------------------
 */

/* Its group, and the accounts in its cluster, depend on it. */
static void touch_neighbours(struct control *control, const char *cluster)
{
	const struct member *member = world_member(&control->world, cluster);
	control_enqueue(control, KIND_CLUSTER, cluster, 0);
	if (member != NULL && member->spec.network[0] != '\0') {
		control_update_network(control, member->spec.network);
		control_enqueue(control, KIND_GROUP, member->spec.network, 0);
	}
}

void control_reconcile_gateway(struct control *control, const char *key)
{
	struct err err;
	const json_t *obj = control_object(control, KIND_GATEWAY, key);
	const struct gateway_spec *old = map_find_text(&control->world.gateways, key);
	if (obj == NULL) {
		char *cluster = xstrdup(old != NULL ? old->cluster : "");
		world_remove_gateway(&control->world, key);
		ads_review_gateways(control->ads);
		touch_neighbours(control, cluster);
		free(cluster);
		return;
	}
	if (!world_set_gateway(&control->world, obj, loop_now_ms(control->loop), &err)) {
		tell_bad(control, KIND_GATEWAY, obj, &err);
		return;
	}
	const struct gateway_spec *gateway = map_find_text(&control->world.gateways, key);
	/* a verdict that was restored has its time, too */
	if (!loop_timer_is_set(&control->judge))
		control_judge_soon(control);
	if (gateway->deleting)
		ads_review_gateways(control->ads);
	touch_neighbours(control, gateway->cluster);
	control_write_status(control, KIND_GATEWAY, obj,
	                     status_gateway(obj, &control->world, gateway, control_now(control)));
}

/* --- DestinationRule ----------------------------------------------------------------------------
 */

static bool names_a_service(const struct control *control, const struct policy *policy)
{
	struct tree_iter it;
	if (control->mesh == NULL)
		return false;
	char *host = policy_full_host(policy, control->world.mesh.cluster_domain);
	bool found = false;
	for (const struct mesh_service *service = tree_first(&it, control->mesh->services);
	     service != NULL && !found; service = tree_next(&it))
		found = policy_host_matches(host, service->host);
	free(host);
	return found;
}

/* False: it is left as it was. A version that is known already is not decoded again: each decoded
 * policy is a change of the mesh. */
static bool take_rule(struct control *control, const char *key, const json_t *obj)
{
	struct err err;
	bool moved;
	const struct rule *have = world_rule(&control->world, key);
	if (have != NULL && strcmp(have->version, kube_resource_version(obj)) == 0)
		return true;
	if (!world_set_rule(&control->world, obj, &moved, &err)) {
		tell_bad(control, KIND_RULE, obj, &err);
		return false;
	}
	if (moved)
		control_enqueue_all(control, KIND_RULE);
	mesh_builder_set_policy(control->builder, world_rule(&control->world, key)->policy);
	control_publish_soon(control);
	return true;
}

void control_reconcile_rule(struct control *control, const char *key)
{
	const json_t *obj = control_object(control, KIND_RULE, key);
	if (obj == NULL) {
		if (world_remove_rule(&control->world, key))
			control_enqueue_all(control, KIND_RULE);
		mesh_builder_remove_policy(control->builder, key);
		control_publish_soon(control);
		return;
	}
	if (!take_rule(control, key, obj))
		return;
	const struct policy *policy = world_rule(&control->world, key)->policy;
	struct status_rule_use use = {
		.found = names_a_service(control, policy),
		.before = world_rule_before(&control->world, key),
	};
	control_write_status(control, KIND_RULE, obj,
	                     status_rule(obj, policy, &use, control_now(control)));
}
