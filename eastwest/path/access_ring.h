/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_ring - connections on their way from a worker into the access log: one thread puts, one
 * takes, nobody waits. A full one takes nothing.
 */
#pragma once

#include <stdatomic.h>

#include "path/access.h"

enum {
	EW_ACCESS_RING = 2048
};

struct ew_access_ring {
	_Atomic uint64_t put;   /* ever; only the worker moves it */
	_Atomic uint64_t taken; /* only the reader */
	struct ew_access slots[EW_ACCESS_RING];
};

/* The worker's. False: full, nothing was put. */
bool ew_access_ring_put(struct ew_access_ring *ring, const struct ew_access *access);
/* How many are in it; for either. */
uint64_t ew_access_ring_fill(const struct ew_access_ring *ring);
/* The reader's: the oldest, or NULL; there until it is dropped. */
const struct ew_access *ew_access_ring_peek(const struct ew_access_ring *ring);
void ew_access_ring_drop(struct ew_access_ring *ring);
