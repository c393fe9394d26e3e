/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/ranges.h"

#include <stdlib.h>

#include "base/alloc.h"

struct ew_ranges ew_ranges_create(const struct cidr *list, size_t n)
{
	struct ew_ranges ranges = {.n = n};
	if (n > 0)
		ranges.list = xmemdup(list, n * sizeof(*list));
	return ranges;
}

void ew_ranges_fini(struct ew_ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct ew_ranges){NULL, 0};
}

bool ew_ranges_have(const struct ew_ranges *ranges, const struct ip *ip)
{
	for (size_t i = 0; i < ranges->n; i++) {
		if (cidr_has(&ranges->list[i], ip))
			return true;
	}
	return false;
}
