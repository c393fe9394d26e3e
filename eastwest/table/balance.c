/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan lists, for one door of a route, tiers of candidates with cumulative weights; every remote
 * entry is spread over the live gateways that carry it. A choice is one number between 0 and 1: it
 * gives the tier by load, and what is left of it the candidate. The numbers are turn * golden ratio
 * modulo 1, the sequence whose points lie most evenly however many of them are taken.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "table/balance_priv.h"
#include "table/traffic.h"

enum {
	PLANS_MAX = 8 /* of one route in one worker; marks name few clusters */
};

/* 2^64 / golden ratio, odd. */
static const uint64_t STRIDE = 0x9e3779b97f4a7c15u;
/* How far apart workers stand: 2^64 * (sqrt(2) - 1). */
static const uint64_t WORKER_STRIDE = 0x6a09e667f3bcc908u;

void ew_balance_init(struct ew_balance *balance, uint32_t worker)
{
	*balance = (struct ew_balance){.turn = worker * WORKER_STRIDE};
}

void ew_balance_fini(struct ew_balance *balance)
{
	for (struct ew_plan *plan = balance->plans; plan != NULL;) {
		struct ew_plan *next = plan->next;
		ew_plan_destroy(plan);
		plan = next;
	}
	balance->plans = NULL;
	ew_active_fini(&balance->actives);
}

static bool fits(const struct ew_plan *plan, const struct ew_ask *ask)
{
	return plan->scope == ask->scope && plan->cluster == ask->cluster;
}

static bool is_fresh(const struct ew_plan *plan, const struct ew_ask *ask)
{
	const struct ew_route *route = ask->route;
	return plan->route_id == route->id && plan->generation == ask->generation &&
	       plan->networks_version == ew_table_networks_version(ask->table) &&
	       plan->ejections ==
	               ew_traffic_generation(route->traffic, &route->policy.outlier, ask->now_ms);
}

static const struct ew_plan *get_plan(struct ew_balance *balance, const struct ew_ask *ask)
{
	struct ew_plan **at = &balance->plans;
	unsigned n = 0;
	while (*at != NULL && !fits(*at, ask)) {
		n++;
		/* too many: the last one makes room */
		if (n == PLANS_MAX)
			break;
		at = &(*at)->next;
	}
	if (*at != NULL && fits(*at, ask) && is_fresh(*at, ask))
		return *at;
	struct ew_plan *old = *at;
	struct ew_plan *plan = ew_plan_create(ask, &balance->actives);
	plan->next = old != NULL ? old->next : NULL;
	*at = plan;
	if (old != NULL) {
		ew_plan_destroy(old);
		ew_active_sweep(&balance->actives);
	}
	return plan;
}

static const struct ew_tier *tier_by_load(const struct ew_plan *plan, uint64_t *x)
{
	uint64_t percent = ew_scale(x, 100);
	uint64_t below = 0;
	for (uint32_t i = 0; i < plan->n_tiers; i++) {
		const struct ew_tier *tier = &plan->tiers[i];
		if (percent < below + tier->load) {
			/* a fraction of the tier again: (percent - below + x) / load */
			__uint128_t in_tier = (__uint128_t)(percent - below) << 64 | *x;
			*x = (uint64_t)(in_tier / tier->load);
			return tier;
		}
		below += tier->load;
	}
	return NULL;
}

static unsigned tries_in(const struct ew_tries *tries, uint32_t tier)
{
	unsigned n = 0;
	for (uint8_t i = 0; i < tries->n; i++)
		n += tries->tier[i] == tier;
	return n;
}

/* Where a connection that failed goes on: its priority for one more, then the ones behind it, then
 * those before. */
static const struct ew_candidate *pick_again(const struct ew_plan *plan,
                                             const struct ew_tries *tries, uint8_t *ret_tier)
{
	uint32_t first = tries->tier[tries->n - 1];
	for (uint32_t i = 0; i < plan->n_tiers; i++) {
		uint32_t tier = (first + i) % plan->n_tiers;
		if (tries_in(tries, tier) >= EW_TRIES_TIER_MAX)
			continue;
		struct ew_draw draw = {tries->turn, tries->turn};
		const struct ew_candidate *candidate =
			ew_pick(plan->lb, &plan->tiers[tier], tries, draw);
		if (candidate != NULL) {
			*ret_tier = (uint8_t)tier;
			return candidate;
		}
	}
	return NULL;
}

/* What the connection is known by for all its choices. */
static uint64_t draw_turn(struct ew_balance *balance, const struct ew_ask *ask)
{
	uint64_t hash = 0;
	if (ask->route->policy.lb != EW_LB_SOURCE_IP || ask->source == NULL)
		return balance->turn += STRIDE;
	for (size_t i = 0; i < sizeof(ask->source->b); i++)
		hash = hash << 8 ^ hash >> 56 ^ ask->source->b[i];
	return ew_mix(hash + STRIDE);
}

