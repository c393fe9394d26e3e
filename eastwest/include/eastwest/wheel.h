/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel - the deadlines of very many things, coarse: one ring of slots, 100 ms each.
 *
 * A deadline is never early and at most 200 ms late. Deadlines beyond the ring are looked at once
 * a round. Pure: the caller brings the time. One thread.
 */
#pragma once

#include <stdint.h>

#include "base/list.h"

enum {
	EW_WHEEL_SLOTS = 512,
	EW_WHEEL_TICK_MS = 100
};

struct ew_wheel {
	struct list slots[EW_WHEEL_SLOTS];
	int64_t now_tick; /* the last tick that was worked off */
	uint32_t n;
};

struct ew_wheel_entry {
	struct list link;
	int64_t deadline_ms;
};

void ew_wheel_init(struct ew_wheel *wheel, int64_t now_ms);
void ew_wheel_entry_init(struct ew_wheel_entry *entry);
/* Sets or moves. */
void ew_wheel_add(struct ew_wheel *wheel, struct ew_wheel_entry *entry, int64_t deadline_ms);
/* Harmless when it is not set. */
void ew_wheel_remove(struct ew_wheel *wheel, struct ew_wheel_entry *entry);
/* Calls fn for each entry whose deadline has passed; it is not set any more and may be set again.
 */
void ew_wheel_step(struct ew_wheel *wheel, int64_t now_ms,
                   void (*fn)(struct ew_wheel_entry *entry, void *arg), void *arg);
/* Milliseconds until the next call of step makes sense; -1: nothing is set. */
int64_t ew_wheel_wait_ms(const struct ew_wheel *wheel, int64_t now_ms);
