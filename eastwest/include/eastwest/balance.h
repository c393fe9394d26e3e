/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balance - which endpoint a connection is sent to, and which one next when that fails.
 *
 * Pure and deterministic. Shares follow from the route: load of priorities by Envoy's arithmetic
 * (overprovisioning 1.4, panic threshold 0), then locality weights, then endpoint weights, then the
 * live gateways of a remote network. Turns come from an evenly spread sequence, so that any run of
 * N choices gives every endpoint its share of N to within a few. Each worker stands at another
 * place of the sequence; the place outlives the table.
 *
 * A plan is what one door of one route comes down to: tiers of candidates with cumulative weights.
 * It is made when first needed and again after a table swap or a change of liveness.
 * Source: architecture, "Routing" and "Failures before the first answer are invisible".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "eastwest/table.h"

enum {
	EW_TRIES_MAX = 4,     /* the first and three more */
	EW_TRIES_TIER_MAX = 2 /* of them in one priority */
};

enum ew_scope {
	EW_SCOPE_INGRESS, /* own endpoints; when none is usable, other networks that take the mark
	                   */
	EW_SCOPE_MARKED,  /* own endpoints only, those of ask.cluster first */
	EW_SCOPE_EGRESS,  /* all endpoints */
};

/* What is asked for. All borrowed. */
struct ew_ask {
	const struct ew_table *table;
	const struct ew_route *route; /* of that table */
	uint32_t generation;          /* ew_health_generation() */
	enum ew_scope scope;
	uint16_t cluster; /* MARKED: EW_NAME_NONE for any */
};

struct ew_choice {
	struct addr addr;
	const struct ew_gateway *gateway; /* NULL: an endpoint of the own network. Of the table */
	uint16_t cluster;                 /* of the endpoint, EW_NAME_NONE if not known */
	uint16_t network;                 /* EW_NAME_NONE: own */
};

/* A connection's memory of where it was sent so far. Zeroed at first. */
struct ew_tries {
	uint64_t turn;
	const void *target[EW_TRIES_MAX];
	uint8_t tier[EW_TRIES_MAX];
	uint8_t n;
};

struct ew_plan;

/* A worker's place in the sequence of one route, and its plans. */
struct ew_balance {
	uint64_t turn;
	struct ew_plan *plans; /* owned */
};

void ew_balance_init(struct ew_balance *balance, uint32_t worker);
/* Frees; harmless on zeroed memory. */
void ew_balance_fini(struct ew_balance *balance);

/*
 * The next endpoint for a connection; tries is moved on. A first choice follows the shares. Later
 * ones never name an endpoint twice, stay in a priority for one more, then go to the next one
 * whatever its load. False: nothing usable, or EW_TRIES_MAX reached.
 */
bool ew_balance_choose(struct ew_balance *balance, const struct ew_ask *ask, struct ew_tries *tries,
                       struct ew_choice *ret_choice);

/* Is there something to choose at all? */
bool ew_balance_has(struct ew_balance *balance, const struct ew_ask *ask);
