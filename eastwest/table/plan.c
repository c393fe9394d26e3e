/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a plan is made. A pass is a rule which endpoints count; each pass gives a tier per priority
 * that has such endpoints. Within a pass load is spread by health; a later pass gets load only
 * when those before it have nothing usable. In a priority that is in panic all endpoints are
 * usable, ejected or unhealthy, but for those behind a gateway that is dead.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/lb.h"
#include "table/balance_priv.h"
#include "table/traffic.h"

/* Which endpoints a pass counts. */
enum pass {
	PASS_OWN,         /* of the own network */
	PASS_OWN_CLUSTER, /* of those, ask->cluster's */
	PASS_OWN_OTHERS,  /* and the rest */
	PASS_RELAY,       /* other networks by gateways that take the mark */
	PASS_ALL,
};

/* A weight in a candidate is endpoint weight * SCALE, so that gateways can share it. */
enum {
	SCALE = 1 << 10
};

/* The plan as it grows. */
struct draft {
	const struct ew_ask *ask;
	struct ew_plan *plan;
	struct map *actives;
	uint32_t cap;
	struct lb_level levels[LB_PRIORITIES_MAX]; /* of this pass */
	uint32_t groups[LB_PRIORITIES_MAX];        /* the first group of each */
	const struct ew_group *group;              /* being added */
	bool panic;
};

static bool counts(const struct draft *draft, enum pass pass, const struct ew_endpoint *endpoint)
{
	bool own = endpoint->network == EW_NAME_NONE;
	switch (pass) {
	case PASS_OWN:
		return own;
	case PASS_OWN_CLUSTER:
		return own && endpoint->cluster == draft->ask->cluster;
	case PASS_OWN_OTHERS:
		return own && endpoint->cluster != draft->ask->cluster;
	case PASS_RELAY:
		return !own;
	case PASS_ALL:
		return true;
	}
	return false;
}

static bool is_ejected(const struct draft *draft, const struct addr *addr)
{
	const struct ew_route *route = draft->ask->route;
	return !draft->panic &&
	       ew_traffic_has_ejected(route->traffic, &route->policy.outlier, addr);
}

/* A gateway without a cluster is one of each. */
static bool carries(const struct draft *draft, enum pass pass, const struct ew_gateway *gateway,
                    uint16_t cluster)
{
	if (pass == PASS_RELAY && !gateway->mark)
		return false;
	if (cluster != EW_NAME_NONE && gateway->cluster != EW_NAME_NONE &&
	    gateway->cluster != cluster)
		return false;
	return atomic_load_explicit(&gateway->health->live, memory_order_acquire) &&
	       !is_ejected(draft, &gateway->addr);
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = ew_mix(hash ^ ((const uint8_t *)bytes)[i]);
	return hash;
}

/* By what is the same in every worker and every gateway. */
static uint64_t key_of(const struct draft *draft, const struct ew_candidate *candidate,
                       const struct addr *addr)
{
	const struct ew_names *names = ew_table_names(draft->ask->table);
	const char *cluster = ew_names_text(names, candidate->endpoint->cluster);
	const char *locality = ew_names_text(names, draft->group->locality);
	uint64_t hash = hash_bytes(0, addr->ip.b, sizeof(addr->ip.b));
	hash = hash_bytes(hash, &addr->port, sizeof(addr->port));
	hash = hash_bytes(hash, cluster, strlen(cluster) + 1);
	return hash_bytes(hash, locality, strlen(locality));
}

static void add_candidate(struct draft *draft, const struct ew_endpoint *endpoint,
                          const struct ew_gateway *gateway, uint64_t weight)
{
	struct ew_plan *plan = draft->plan;
	struct addr addr = {endpoint->ip, endpoint->port};
	if (plan->n_candidates == draft->cap) {
		draft->cap = draft->cap > 0 ? 2 * draft->cap : 4;
		plan->candidates =
			xrealloc(plan->candidates, draft->cap * sizeof(*plan->candidates));
	}
	struct ew_candidate *candidate = &plan->candidates[plan->n_candidates++];
	/* a plain weight for now; made cumulative when the tier is whole */
	*candidate = (struct ew_candidate){
		.endpoint = endpoint, .gateway = gateway, .cumulative = weight > 0 ? weight : 1};
	if (gateway != NULL)
		addr = gateway->addr;
	if (plan->lb == EW_LB_SOURCE_IP)
		candidate->key = key_of(draft, candidate, &addr);
	else if (plan->lb == EW_LB_LEAST_CONNECTIONS)
		candidate->active = ew_active_get(draft->actives, &addr);
}

/* Spreads an amount over the gateways that carry it for a cluster, NONE: for any. False: none
 * does. */
