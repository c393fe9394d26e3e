/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>

#include "base/alloc.h"
#include "kube/meta.h"

enum {
	ADDRESS_KEY_MAX = 300,
	GATEWAYS_MAX = 1024 /* of one group */
};

static void free_member(void *value)
{
	struct member *member = value;
	cluster_spec_fini(&member->spec);
	kubeconfig_fini(&member->kubeconfig);
	free(member->uid);
	free(member->clash);
	free(member->found_twin);
	free(member->held);
	free(member);
}

static void free_group(void *value)
{
	group_spec_fini(value);
	free(value);
}

static void free_gateway(void *value)
{
	gateway_spec_fini(value);
	free(value);
}

static void free_rule(void *value)
{
	struct rule *rule = value;
	policy_unref(rule->policy);
	free(rule->host);
	free(rule->version);
	free(rule);
}

void world_init(struct world *world)
{
	*world = (struct world){0};
	mesh_settings_init(&world->mesh);
	inventory_init(&world->inventory);
	health_init(&world->health);
}

void world_fini(struct world *world)
{
	mesh_settings_fini(&world->mesh);
	map_fini(&world->members, free_member);
	map_fini(&world->groups, free_group);
	map_fini(&world->gateways, free_gateway);
	map_fini(&world->rules, free_rule);
	inventory_fini(&world->inventory);
	health_fini(&world->health);
	map_fini(&world->reached, NULL);
	map_fini(&world->in_effect, NULL);
}

struct member *world_member(const struct world *world, const char *cluster)
{
	return map_find_text(&world->members, cluster);
}

bool world_set_mesh(struct world *world, const json_t *obj, bool *ret_changed, struct err *err)
{
	struct mesh_settings settings;
	if (!mesh_settings_decode(obj, &settings, err))
		return false;
	*ret_changed = !world->has_mesh || !mesh_settings_eq(&world->mesh, &settings);
	mesh_settings_fini(&world->mesh);
	world->mesh = settings;
	world->has_mesh = true;
	return true;
}

bool world_set_member(struct world *world, const json_t *obj, int64_t now_ms, struct err *err)
{
	struct cluster_spec spec;
	if (!cluster_spec_decode(obj, &spec, err))
		return false;
	struct member *member = world_member(world, spec.name);
	if (member == NULL) {
		member = xcalloc(1, sizeof(*member));
		member->added_ms = now_ms;
		member->was_member = spec.cluster_uid[0] != '\0';
		map_set(&world->members, str_from(spec.name), member);
	} else {
		cluster_spec_fini(&member->spec);
	}
	member->spec = spec;
	member->generation = kube_generation(obj);
	return true;
}

/* The status may be behind what was last in force. */
static void keep_ranges(struct group_spec *group, struct group_spec *old)
{
	free(group->source_ranges);
	group->source_ranges = old->source_ranges;
	group->n_source_ranges = old->n_source_ranges;
	old->source_ranges = NULL;
	old->n_source_ranges = 0;
}

bool world_set_group(struct world *world, const json_t *obj, struct err *err)
{
	struct group_spec *group = xcalloc(1, sizeof(*group));
	if (!group_spec_decode(obj, group, err)) {
		free(group);
		return false;
	}
	struct group_spec *old = map_find_text(&world->groups, group->name);
	bool is_new = old == NULL;
	if (old != NULL && group->bad_range[0] != '\0')
		keep_ranges(group, old);
	world_remove_group(world, group->name);
	map_set(&world->groups, str_from(group->name), group);
	if (is_new && kube_condition_is_true(obj, "Joined"))
		world_set_in_effect(world, group->name, true);
	return true;
}

/* Verdicts of before a restart are in the status; they hold until somebody reports, or could have.
 */
static void restore_health(struct world *world, const struct gateway_spec *gateway, int64_t now_ms)
{
	for (size_t i = 0; i < gateway->n_status_addresses; i++) {
		const struct gateway_status_address *at = &gateway->status_addresses[i];
		if (!at->live)
			health_restore(&world->health, at->host, at->port, false, at->reason,
			               now_ms);
	}
}

/* They count as seen now, so that each has its time to come back. */
static void restore_instances(struct world *world, const struct gateway_spec *gateway,
                              int64_t now_ms)
{
	for (size_t i = 0; i < gateway->n_instances; i++) {
		const struct gateway_instance *from = &gateway->instances[i];
		struct inventory_instance instance = {
			.cluster = gateway->cluster,
			.gateway = gateway->name,
			.name = from->name,
			.version = from->version,
			.mark = from->mark,
			.connected = false,
			.seen_ms = now_ms,
		};
		inventory_see(&world->inventory, &instance);
	}
}

bool world_set_gateway(struct world *world, const json_t *obj, int64_t now_ms, struct err *err)
{
	struct gateway_spec *gateway = xcalloc(1, sizeof(*gateway));
	if (!gateway_spec_decode(obj, gateway, err)) {
		free(gateway);
		return false;
	}
	bool is_new = map_find_text(&world->gateways, gateway->name) == NULL;
	world_remove_gateway(world, gateway->name);
	map_set(&world->gateways, str_from(gateway->name), gateway);
	if (is_new) {
		restore_health(world, gateway, now_ms);
		restore_instances(world, gateway, now_ms);
	}
	return true;
}

void world_remove_member(struct world *world, const char *name)
{
	struct member *member = map_remove(&world->members, str_from(name));
	if (member != NULL)
		free_member(member);
}

