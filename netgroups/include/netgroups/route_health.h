/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_health - what gateways say of their own network's endpoints of a route, and what follows
 * for other networks, which cannot see these endpoints.
 *
 *   unjudged ──all fresh words failed for 3 s──▶ withdrawn
 *      ▲                                            │
 *      └────one fresh word of success, or no fresh──┘
 *           word is left
 *
 * A word counts for 3 s. Who says nothing of a route has no part in it: a gateway without calls
 * knows nothing. With no fresh word nothing is judged, so that a restart begins with none. Between
 * two changes of one route there is a second at least. Pure; the clock is a parameter; costs what
 * is failing, not what there is. Source: architecture, contract 2 ("Who says dead").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

enum {
	ROUTE_HEALTH_FRESH_MS = 3000,
	ROUTE_HEALTH_FAILED_MS = 3000,
	ROUTE_HEALTH_PACE_MS = 1000,
	ROUTE_HEALTH_ROUTES_MAX = 100000, /* failing at a time; of more nothing is judged */
	ROUTE_HEALTH_REPORTERS_MAX = 4096 /* of one route; more are not heard */
};

/* Borrowed texts. */
struct route_word {
	const char *network; /* of the gateway and of the endpoints */
	const char *sni;
	const char *reporter; /* names one process */
	const char *gateway;  /* that process to people */
	bool usable;          /* at least one endpoint is */
};

struct route_verdict {
	const char *network;
	const char *sni;
	bool withdrawn;
	const char *gateway; /* if withdrawn: the last one to fail */
};

struct route_health {
	struct map
		routes; /* "NETWORK SNI" → struct route_entry: those of which a word is "failed" */
	size_t n_withdrawn;
	void (*on_change)(const struct route_verdict *verdict, void *arg);
	void *arg;
};

/* on_change: a verdict is another one than before; it must not come back here. */
void route_health_init(struct route_health *health,
                       void (*on_change)(const struct route_verdict *verdict, void *arg),
                       void *arg);
void route_health_fini(struct route_health *health);

/* Hears a word and judges its route. */
void route_health_hear(struct route_health *health, const struct route_word *word, int64_t now_ms);
/* Judges all again, as words grow stale and 3 s pass. ret_next_ms: when to do so again at the
 * latest, -1: nothing is failing. */
void route_health_judge(struct route_health *health, int64_t now_ms, int64_t *ret_next_ms);
