/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balance - which endpoint a connection is sent to, and which one next when that fails.
 *
 * Shares follow from the route: load of priorities by Envoy's arithmetic (overprovisioning 1.4, no
 * panic unless the policy has a threshold), then locality weights, then endpoint weights, then the
 * live gateways of a remote network. Ejected addresses count as unhealthy. Within a priority the
 * policy says how:
 *
 *   ROUND_ROBIN: turns of an evenly spread sequence, so that any run of N choices gives every
 *   endpoint its share of N to within a few.
 *
 *   LEAST_CONNECTIONS: two candidates by weight, the one with fewer connections for its weight.
 *   Two, not all: it costs the same for ten thousand endpoints, and workers and replicas that do
 *   not know of each other do not all run to the same one.
 *
 *   RANDOM: the same shares without the evenness; the same sequence after each start.
 *
 *   SOURCE_IP: the client's address alone decides, by rendezvous hashing over addresses of
 *   endpoints: another endpoint takes over its share and no other connection moves. Behind a
 *   gateway of another network all clients have its address.
 *
 * Pure and deterministic. Each worker stands at another place of the sequence; the place outlives
 * the table, and so do counts of connections.
 *
 * A plan is what one door of one route comes down to: tiers of candidates with cumulative weights.
 * It is made when first needed, and again after a change of the route, of networks, of liveness or
 * of what is ejected.
 * Source: architecture, "Routing" and "Failures before the first answer are invisible".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
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

/* Where a connection is counted: on its route as long as it lives, at an address as long as it is
 * there. Zeroed at first. */
struct ew_seat {
	struct ew_traffic *traffic; /* shared; NULL: not counted yet */
	struct ew_active *active;   /* shared; NULL: nobody counts there */
};

/* What is asked for. All borrowed. */
struct ew_ask {
	const struct ew_table *table;
	const struct ew_route *route; /* of that table */
	uint32_t generation;          /* ew_health_generation() */
	enum ew_scope scope;
	uint16_t cluster;        /* MARKED: EW_NAME_NONE for any */
	const struct ip *source; /* the client's; NULL: not known, as round robin then */
	int64_t now_ms;
	struct ew_seat *seat; /* the connection's, or a second one for another address at once;
	                         NULL: it is not counted */
};

struct ew_choice {
	struct addr addr;
	const struct ew_gateway *gateway;   /* NULL: an endpoint of the own network. Of the table */
	const struct ew_endpoint *endpoint; /* of the route */
	uint16_t cluster;                   /* of the endpoint, EW_NAME_NONE if not known */
	uint16_t network;                   /* EW_NAME_NONE: own */
	uint32_t n_hosts;                   /* addresses of the route */
};

/* A connection's memory of where it was sent so far. Zeroed at first. */
struct ew_tries {
	uint64_t turn;
	const void *target[EW_TRIES_MAX];
	uint8_t tier[EW_TRIES_MAX];
	uint8_t n;
	bool full; /* the route has as many connections as it may */
};

struct ew_plan;

/* A worker's place in the sequence of one route, and its plans. */
struct ew_balance {
	uint64_t turn;
	struct ew_plan *plans; /* owned */
	struct map actives;    /* address to struct ew_active */
};

void ew_balance_init(struct ew_balance *balance, uint32_t worker);
/* Frees; harmless on zeroed memory. */
void ew_balance_fini(struct ew_balance *balance);

/*
 * The next endpoint for a connection; tries is moved on. A first choice follows the shares. Later
 * ones never name an endpoint twice, stay in a priority for one more, then go to the next one
 * whatever its load. False: nothing usable, or EW_TRIES_MAX reached, or, on a first choice,
 * tries->full.
 */
bool ew_balance_choose(struct ew_balance *balance, const struct ew_ask *ask, struct ew_tries *tries,
                       struct ew_choice *ret_choice);
/* The connection has ended. Harmless twice; the balance may be gone. Worker's thread. */
void ew_seat_release(struct ew_seat *seat);
/* The connection goes to the address of a second seat, which is empty then. */
void ew_seat_move(struct ew_seat *seat, struct ew_seat *from);

/* Is there something to choose at all? */
bool ew_balance_has(struct ew_balance *balance, const struct ew_ask *ask);

/* --- how it went ------------------------------------------------------------------------------ */

/* The connect to a choice was refused, timed out, or was ended by a gateway before its first byte.
 * True: that ejected the address. */
bool ew_route_on_failed(const struct ew_route *route, const struct ew_choice *choice,
                        int64_t now_ms);
void ew_route_on_connected(const struct ew_route *route, const struct ew_choice *choice,
                           int64_t now_ms);
/* The connection has its first answer, or will have none. */
void ew_route_on_opened(const struct ew_route *route);
void ew_route_on_lost(const struct ew_route *route);

/* For what is told of routes; any thread. */
struct ew_route_counts {
	uint32_t connections; /* now */
	uint64_t opened;
	uint64_t failed;
};
struct ew_route_counts ew_route_counts(const struct ew_route *route);
/* Is this address, of an endpoint or a gateway, ejected on this route? */
bool ew_route_has_ejected(const struct ew_route *route, const struct addr *addr, int64_t now_ms);
/* fn must not come back to the route. */
void ew_route_for_each_ejected(const struct ew_route *route, int64_t now_ms,
                               void (*fn)(const struct addr *addr, void *arg), void *arg);