static bool add_gateways(struct draft *draft, enum pass pass, const struct ew_endpoint *endpoint,
                         uint16_t cluster, uint64_t weight)
{
	const struct ew_network *network = ew_table_network(draft->ask->table, endpoint->network);
	uint64_t total = 0;
	for (uint32_t i = 0; network != NULL && i < network->n_gateways; i++) {
		if (carries(draft, pass, &network->gateways[i], cluster))
			total += network->gateways[i].weight;
	}
	for (uint32_t i = 0; total > 0 && i < network->n_gateways; i++) {
		const struct ew_gateway *gateway = &network->gateways[i];
		if (carries(draft, pass, gateway, cluster))
			add_candidate(draft, endpoint, gateway,
			              (uint64_t)((__uint128_t)weight * gateway->weight / total));
	}
	return total > 0;
}

static bool is_usable(const struct draft *draft, enum pass pass, const struct ew_endpoint *endpoint)
{
	struct addr addr = {endpoint->ip, endpoint->port};
	if (!endpoint->healthy && !draft->panic)
		return false;
	if (endpoint->network == EW_NAME_NONE)
		return !is_ejected(draft, &addr);
	const struct ew_network *network = ew_table_network(draft->ask->table, endpoint->network);
	for (uint32_t i = 0; network != NULL && i < network->n_gateways; i++) {
		if (carries(draft, pass, &network->gateways[i], EW_NAME_NONE))
			return true;
	}
	return false;
}

/* Weights of a group: all that counts in this pass, and what of it is usable. */
static void sum_group(const struct draft *draft, enum pass pass, const struct ew_group *group,
                      uint64_t *ret_total, uint64_t *ret_usable)
{
	*ret_total = 0;
	*ret_usable = 0;
	for (uint32_t i = group->first; i < group->first + group->n; i++) {
		const struct ew_endpoint *endpoint = &draft->ask->route->endpoints[i];
		if (!counts(draft, pass, endpoint))
			continue;
		*ret_total += endpoint->weight;
		if (is_usable(draft, pass, endpoint))
			*ret_usable += endpoint->weight;
	}
}

/* Group weights count at the egress door only: ingress takes its own endpoints evenly. */
static bool is_weighted(const struct draft *draft, enum pass pass)
{
	return pass == PASS_ALL && draft->ask->route->weighted;
}

static void add_group(struct draft *draft, enum pass pass, const struct ew_group *group)
{
	uint64_t total;
	uint64_t usable;
	draft->group = group;
	sum_group(draft, pass, group, &total, &usable);
	if (usable == 0)
		return;
	uint64_t group_weight =
		is_weighted(draft, pass) ? lb_locality_weight(group->weight, usable, total) : 0;
	for (uint32_t i = group->first; i < group->first + group->n; i++) {
		const struct ew_endpoint *endpoint = &draft->ask->route->endpoints[i];
		if (!counts(draft, pass, endpoint) || !is_usable(draft, pass, endpoint))
			continue;
		uint64_t weight = (uint64_t)endpoint->weight * SCALE;
		if (is_weighted(draft, pass))
			weight = (uint64_t)((__uint128_t)weight * group_weight / usable);
		/* the gateways of its cluster, or else any of its network */
		if (endpoint->network == EW_NAME_NONE)
			add_candidate(draft, endpoint, NULL, weight);
		else if (!add_gateways(draft, pass, endpoint, endpoint->cluster, weight))
			add_gateways(draft, pass, endpoint, EW_NAME_NONE, weight);
	}
}

static bool is_skipped(const struct draft *draft, enum pass pass, const struct ew_group *group)
{
	return is_weighted(draft, pass) && group->weight == 0;
}

/* How much there is in each priority in which something counts; the number of those. */
static uint32_t sum_levels(struct draft *draft, enum pass pass)
{
	const struct ew_route *route = draft->ask->route;
	uint32_t n = 0;
	for (uint32_t g = 0; g < route->n_groups;) {
		uint8_t priority = route->groups[g].priority;
		struct lb_level level = {.total = 0};
		uint32_t first = g;
		for (; g < route->n_groups && route->groups[g].priority == priority; g++) {
			uint64_t total;
			uint64_t usable;
			if (is_skipped(draft, pass, &route->groups[g]))
				continue;
			sum_group(draft, pass, &route->groups[g], &total, &usable);
			level.total += total;
			level.healthy += usable;
		}
		if (level.total == 0 || n == LB_PRIORITIES_MAX)
			continue;
		draft->groups[n] = first;
		draft->levels[n++] = level;
	}
	return n;
}

