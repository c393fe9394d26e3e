/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balance_priv - the plan: what a door of a route comes down to at a moment.
 */
#pragma once

#include "eastwest/balance.h"

struct ew_candidate {
	const struct ew_endpoint *endpoint;
	const struct ew_gateway *gateway; /* NULL: the endpoint itself */
	uint64_t cumulative;              /* weight of this one and all before it in the tier */
};

struct ew_tier {
	uint8_t load; /* percent */
	uint32_t n;
	struct ew_candidate *candidates; /* borrowed from the plan */
};

struct ew_plan {
	struct ew_plan *next;
	uint64_t table_version; /* of the table whose endpoints the candidates point to */
	uint32_t generation;
	enum ew_scope scope;
	uint16_t cluster;
	bool usable; /* the loads add up to 100 */
	uint32_t n_tiers;
	uint32_t n_candidates;
	struct ew_tier *tiers;           /* owned */
	struct ew_candidate *candidates; /* owned */
};

/* Never NULL. Valid as long as the table of ask lives. */
struct ew_plan *ew_plan_create(const struct ew_ask *ask);
void ew_plan_destroy(struct ew_plan *plan);
