/* SPDX-License-Identifier: Apache-2.0 */
/*
 * active - how many connections of one worker an address has, of one route.
 *
 * A worker's own, so that nothing is shared: it evens out the connections it accepted, and with
 * them everybody's. Kept while a plan names the address or a connection is at it.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/map.h"

struct ew_active {
	uint32_t refs;  /* the map's, plans' and connections' */
	uint32_t conns; /* at the address now */
};

/* A new reference for the caller. */
struct ew_active *ew_active_get(struct map *actives, const struct addr *addr);
struct ew_active *ew_active_ref(struct ew_active *active);
/* NULL is harmless. */
void ew_active_unref(struct ew_active *active);
/* Forgets those that nobody but the map holds. */
void ew_active_sweep(struct map *actives);
void ew_active_fini(struct map *actives);