/* A tier for a level of this pass. */
static void add_tier(struct draft *draft, enum pass pass, uint32_t level, bool has_load)
{
	const struct ew_route *route = draft->ask->route;
	struct ew_plan *plan = draft->plan;
	struct ew_tier *tier = &plan->tiers[plan->n_tiers++];
	uint32_t before = plan->n_candidates;
	uint32_t first = draft->groups[level];
	draft->panic = draft->levels[level].panic;
	for (uint32_t g = first;
	     g < route->n_groups && route->groups[g].priority == route->groups[first].priority;
	     g++) {
		if (!is_skipped(draft, pass, &route->groups[g]))
			add_group(draft, pass, &route->groups[g]);
	}
	draft->panic = false;
	tier->n = plan->n_candidates - before;
	tier->load = has_load ? draft->levels[level].load : 0;
}

static void add_pass(struct draft *draft, enum pass pass)
{
	struct ew_plan *plan = draft->plan;
	uint32_t n = sum_levels(draft, pass);
	bool spread = lb_spread(draft->levels, n, draft->ask->route->policy.panic_percent);
	bool has_load = spread && !plan->usable;
	for (uint32_t i = 0; i < n; i++)
		add_tier(draft, pass, i, has_load);
	plan->usable |= spread;
}

static void add_passes(struct draft *draft)
{
	switch (draft->ask->scope) {
	case EW_SCOPE_INGRESS:
		add_pass(draft, PASS_OWN);
		add_pass(draft, PASS_RELAY);
		return;
	case EW_SCOPE_MARKED:
		if (draft->ask->cluster == EW_NAME_NONE) {
			add_pass(draft, PASS_OWN);
			return;
		}
		add_pass(draft, PASS_OWN_CLUSTER);
		add_pass(draft, PASS_OWN_OTHERS);
		return;
	case EW_SCOPE_EGRESS:
		add_pass(draft, PASS_ALL);
		return;
	}
}

/* Addresses that can be ejected: own endpoints, and gateways of the networks that the route names.
 */
static uint32_t count_hosts(const struct ew_ask *ask)
{
	const struct ew_route *route = ask->route;
	uint32_t n_networks = ew_table_n_networks(ask->table);
	bool *seen = xcalloc(n_networks + 1, sizeof(*seen));
	uint32_t n = 0;
	for (uint32_t i = 0; i < route->n_endpoints; i++)
		n += route->endpoints[i].network == EW_NAME_NONE;
	for (uint32_t i = 0; i < route->n_endpoints; i++) {
		uint16_t name = route->endpoints[i].network;
		for (uint32_t k = 0; name != EW_NAME_NONE && k < n_networks; k++) {
			const struct ew_network *network = ew_table_network_at(ask->table, k);
			if (network->name != name || seen[k])
				continue;
			seen[k] = true;
			n += network->n_gateways;
		}
	}
	free(seen);
	return n;
}

static void make_cumulative(struct ew_plan *plan)
{
	uint32_t at = 0;
	for (uint32_t t = 0; t < plan->n_tiers; t++) {
		struct ew_tier *tier = &plan->tiers[t];
		tier->candidates = plan->candidates != NULL ? plan->candidates + at : NULL;
		uint64_t sum = 0;
		for (uint32_t i = 0; i < tier->n; i++) {
			sum += tier->candidates[i].cumulative;
			tier->candidates[i].cumulative = sum;
		}
		at += tier->n;
	}
}

struct ew_plan *ew_plan_create(const struct ew_ask *ask, struct map *actives)
{
	const struct ew_route *route = ask->route;
	const struct ew_outlier_policy *outlier = &route->policy.outlier;
	struct ew_plan *plan = xcalloc(1, sizeof(*plan));
	plan->route_id = route->id;
	plan->networks_version = ew_table_networks_version(ask->table);
	plan->generation = ask->generation;
	plan->ejections = ew_traffic_generation(route->traffic, outlier, ask->now_ms);
	plan->scope = ask->scope;
	plan->cluster = ask->cluster;
	plan->lb = route->policy.lb;
	plan->n_hosts = outlier->consecutive > 0 ? count_hosts(ask) : 0;
	/* two passes at most, a tier for each priority */
	plan->tiers = xcalloc(2u * route->n_priorities + 1, sizeof(*plan->tiers));
	struct draft draft = {.ask = ask, .plan = plan, .actives = actives};
	add_passes(&draft);
	make_cumulative(plan);
	return plan;
}

void ew_plan_destroy(struct ew_plan *plan)
{
	if (plan == NULL)
		return;
	for (uint32_t i = 0; plan->lb == EW_LB_LEAST_CONNECTIONS && i < plan->n_candidates; i++)
		ew_active_unref(plan->candidates[i].active);
	free(plan->tiers);
	free(plan->candidates);
	free(plan);
}
