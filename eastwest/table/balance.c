/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan lists, for one door of a route, tiers of candidates with cumulative weights; every remote
 * entry is spread over the live gateways that carry it. A choice is one number between 0 and 1,
 * turned into a candidate by the shares: first the tier, then, with what is left of the number, the
 * candidate. The numbers are turn * golden ratio modulo 1, the sequence whose points lie most
 * evenly however many of them are taken.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "table/balance_priv.h"

enum {
	PLANS_MAX = 8 /* of one route in one worker; marks name few clusters */
};

/* 2^64 / golden ratio, odd. */
static const uint64_t STRIDE = 0x9e3779b97f4a7c15u;
/* How far apart workers stand: 2^64 * (sqrt(2) - 1). */
static const uint64_t WORKER_STRIDE = 0x6a09e667f3bcc908u;

void ew_balance_init(struct ew_balance *balance, uint32_t worker)
{
	balance->turn = worker * WORKER_STRIDE;
	balance->plans = NULL;
}

void ew_balance_fini(struct ew_balance *balance)
{
	for (struct ew_plan *plan = balance->plans; plan != NULL;) {
		struct ew_plan *next = plan->next;
		ew_plan_destroy(plan);
		plan = next;
	}
	balance->plans = NULL;
}

static bool fits(const struct ew_plan *plan, const struct ew_ask *ask)
{
	return plan->scope == ask->scope && plan->cluster == ask->cluster;
}

static bool is_fresh(const struct ew_plan *plan, const struct ew_ask *ask)
{
	return plan->generation == ask->generation &&
	       plan->table_version == ew_table_version(ask->table);
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
	struct ew_plan *plan = ew_plan_create(ask);
	plan->next = old != NULL ? old->next : NULL;
	*at = plan;
	if (old != NULL)
		ew_plan_destroy(old);
	return plan;
}

/* The whole part of x * n, with x a fraction of 2^64; what is left becomes x. */
static uint64_t scale(uint64_t *x, uint64_t n)
{
	__uint128_t product = (__uint128_t)*x * n;
	*x = (uint64_t)product;
	return (uint64_t)(product >> 64);
}

static const struct ew_tier *tier_by_load(const struct ew_plan *plan, uint64_t *x)
{
	uint64_t percent = scale(x, 100);
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

/* The first candidate whose cumulative weight is over the number. */
static uint32_t by_weight(const struct ew_tier *tier, uint64_t number)
{
	uint32_t low = 0;
	uint32_t high = tier->n - 1;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (tier->candidates[mid].cumulative > number)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static const void *target_of(const struct ew_candidate *candidate)
{
	return candidate->gateway != NULL ? (const void *)candidate->gateway
	                                  : (const void *)candidate->endpoint;
}

static bool was_tried(const struct ew_tries *tries, const struct ew_candidate *candidate)
{
	for (uint8_t i = 0; i < tries->n; i++) {
		if (tries->target[i] == target_of(candidate))
			return true;
	}
	return false;
}

/* By weight, and when that one was tried already the next one that was not. NULL: all were. */
static const struct ew_candidate *pick(const struct ew_tier *tier, const struct ew_tries *tries,
                                       uint64_t x)
{
	if (tier->n == 0)
		return NULL;
	uint64_t total = tier->candidates[tier->n - 1].cumulative;
	uint32_t at = by_weight(tier, scale(&x, total));
	for (uint32_t i = 0; i < tier->n; i++) {
		const struct ew_candidate *candidate = &tier->candidates[(at + i) % tier->n];
		if (!was_tried(tries, candidate))
			return candidate;
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
		const struct ew_candidate *candidate = pick(&plan->tiers[tier], tries, tries->turn);
		if (candidate != NULL) {
			*ret_tier = (uint8_t)tier;
			return candidate;
		}
	}
	return NULL;
}

static const struct ew_candidate *pick_first(struct ew_balance *balance, const struct ew_plan *plan,
                                             struct ew_tries *tries, uint8_t *ret_tier)
{
	if (!plan->usable)
		return NULL;
	balance->turn += STRIDE;
	tries->turn = balance->turn;
	uint64_t x = balance->turn;
	const struct ew_tier *tier = tier_by_load(plan, &x);
	if (tier == NULL)
		return NULL;
	*ret_tier = (uint8_t)(tier - plan->tiers);
	const struct ew_candidate *candidate = pick(tier, tries, x);
	/* a gateway may have died while the plan was made */
	for (uint32_t i = 0; candidate == NULL && i < plan->n_tiers; i++) {
		*ret_tier = (uint8_t)i;
		candidate = pick(&plan->tiers[i], tries, x);
	}
	return candidate;
}

bool ew_balance_choose(struct ew_balance *balance, const struct ew_ask *ask, struct ew_tries *tries,
                       struct ew_choice *ret_choice)
{
	if (tries->n >= EW_TRIES_MAX)
		return false;
	const struct ew_plan *plan = get_plan(balance, ask);
	uint8_t tier = 0;
	const struct ew_candidate *candidate = tries->n == 0
	                                               ? pick_first(balance, plan, tries, &tier)
	                                               : pick_again(plan, tries, &tier);
	if (candidate == NULL)
		return false;
	tries->target[tries->n] = target_of(candidate);
	tries->tier[tries->n] = tier;
	tries->n++;
	const struct ew_endpoint *endpoint = candidate->endpoint;
	*ret_choice = (struct ew_choice){
		.addr = {.ip = endpoint->ip, .port = endpoint->port},
		.gateway = candidate->gateway,
		.cluster = endpoint->cluster,
		.network = endpoint->network,
	};
	if (candidate->gateway != NULL)
		ret_choice->addr = candidate->gateway->addr;
	return true;
}

bool ew_balance_has(struct ew_balance *balance, const struct ew_ask *ask)
{
	return get_plan(balance, ask)->usable;
}
