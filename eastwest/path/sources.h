/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - how many connections each source has opened of late: a token bucket a prefix.
 *
 * Of fixed size: EW_SOURCES prefixes are remembered. A new one takes the place of the one, of
 * EW_SOURCES_WAYS that it may replace, whose bucket is fullest: of one that is full nothing is
 * lost. Pure: the caller brings the time. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "eastwest/limits.h"

enum {
	EW_SOURCES = 8192, /* 32 bytes each */
	EW_SOURCES_WAYS = 8
};

struct ew_sources;

/* limit->rate > 0. seed: random, so that nobody can choose addresses that push each other out. */
struct ew_sources *ew_sources_create(const struct ew_rate_limit *limit, uint64_t seed);
/* NULL is harmless. */
void ew_sources_destroy(struct ew_sources *sources);

/* One more connection of client at now_ms. False: too many; it is not counted. */
bool ew_sources_take(struct ew_sources *sources, const struct ip *client, int64_t now_ms);
