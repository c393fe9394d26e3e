/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include <stdio.h>

#include "base/map.h"

enum {
	RANGE_MESSAGE_MAX = 600
};

static const struct status_field gateway_unsupported[] = {
	{"spec.managed", NULL},
};

static json_t *address_status(const struct world *world, const char *host, uint16_t port,
                              struct status_now now)
{
	struct health_verdict verdict = health_verdict_of(&world->health, host, port);
	json_t *address =
		json_pack("{ss si ss}", "address", host, "port", (int)port, "reason",
	                  verdict.judged ? verdict.reason : "no gateway reports on it: unknown");
	/* never without a measurement */
	if (verdict.judged)
		json_object_set_new(address, "live", json_boolean(verdict.live));
	if (verdict.since_ms > 0)
		json_object_set_new(address, "since", status_time_of(verdict.since_ms, now));
	return address;
}

static json_t *group_addresses(const struct world *world, const struct mesh_network *network,
                               struct status_now now)
{
	json_t *list = json_array();
	for (size_t i = 0; i < network->n_gateways; i++) {
		const struct mesh_gateway *gateway = &network->gateways[i];
		json_t *address = address_status(world, gateway->address, gateway->port, now);
		json_object_set_new(address, "gateway", json_string(gateway->name));
		json_array_append_new(list, address);
	}
	return list;
}

static void say_joined(json_t *conditions, const json_t *obj, const struct group_spec *group,
                       const struct network_result *result, struct status_now now)
{
	struct status_line line = {"Joined", result->network.joined, "InEffect",
	                           "services are exposed to and seen from the interconnect"};
	if (!group->joined) {
		line.reason = "NotAsked";
		line.message = "spec.interconnect.joined is false";
	} else if (!result->network.joined) {
		line.reason = "Blocked";
		line.message = result->blocking;
	} else if (result->working == 0) {
		line.message = "in effect as before, though no gateway of the group is connected "
			       "to the control plane and no address answers it";
	}
	status_say(conditions, obj, &line, now);
}

static json_t *ranges_in_force(const struct group_spec *group)
{
	json_t *list = json_array();
	char text[CIDR_TEXT_MAX];
	for (size_t i = 0; i < group->n_source_ranges; i++)
		json_array_append_new(list,
		                      json_string(cidr_format(&group->source_ranges[i], text)));
	return list;
}

static void say_ranges(json_t *conditions, const json_t *obj, const struct group_spec *group,
                       struct status_now now)
{
	char text[RANGE_MESSAGE_MAX];
	if (group->bad_range[0] == '\0') {
		status_say_accepted(conditions, obj, NULL, now);
		return;
	}
	snprintf(text, sizeof(text), "%s; those of status.sourceRanges stay in force",
	         group->bad_range);
	status_say_accepted(conditions, obj, text, now);
}

json_t *status_group(const json_t *obj, const struct world *world, const struct group_spec *group,
                     struct status_now now)
{
	struct network_result result = world_network(world, group);
	json_t *conditions = status_conditions(obj);
	json_t *clusters = json_array();
	json_t *gateways = json_array();
	map_for_each (it, &world->members) {
		const struct member *member = map_value(it);
		if (strcmp(member->spec.network, group->name) == 0)
			json_array_append_new(clusters, json_string(member->spec.name));
	}
	map_for_each (it, &world->gateways) {
		const struct gateway_spec *gateway = map_value(it);
		const struct member *member = world_member(world, gateway->cluster);
		if (member != NULL && strcmp(member->spec.network, group->name) == 0)
			json_array_append_new(gateways, json_string(gateway->name));
	}
	say_joined(conditions, obj, group, &result, now);
	say_ranges(conditions, obj, group, now);
	status_say_supported(conditions, obj, NULL, 0, now);
	json_t *status =
		json_pack("{so so so so so}", "clusters", clusters, "gateways", gateways,
	                  "addresses", group_addresses(world, &result.network, now), "sourceRanges",
	                  ranges_in_force(group), "conditions", conditions);
	network_result_fini(&result);
	return status;
}

/* --- gateway ------------------------------------------------------------------------------------
 */

enum {
	SEEN_STEP_S = 60 /* lastSeen moves once a minute */
};

struct instances {
	const json_t *before; /* as its status has them */
	json_t *list;
	size_t connected;
	struct status_now now;
};

/* Restored after a restart and not heard since: what was known of it stays. */
static bool keep_instance(struct instances *all, const struct inventory_instance *instance)
{
	size_t i;
	json_t *entry;
	if (instance->connected || instance->cert_not_after_s > 0)
		return false;
	json_array_foreach (all->before, i, entry) {
		if (strcmp(json_str_at(entry, "name", ""), instance->name) == 0)
			return json_array_append(all->list, entry) == 0;
	}
	return false;
}

static void add_instance(const struct inventory_instance *instance, void *arg)
{
	struct instances *all = arg;
	if (keep_instance(all, instance))
		return;
	int64_t seen_s = all->now.wall_s;
	if (!instance->connected)
		seen_s -= (all->now.mono_ms - instance->seen_ms) / 1000;
	seen_s -= seen_s % SEEN_STEP_S;
	json_t *entry =
		json_pack("{ss ss sb so}", "name", instance->name, "version", instance->version,
	                  "mark", (int)instance->mark, "lastSeen", status_time(seen_s));
	if (instance->cert_not_after_s > 0)
		json_object_set_new(
			entry, "certificate",
			json_pack("{so}", "notAfter", status_time(instance->cert_not_after_s)));
	all->connected += instance->connected ? 1 : 0;
	json_array_append_new(all->list, entry);
}

static struct status_line ready_line(const struct world *world, const struct gateway_spec *gateway,
                                     size_t connected)
{
	if (world_member(world, gateway->cluster) == NULL)
		return (struct status_line){"Ready", false, "NoCluster",
		                            "spec.cluster names no Cluster"};
	if (gateway->n_addresses == 0)
		return (struct status_line){"Ready", false, "NoAddress",
		                            "spec.addresses is empty (FED-101)"};
	if (connected > 0)
		return (struct status_line){"Ready", true, "Connected",
		                            "an instance is connected to this control plane"};
	for (size_t i = 0; i < gateway->n_addresses; i++) {
		if (world_reached(world, gateway->addresses[i].host, gateway->addresses[i].port))
			return (struct status_line){"Ready", true, "Answers",
			                            "an adopted address answers TCP"};
	}
	return (struct status_line){"Ready", false, "NotConnected",
	                            "no instance is connected and no address answers TCP from the "
	                            "control plane"};
}

json_t *status_gateway(const json_t *obj, const struct world *world,
                       const struct gateway_spec *gateway, struct status_now now)
{
	struct instances instances = {
		.before = json_at(obj, "status.instances"), .list = json_array(), .now = now};
	json_t *conditions = status_conditions(obj);
	json_t *addresses = json_array();
	inventory_for_each(&world->inventory, gateway->name, add_instance, &instances);
	for (size_t i = 0; i < gateway->n_addresses; i++)
		json_array_append_new(addresses, address_status(world, gateway->addresses[i].host,
		                                                gateway->addresses[i].port, now));
	struct status_line line = ready_line(world, gateway, instances.connected);
	status_say(conditions, obj, &line, now);
	status_say_accepted(conditions, obj, NULL, now);
	status_say_supported(conditions, obj, gateway_unsupported,
	                     sizeof(gateway_unsupported) / sizeof(gateway_unsupported[0]), now);
	return json_pack("{so so so}", "instances", instances.list, "addresses", addresses,
	                 "conditions", conditions);
}
