/* SPDX-License-Identifier: Apache-2.0 */
#include "netgroups/inventory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	KEY_MAX = 512
};

static void free_instance(void *value)
{
	struct inventory_instance *instance = value;
	free(instance->cluster);
	free(instance->gateway);
	free(instance->name);
	free(instance->version);
	free(instance);
}

void inventory_init(struct inventory *inventory)
{
	inventory->instances = MAP_EMPTY;
}

void inventory_fini(struct inventory *inventory)
{
	map_fini(&inventory->instances, free_instance);
}

void inventory_see(struct inventory *inventory, const struct inventory_instance *seen)
{
	char key[KEY_MAX];
	snprintf(key, sizeof(key), "%s/%s/%s", seen->cluster, seen->gateway, seen->name);
	struct inventory_instance *old = map_remove(&inventory->instances, str_from(key));
	if (old == NULL && map_len(&inventory->instances) >= INVENTORY_INSTANCES_MAX)
		return;
	if (old != NULL)
		free_instance(old);
	struct inventory_instance *copy = xmemdup(seen, sizeof(*seen));
	copy->cluster = xstrdup(seen->cluster);
	copy->gateway = xstrdup(seen->gateway);
	copy->name = xstrdup(seen->name);
	copy->version = xstrdup(seen->version);
	map_set(&inventory->instances, str_from(key), copy);
}

bool inventory_expire(struct inventory *inventory, int64_t now_ms)
{
	bool changed = false;
	map_for_each (it, &inventory->instances) {
		const struct inventory_instance *instance = map_value(it);
		if (instance->connected || instance->seen_ms + INVENTORY_INSTANCE_MS > now_ms)
			continue;
		free_instance(map_remove(&inventory->instances, map_key(it)));
		changed = true;
	}
	return changed;
}

void inventory_for_each(const struct inventory *inventory, const char *gateway, inventory_cb cb,
                        void *arg)
{
	map_for_each (it, &inventory->instances) {
		const struct inventory_instance *instance = map_value(it);
		if (strcmp(instance->gateway, gateway) == 0)
			cb(instance, arg);
	}
}

struct tally {
	size_t all;
	size_t connected;
	size_t mark;
};

static void count(const struct inventory_instance *instance, void *arg)
{
	struct tally *tally = arg;
	tally->all++;
	tally->connected += instance->connected ? 1 : 0;
	tally->mark += instance->mark ? 1 : 0;
}

static struct tally tally_of(const struct inventory *inventory, const char *gateway)
{
	struct tally tally = {0};
	inventory_for_each(inventory, gateway, count, &tally);
	return tally;
}

size_t inventory_connected(const struct inventory *inventory, const char *gateway)
{
	return tally_of(inventory, gateway).connected;
}

bool inventory_takes_mark(const struct inventory *inventory, const char *gateway)
{
	struct tally tally = tally_of(inventory, gateway);
	return tally.all > 0 && tally.mark == tally.all;
}

/* --- the network of a group ------------------------------------------------------------------- */

static bool is_working(const struct network_input *input, const struct gateway_spec *gateway)
{
	if (inventory_connected(input->inventory, gateway->name) > 0)
		return true;
	for (size_t i = 0; i < gateway->n_addresses && input->reached != NULL; i++) {
		const struct host_port *at = &gateway->addresses[i];
		if (input->reached(at->host, at->port, input->arg))
			return true;
	}
	return false;
}

/* Of an address typed on the group: it belongs to all its gateways. */
static bool all_take_mark(const struct network_input *input)
{
	for (size_t i = 0; i < input->n_gateways; i++) {
		if (!inventory_takes_mark(input->inventory, input->gateways[i]->name))
			return false;
	}
	return input->n_gateways > 0;
}

static void add_address(struct network_result *result, const struct network_input *input,
                        const struct gateway_spec *gateway, const struct host_port *at)
{
	struct mesh_network *network = &result->network;
	struct health_verdict verdict = health_verdict_of(input->health, at->host, at->port);
	network->gateways =
		xrealloc(network->gateways, (network->n_gateways + 1) * sizeof(*network->gateways));
	network->gateways[network->n_gateways++] = (struct mesh_gateway){
		.name = gateway != NULL ? gateway->name : "",
		.cluster = gateway != NULL ? gateway->cluster : "",
		.address = at->host,
		.port = at->port,
		.weight = 1,
		.mark = gateway != NULL ? inventory_takes_mark(input->inventory, gateway->name)
	                                : all_take_mark(input),
		.live = verdict.live,
		.reason = verdict.live ? "" : "every gateway that reports finds it dead",
	};
}

static int by_place(const void *a, const void *b)
{
	const struct mesh_gateway *x = a;
	const struct mesh_gateway *y = b;
	int order = strcmp(x->cluster, y->cluster);
	if (order == 0)
		order = strcmp(x->name, y->name);
	if (order == 0)
		order = strcmp(x->address, y->address);
	return order != 0 ? order : (int)x->port - (int)y->port;
}

static void add_addresses(struct network_result *result, const struct network_input *input)
{
	const struct group_spec *group = input->group;
	for (size_t i = 0; i < group->n_addresses; i++)
		add_address(result, input, NULL, &group->addresses[i]);
	for (size_t i = 0; i < input->n_gateways && group->n_addresses == 0; i++) {
		const struct gateway_spec *gateway = input->gateways[i];
		for (size_t j = 0; j < gateway->n_addresses; j++)
			add_address(result, input, gateway, &gateway->addresses[j]);
	}
	if (result->network.n_gateways > 0)
		qsort(result->network.gateways, result->network.n_gateways,
		      sizeof(*result->network.gateways), by_place);
}

static const char *what_blocks(const struct network_input *input,
                               const struct network_result *result)
{
	if (!input->group->joined)
		return "";
	if (!input->interconnect_enabled)
		return "the interconnect of Mesh 'default' is off (spec.interconnect.enabled)";
	if (input->n_gateways == 0)
		return "the group has no EastWestGateway: create one for one of its clusters";
	if (result->network.n_gateways == 0)
		return "no gateway of the group has an address (spec.addresses)";
	if (result->working == 0)
		return "no gateway of the group works yet: none has connected, and no address "
		       "answers";
	return "";
}

struct network_result network_result_make(const struct network_input *input)
{
	struct network_result result = {.network = {
						.name = input->group->name,
						.source_ranges = input->group->source_ranges,
						.n_source_ranges = input->group->n_source_ranges,
					}};
	for (size_t i = 0; i < input->n_gateways; i++)
		result.working += is_working(input, input->gateways[i]) ? 1 : 0;
	add_addresses(&result, input);
	result.blocking = what_blocks(input, &result);
	result.network.joined = input->group->joined && result.blocking[0] == '\0';
	return result;
}

void network_result_fini(struct network_result *result)
{
	free(result->network.gateways);
	result->network.gateways = NULL;
	result->network.n_gateways = 0;
}
