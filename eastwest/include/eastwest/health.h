/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - which addresses of remote gateways answer.
 *
 * One struct ew_health per address, kept over table swaps as long as some table or the registry
 * holds it. The checker's thread writes, relay threads read `live`. Every change of a `live` moves
 * the registry's generation, by which relay threads see that their plans are old.
 * Source: architecture, "Who says dead" and "Routing".
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* With a check each second an address is out within 3 s of its death: after so many misses in a
 * row, or, of one that is silent, which takes a second to tell, after so many since an answer so
 * old. */
enum {
	EW_HEALTH_MISSES = 3,
	EW_HEALTH_SILENT_MISSES = 2,
	EW_HEALTH_SILENT_MS = 2500,
	EW_HEALTH_GOOD = 2, /* so many good ones in a row: back */
	EW_HEALTH_INTERVAL_MS = 1000,
	EW_HEALTH_TIMEOUT_MS = 1000
};

struct ew_health {
	struct addr addr; /* never changes */
	_Atomic uint32_t refs;
	_Atomic bool live;
	/* the rest belongs to the checker's thread */
	uint8_t misses;
	uint8_t good;
	int64_t answered_ms; /* the last good check, before one the first miss; 0: neither */
	int64_t changed_ms;
	uint32_t rtt_us;
	int64_t not_after_s; /* end of the certificate that it last showed; 0: none was asked for */
	char reason[64];     /* of the last miss */
};

struct ew_health_registry;

struct ew_health_registry *ew_health_registry_create(void);
void ew_health_registry_destroy(struct ew_health_registry *registry);

/* The health of an address, at first live. A new reference for the caller. Control thread. */
struct ew_health *ew_health_get(struct ew_health_registry *registry, const struct addr *addr);
struct ew_health *ew_health_ref(struct ew_health *health);
/* Any thread. */
void ew_health_unref(struct ew_health *health);

/* Moves with every change of liveness; any thread. */
uint32_t ew_health_generation(const struct ew_health_registry *registry);

/* What a check saw, at the time now_ms. True when liveness changed. Control thread. */
bool ew_health_on_good(struct ew_health_registry *registry, struct ew_health *health,
                       uint32_t rtt_us, int64_t now_ms);
bool ew_health_on_miss(struct ew_health_registry *registry, struct ew_health *health,
                       const char *reason, int64_t now_ms);

/* Calls fn for every address that some table uses; forgets the others. Control thread. */
void ew_health_walk(struct ew_health_registry *registry,
                    void (*fn)(struct ew_health *health, void *arg), void *arg);
