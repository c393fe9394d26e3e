/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors - the listeners that a gateway has at a time, and where they are bound. A set never changes
 * once it was given to a worker, and lives as long as somebody refers to it: a connection is
 * treated as the set said that it was accepted under.
 */
#pragma once

#include "eastwest/config.h"

struct ew_doors_row {
	struct ew_listener_config listener; /* owned, a copy */
	struct addr bound;                  /* the real port */
};

struct ew_doors {
	_Atomic uint32_t refs;
	size_t n;
	struct ew_doors_row rows[];
};

/* With one reference; bound is as the listeners wish it, for the caller to correct. */
struct ew_doors *ew_doors_create(const struct ew_listener_config *listeners, size_t n);
/* Of these listeners, those whose `stays` is set, bound as they are. */
struct ew_doors *ew_doors_some(const struct ew_doors *doors, const bool *stays);
struct ew_doors *ew_doors_ref(struct ew_doors *doors);
/* NULL is harmless. */
void ew_doors_unref(struct ew_doors *doors);

/* The row whose socket serves this listener too: it is bound where the listener wants to be. Its
 * index, or doors->n. */
size_t ew_doors_find(const struct ew_doors *doors, const struct ew_listener_config *listener);
