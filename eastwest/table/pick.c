/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one of a tier's candidates is picked, for each kind of load balancing.
 */
#include <math.h>

#include "table/balance_priv.h"

/* The finalizer of a 64-bit hash: every bit of x moves half the bits of the result. */
uint64_t ew_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint64_t ew_scale(uint64_t *x, uint64_t n)
{
	__uint128_t product = (__uint128_t)*x * n;
	*x = (uint64_t)product;
	return (uint64_t)(product >> 64);
}

const void *ew_candidate_target(const struct ew_candidate *candidate)
{
	return candidate->gateway != NULL ? (const void *)candidate->gateway
	                                  : (const void *)candidate->endpoint;
}

static bool was_tried(const struct ew_tries *tries, const struct ew_candidate *candidate)
{
	for (uint8_t i = 0; i < tries->n; i++) {
		if (tries->target[i] == ew_candidate_target(candidate))
			return true;
	}
	return false;
}

static uint64_t weight_of(const struct ew_tier *tier, const struct ew_candidate *candidate)
{
	return candidate->cumulative -
	       (candidate > tier->candidates ? candidate[-1].cumulative : 0);
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

/* By weight, and when that one was tried already, or is `but`, the next one. */
static const struct ew_candidate *in_turn(const struct ew_tier *tier, const struct ew_tries *tries,
                                          uint64_t x, const struct ew_candidate *but)
{
	uint64_t total = tier->candidates[tier->n - 1].cumulative;
	uint32_t at = by_weight(tier, ew_scale(&x, total));
	for (uint32_t i = 0; i < tier->n; i++) {
		const struct ew_candidate *candidate = &tier->candidates[(at + i) % tier->n];
		if (candidate != but && !was_tried(tries, candidate))
			return candidate;
	}
	return NULL;
}

/* Weight brings a candidate into the two; fewer connections for its weight win. With none at either
 * the first one, so that an idle route is spread evenly. */
static const struct ew_candidate *less_busy(const struct ew_tier *tier,
                                            const struct ew_tries *tries, struct ew_draw draw)
{
	const struct ew_candidate *a = in_turn(tier, tries, draw.x, NULL);
	const struct ew_candidate *b = in_turn(tier, tries, ew_mix(draw.turn), a);
	if (a == NULL || b == NULL)
		return a;
	__uint128_t busy_a = (__uint128_t)a->active->conns * weight_of(tier, b);
	__uint128_t busy_b = (__uint128_t)b->active->conns * weight_of(tier, a);
	return busy_a <= busy_b ? a : b;
}

/* -ln(u) / weight is smallest for each candidate as often as its weight says, and what the others
 * draw has no part in it. Candidates of equal weight are compared without a logarithm. */
static const struct ew_candidate *by_source(const struct ew_tier *tier,
                                            const struct ew_tries *tries, uint64_t source)
{
	const struct ew_candidate *best = NULL;
	uint64_t best_hash = 0;
	uint64_t best_weight = 0;
	for (uint32_t i = 0; i < tier->n; i++) {
		const struct ew_candidate *candidate = &tier->candidates[i];
		uint64_t hash = ew_mix(source ^ candidate->key);
		uint64_t weight = weight_of(tier, candidate);
		bool better = hash > best_hash;
		if (best != NULL && weight != best_weight) {
			double own = -log(((double)(hash >> 11) + 0.5) * 0x1p-53);
			double other = -log(((double)(best_hash >> 11) + 0.5) * 0x1p-53);
			better = own * (double)best_weight < other * (double)weight;
		}
		if ((best != NULL && !better) || was_tried(tries, candidate))
			continue;
		best = candidate;
		best_hash = hash;
		best_weight = weight;
	}
	return best;
}

const struct ew_candidate *ew_pick(enum ew_lb lb, const struct ew_tier *tier,
                                   const struct ew_tries *tries, struct ew_draw draw)
{
	if (tier->n == 0)
		return NULL;
	switch (lb) {
	case EW_LB_ROUND_ROBIN:
		return in_turn(tier, tries, draw.x, NULL);
	case EW_LB_LEAST_CONNECTIONS:
		return less_busy(tier, tries, draw);
	case EW_LB_RANDOM:
		return in_turn(tier, tries, ew_mix(draw.turn), NULL);
	case EW_LB_SOURCE_IP:
		return by_source(tier, tries, draw.turn);
	}
	return NULL;
}