static const struct ew_candidate *pick_first(const struct ew_plan *plan, struct ew_tries *tries,
                                             uint8_t *ret_tier)
{
	struct ew_draw draw = {tries->turn, tries->turn};
	if (!plan->usable)
		return NULL;
	const struct ew_tier *tier = tier_by_load(plan, &draw.x);
	if (tier == NULL)
		return NULL;
	*ret_tier = (uint8_t)(tier - plan->tiers);
	const struct ew_candidate *candidate = ew_pick(plan->lb, tier, tries, draw);
	/* a gateway may have died while the plan was made */
	for (uint32_t i = 0; candidate == NULL && i < plan->n_tiers; i++) {
		*ret_tier = (uint8_t)i;
		candidate = ew_pick(plan->lb, &plan->tiers[i], tries, draw);
	}
	return candidate;
}

/* --- seats ------------------------------------------------------------------------------------ */

static void leave_address(struct ew_seat *seat)
{
	if (seat->active == NULL)
		return;
	seat->active->conns--;
	ew_active_unref(seat->active);
	seat->active = NULL;
}

/* Counts the connection on its route. False: there are as many as may be. */
static bool take_seat(const struct ew_ask *ask)
{
	struct ew_traffic *traffic = ask->route->traffic;
	uint32_t max = ask->route->policy.max_connections;
	if (ask->seat == NULL || ask->seat->traffic != NULL)
		return true;
	uint32_t before = atomic_fetch_add_explicit(&traffic->connections, 1, memory_order_relaxed);
	if (max > 0 && before >= max) {
		atomic_fetch_sub_explicit(&traffic->connections, 1, memory_order_relaxed);
		return false;
	}
	ask->seat->traffic = ew_traffic_ref(traffic);
	return true;
}

static void sit(const struct ew_ask *ask, const struct ew_plan *plan,
                const struct ew_candidate *candidate)
{
	if (ask->seat == NULL || plan->lb != EW_LB_LEAST_CONNECTIONS)
		return;
	ask->seat->active = ew_active_ref(candidate->active);
	candidate->active->conns++;
}

void ew_seat_release(struct ew_seat *seat)
{
	leave_address(seat);
	if (seat->traffic != NULL)
		atomic_fetch_sub_explicit(&seat->traffic->connections, 1, memory_order_relaxed);
	ew_traffic_unref(seat->traffic);
	seat->traffic = NULL;
}

void ew_seat_move(struct ew_seat *seat, struct ew_seat *from)
{
	leave_address(seat);
	seat->active = from->active;
	from->active = NULL;
}

/* --- choice ----------------------------------------------------------------------------------- */

static const struct ew_candidate *next_candidate(struct ew_balance *balance,
                                                 const struct ew_ask *ask,
                                                 const struct ew_plan *plan, struct ew_tries *tries,
                                                 uint8_t *ret_tier)
{
	if (tries->n > 0)
		return pick_again(plan, tries, ret_tier);
	tries->turn = draw_turn(balance, ask);
	return pick_first(plan, tries, ret_tier);
}

static void fill_choice(const struct ew_plan *plan, const struct ew_candidate *candidate,
                        struct ew_choice *choice)
{
	const struct ew_endpoint *endpoint = candidate->endpoint;
	*choice = (struct ew_choice){
		.addr = {.ip = endpoint->ip, .port = endpoint->port},
		.gateway = candidate->gateway,
		.endpoint = endpoint,
		.cluster = endpoint->cluster,
		.network = endpoint->network,
		.n_hosts = plan->n_hosts,
	};
	if (candidate->gateway != NULL)
		choice->addr = candidate->gateway->addr;
}

bool ew_balance_choose(struct ew_balance *balance, const struct ew_ask *ask, struct ew_tries *tries,
                       struct ew_choice *ret_choice)
{
	uint8_t tier = 0;
	if (tries->n >= EW_TRIES_MAX)
		return false;
	tries->full = tries->n == 0 && !take_seat(ask);
	if (tries->full)
		return false;
	if (ask->seat != NULL)
		leave_address(ask->seat);
	const struct ew_plan *plan = get_plan(balance, ask);
	const struct ew_candidate *candidate = next_candidate(balance, ask, plan, tries, &tier);
	if (candidate == NULL)
		return false;
	sit(ask, plan, candidate);
	tries->target[tries->n] = ew_candidate_target(candidate);
	tries->tier[tries->n] = tier;
	tries->n++;
	fill_choice(plan, candidate, ret_choice);
	return true;
}

bool ew_balance_has(struct ew_balance *balance, const struct ew_ask *ask)
{
	return get_plan(balance, ask)->usable;
}
