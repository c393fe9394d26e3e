/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranges - a list of address ranges. Plain data, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct ew_ranges {
	struct cidr *list; /* owned */
	size_t n;
};

/* A copy of n ranges from list; NULL is harmless when n is 0. */
struct ew_ranges ew_ranges_create(const struct cidr *list, size_t n);
void ew_ranges_fini(struct ew_ranges *ranges);
/* Is the address in one of them? */
bool ew_ranges_have(const struct ew_ranges *ranges, const struct ip *ip);