void world_remove_group(struct world *world, const char *name)
{
	struct group_spec *group = map_remove(&world->groups, str_from(name));
	if (group != NULL)
		free_group(group);
}

void world_remove_gateway(struct world *world, const char *name)
{
	struct gateway_spec *gateway = map_remove(&world->gateways, str_from(name));
	if (gateway != NULL)
		free_gateway(gateway);
}

/* --- DestinationRules ------------------------------------------------------------------------- */

const struct rule *world_rule(const struct world *world, const char *key)
{
	return map_find_text(&world->rules, key);
}

bool world_remove_rule(struct world *world, const char *key)
{
	struct rule *rule = map_remove(&world->rules, str_from(key));
	if (rule != NULL)
		free_rule(rule);
	return rule != NULL;
}

bool world_set_rule(struct world *world, const json_t *obj, bool *ret_moved, struct err *err)
{
	struct policy *policy = policy_decode(obj, err);
	if (policy == NULL)
		return false;
	const struct rule *old = world_rule(world, policy->key);
	struct rule *rule = xcalloc(1, sizeof(*rule));
	rule->policy = policy;
	rule->host = policy_full_host(policy, world->mesh.cluster_domain);
	rule->version = xstrdup(kube_resource_version(obj));
	*ret_moved = old == NULL || strcmp(old->host, rule->host) != 0 ||
	             old->policy->created_s != policy->created_s;
	world_remove_rule(world, policy->key);
	map_set(&world->rules, str_from(policy->key), rule);
	return true;
}

/* As the mesh chooses (model, mesh_rules). */
static bool counts_before(const struct rule *a, const struct rule *b)
{
	if (a->policy->created_s != b->policy->created_s)
		return a->policy->created_s < b->policy->created_s;
	return strcmp(a->policy->key, b->policy->key) < 0;
}

const char *world_rule_before(const struct world *world, const char *key)
{
	const struct rule *first = world_rule(world, key);
	const struct rule *self = first;
	map_for_each (it, &world->rules) {
		const struct rule *other = map_value(it);
		if (self != NULL && strcmp(other->policy->ns, self->policy->ns) == 0 &&
		    strcmp(other->host, self->host) == 0 && counts_before(other, first))
			first = other;
	}
	return first != self ? first->policy->key : NULL;
}

/* --- members ---------------------------------------------------------------------------------- */

const char *world_uid(const struct member *member)
{
	return member->uid != NULL ? member->uid : member->spec.cluster_uid;
}

static bool is_older(const struct member *a, const struct member *b)
{
	if (a->spec.created_s != b->spec.created_s)
		return a->spec.created_s < b->spec.created_s;
	return strcmp(a->spec.name, b->spec.name) < 0;
}

bool world_yields_to(const struct world *world, const struct member *member, const char *name)
{
	const struct member *other = world_member(world, name);
	if (other == NULL || other == member || other->spec.deleting)
		return false;
	bool may_be_same =
		world_uid(other)[0] == '\0' || strcmp(world_uid(other), world_uid(member)) == 0;
	return may_be_same && is_older(other, member);
}

const char *world_older_twin(const struct world *world, const char *cluster)
{
	const struct member *self = world_member(world, cluster);
	if (self == NULL || world_uid(self)[0] == '\0')
		return NULL;
	map_for_each (it, &world->members) {
		const struct member *other = map_value(it);
		if (world_uid(other)[0] != '\0' && world_yields_to(world, self, other->spec.name))
			return other->spec.name;
	}
	if (self->found_twin != NULL && world_yields_to(world, self, self->found_twin))
		return self->found_twin;
	return NULL;
}

bool world_reached(const struct world *world, const char *address, uint16_t port)
{
	char key[ADDRESS_KEY_MAX];
	snprintf(key, sizeof(key), "%s:%u", address, port);
	return map_find_text(&world->reached, key) != NULL;
}

static bool reached(const char *address, uint16_t port, void *arg)
{
	return world_reached(arg, address, port);
}

void world_set_in_effect(struct world *world, const char *group, bool in_effect)
{
	if (in_effect)
		map_add(&world->in_effect, str_from(group));
	else
		map_remove(&world->in_effect, str_from(group));
}

/* Nothing but silence stands against it. */
static bool only_silent(const struct network_input *input, const struct network_result *result)
{
	return input->group->joined && input->interconnect_enabled && input->n_gateways > 0 &&
	       result->network.n_gateways > 0 && result->working == 0;
}

struct network_result world_network(const struct world *world, const struct group_spec *group)
{
	const struct gateway_spec *gateways[GATEWAYS_MAX];
	union {
		const struct world *in;
		void *out;
	} lent = {.in = world};
	struct network_input input = {
		.group = group,
		.gateways = gateways,
		.interconnect_enabled = world->mesh.interconnect_enabled,
		.inventory = &world->inventory,
		.health = &world->health,
		.reached = reached,
		.arg = lent.out,
	};
	map_for_each (it, &world->gateways) {
		const struct gateway_spec *gateway = map_value(it);
		const struct member *member = world_member(world, gateway->cluster);
		if (member != NULL && !gateway->deleting && input.n_gateways < GATEWAYS_MAX &&
		    strcmp(member->spec.network, group->name) == 0)
			gateways[input.n_gateways++] = gateway;
	}
	struct network_result result = network_result_make(&input);
	if (only_silent(&input, &result) && map_find_text(&world->in_effect, group->name) != NULL) {
		result.network.joined = true;
		result.blocking = "";
	}
	return result;
}
