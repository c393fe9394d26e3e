/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lb - Envoy's arithmetic of priorities and localities, in exact integers. The gateway and every
 * explanation use these functions, so their numbers agree. Pure; any thread.
 *
 * Amounts are weights (weighted_priority_health) or host counts, whichever the caller sums up;
 * each sum below 2^48.
 * Source: Envoy, "Priority levels", "Panic threshold", "Locality weighted load balancing"; the
 * rounding is that of the code: floor, the rest to the first priority with something healthy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LB_OVERPROVISIONING = 140, /* percent */
	LB_PRIORITIES_MAX = 128    /* priorities in a route */
};

struct lb_level {
	uint64_t total;   /* in: weight of all endpoints of the priority */
	uint64_t healthy; /* in: weight of the healthy ones, at most total */
	uint8_t health;   /* out: 0 to 100, overprovisioning counted */
	uint8_t load;     /* out: percent of the traffic; all levels together 100 */
	bool panic;       /* out: pick among all endpoints, healthy or not */
};

/*
 * Fills health, load and panic of n levels, priority 0 first. panic_percent 0 turns panic off.
 * Nothing healthy and no panic: level 0 has load 100 and there is no endpoint to pick.
 * Returns false in that case and for n == 0, else true.
 */
bool lb_spread(struct lb_level *levels, size_t n, unsigned panic_percent);

/* Percent of amount that counts as healthy: min(100, floor(140 * healthy / total)); 0 of 0 is 0. */
unsigned lb_health_percent(uint64_t healthy, uint64_t total);

/* Effective weight of a locality, times 100: weight * min(100, floor(140 * available / total)). */
uint64_t lb_locality_weight(uint32_t weight, uint64_t available, uint64_t total);
