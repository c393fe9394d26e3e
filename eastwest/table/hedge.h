/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hedge - how many second connects a worker may begin while the first ones are pending: 20 % of its
 * dials. Where everything is slow, hedges would only double the load.
 *
 * Pure; one worker's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	EW_HEDGE_AFTER_MS = 250, /* without result of the first connect */
	EW_HEDGE_DIALS = 5,      /* that pay for a hedge */
	EW_HEDGE_BURST = 10      /* hedges at once after a quiet time, and at the start */
};

struct ew_hedge {
	uint32_t credit; /* in dials */
};

void ew_hedge_init(struct ew_hedge *hedge);
/* A first connect was begun. */
void ew_hedge_on_dial(struct ew_hedge *hedge);
/* May a second one be? */
bool ew_hedge_may(const struct ew_hedge *hedge);
/* It was begun. Only if it may be. */
void ew_hedge_on_hedge(struct ew_hedge *hedge);
