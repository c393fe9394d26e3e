/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balance_priv - the plan: what a door of a route comes down to at a moment; and how one of a
 * tier's candidates is picked.
 */
#pragma once

#include "eastwest/balance.h"
#include "table/active.h"

struct ew_candidate {
	const struct ew_endpoint *endpoint;
	const struct ew_gateway *gateway; /* NULL: the endpoint itself */
	uint64_t cumulative;              /* weight of this one and all before it in the tier */
	union {
		uint64_t key;             /* SOURCE_IP: the same in every process */
		struct ew_active *active; /* LEAST_CONNECTIONS: a reference */
	};
};

struct ew_tier {
	uint8_t load; /* percent */
	uint32_t n;
	struct ew_candidate *candidates; /* borrowed from the plan */
};

struct ew_plan {
	struct ew_plan *next;
	uint64_t route_id; /* of the route whose endpoints the candidates point to */
	uint64_t networks_version;
	uint32_t generation; /* of liveness */
	uint32_t ejections;  /* generation of what is ejected */
	enum ew_scope scope;
	uint16_t cluster;
	enum ew_lb lb;
	bool usable; /* the loads add up to 100 */
	uint32_t n_hosts;
	uint32_t n_tiers;
	uint32_t n_candidates;
	struct ew_tier *tiers;           /* owned */
	struct ew_candidate *candidates; /* owned */
};

/* Never NULL. Valid as long as the table of ask lives. */
struct ew_plan *ew_plan_create(const struct ew_ask *ask, struct map *actives);
void ew_plan_destroy(struct ew_plan *plan);

/* --- pick.c ----------------------------------------------------------------------------------- */

/* A number without pattern for each number. */
uint64_t ew_mix(uint64_t x);
/* The whole part of x * n, with x a fraction of 2^64; what is left becomes x. */
uint64_t ew_scale(uint64_t *x, uint64_t n);

/* Who a connection came from, as a number: a turn, or the hash of its source. */
struct ew_draw {
	uint64_t turn;
	uint64_t x; /* a fraction of 2^64 */
};

/* A candidate of the tier that was not tried. NULL: all were. */
const struct ew_candidate *ew_pick(enum ew_lb lb, const struct ew_tier *tier,
                                   const struct ew_tries *tries, struct ew_draw draw);
const void *ew_candidate_target(const struct ew_candidate *candidate);
