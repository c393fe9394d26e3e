/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a plan is made. A pass is a rule which endpoints count; each pass gives a tier per priority
 * that has such endpoints. Within a pass load is spread by health; a later pass gets load only
 * when those before it have nothing usable.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model/lb.h"
#include "table/balance_priv.h"

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
	uint32_t cap;
	struct lb_level levels[LB_PRIORITIES_MAX]; /* of this pass */
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

static bool carries(const struct ew_gateway *gateway, enum pass pass, uint16_t cluster, bool any)
{
	if (pass == PASS_RELAY && !gateway->mark)
		return false;
	if (!any && gateway->cluster != cluster)
		return false;
	return atomic_load_explicit(&gateway->health->live, memory_order_acquire);
}

static void add_candidate(struct draft *draft, const struct ew_endpoint *endpoint,
                          const struct ew_gateway *gateway, uint64_t weight)
{
	struct ew_plan *plan = draft->plan;
	if (plan->n_candidates == draft->cap) {
		draft->cap = draft->cap > 0 ? 2 * draft->cap : 4;
		plan->candidates =
			xrealloc(plan->candidates, draft->cap * sizeof(*plan->candidates));
	}
	/* a plain weight for now; made cumulative when the tier is whole */
	plan->candidates[plan->n_candidates++] =
		(struct ew_candidate){endpoint, gateway, weight > 0 ? weight : 1};
}

/* Spreads a remote entry over the gateways that carry it: those of its cluster, else any of the
 * network. False: none is live. */
static bool add_remote(struct draft *draft, enum pass pass, const struct ew_endpoint *endpoint,
                       uint64_t weight)
{
	const struct ew_network *network = ew_table_network(draft->ask->table, endpoint->network);
	for (int any = endpoint->cluster == EW_NAME_NONE; network != NULL && any < 2; any++) {
		uint64_t total = 0;
		for (uint32_t i = 0; i < network->n_gateways; i++) {
			if (carries(&network->gateways[i], pass, endpoint->cluster, any))
				total += network->gateways[i].weight;
		}
		for (uint32_t i = 0; total > 0 && i < network->n_gateways; i++) {
			const struct ew_gateway *gateway = &network->gateways[i];
			if (carries(gateway, pass, endpoint->cluster, any))
				add_candidate(
					draft, endpoint, gateway,
					(uint64_t)((__uint128_t)weight * gateway->weight / total));
		}
		if (total > 0)
			return true;
	}
	return false;
}

static bool is_usable(const struct draft *draft, enum pass pass, const struct ew_endpoint *endpoint)
{
	if (!endpoint->healthy || endpoint->network == EW_NAME_NONE)
		return endpoint->healthy;
	const struct ew_network *network = ew_table_network(draft->ask->table, endpoint->network);
	for (uint32_t i = 0; network != NULL && i < network->n_gateways; i++) {
		if (carries(&network->gateways[i], pass, EW_NAME_NONE, true))
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
		if (endpoint->network == EW_NAME_NONE)
			add_candidate(draft, endpoint, NULL, weight);
		else
			add_remote(draft, pass, endpoint, weight);
	}
}

static bool is_skipped(const struct draft *draft, enum pass pass, const struct ew_group *group)
{
	return is_weighted(draft, pass) && group->weight == 0;
}

/* One tier for each priority in which something counts. Fills levels in the order of tiers. */
static void add_tiers(struct draft *draft, enum pass pass)
{
	const struct ew_route *route = draft->ask->route;
	struct ew_plan *plan = draft->plan;
	for (uint32_t g = 0; g < route->n_groups;) {
		uint8_t priority = route->groups[g].priority;
		struct lb_level level = {.total = 0};
		uint32_t first = plan->n_candidates;
		for (; g < route->n_groups && route->groups[g].priority == priority; g++) {
			uint64_t total;
			uint64_t usable;
			if (is_skipped(draft, pass, &route->groups[g]))
				continue;
			sum_group(draft, pass, &route->groups[g], &total, &usable);
			level.total += total;
			level.healthy += usable;
			add_group(draft, pass, &route->groups[g]);
		}
		if (level.total == 0 || plan->n_tiers == LB_PRIORITIES_MAX)
			continue;
		draft->levels[plan->n_tiers] = level;
		plan->tiers[plan->n_tiers++].n = plan->n_candidates - first;
	}
}

static void add_pass(struct draft *draft, enum pass pass)
{
	struct ew_plan *plan = draft->plan;
	uint32_t first = plan->n_tiers;
	add_tiers(draft, pass);
	bool spread = lb_spread(draft->levels + first, plan->n_tiers - first, 0);
	if (plan->usable || !spread)
		return;
	for (uint32_t i = first; i < plan->n_tiers; i++)
		plan->tiers[i].load = draft->levels[i].load;
	plan->usable = true;
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

struct ew_plan *ew_plan_create(const struct ew_ask *ask)
{
	struct ew_plan *plan = xcalloc(1, sizeof(*plan));
	plan->table_version = ew_table_version(ask->table);
	plan->generation = ask->generation;
	plan->scope = ask->scope;
	plan->cluster = ask->cluster;
	/* two passes at most, a tier for each priority */
	plan->tiers = xcalloc(2u * ask->route->n_priorities + 1, sizeof(*plan->tiers));
	struct draft draft = {.ask = ask, .plan = plan};
	add_passes(&draft);
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
	return plan;
}

void ew_plan_destroy(struct ew_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->tiers);
	free(plan->candidates);
	free(plan);
}
