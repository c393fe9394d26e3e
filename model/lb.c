/* SPDX-License-Identifier: Apache-2.0 */
#include "model/lb.h"

#include <assert.h>

unsigned lb_health_percent(uint64_t healthy, uint64_t total)
{
	assert(healthy <= total);
	if (total == 0)
		return 0;
	uint64_t percent = healthy * LB_OVERPROVISIONING / total;

	return percent < 100 ? (unsigned)percent : 100;
}

uint64_t lb_locality_weight(uint32_t weight, uint64_t available, uint64_t total)
{
	return (uint64_t)weight * lb_health_percent(available, total);
}

/* Below the threshold, by the share that is healthy without overprovisioning. */
static bool in_panic(const struct lb_level *level, unsigned panic_percent)
{
	if (level->total == 0)
		return panic_percent > 0;
	return level->healthy * 100 < (uint64_t)panic_percent * level->total;
}

/* Every level is in panic: the load follows the size of the levels. */
static bool spread_in_panic(struct lb_level *levels, size_t n)
{
	uint64_t total = 0;
	unsigned left = 100;
	size_t first = n;

	for (size_t i = 0; i < n; i++)
		total += levels[i].total;
	if (total == 0) {
		levels[0].load = 100;
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		levels[i].load = (uint8_t)(levels[i].total * 100 / total);
		left -= levels[i].load;
		if (first == n && levels[i].total > 0)
			first = i;
	}
	levels[first].load = (uint8_t)(levels[first].load + left);
	return true;
}

static bool spread_by_health(struct lb_level *levels, size_t n, unsigned norm)
{
	unsigned left = 100;
	size_t first = n;

	for (size_t i = 0; i < n; i++) {
		unsigned load = levels[i].health * 100u / norm;

		levels[i].load = (uint8_t)(load < left ? load : left);
		left -= levels[i].load;
		if (first == n && levels[i].health > 0)
			first = i;
	}
	levels[first].load = (uint8_t)(levels[first].load + left);
	return true;
}

bool lb_spread(struct lb_level *levels, size_t n, unsigned panic_percent)
{
	unsigned norm = 0;
	bool all_panic = panic_percent > 0;

	for (size_t i = 0; i < n; i++) {
		levels[i].health = (uint8_t)lb_health_percent(levels[i].healthy, levels[i].total);
		levels[i].load = 0;
		levels[i].panic = false;
		norm += levels[i].health;
	}
	if (n == 0)
		return false;
	if (norm > 100)
		norm = 100;
	for (size_t i = 0; i < n && norm < 100; i++) {
		levels[i].panic = in_panic(&levels[i], panic_percent);
		all_panic = all_panic && levels[i].panic;
	}
	if (norm < 100 && all_panic)
		return spread_in_panic(levels, n);
	if (norm > 0)
		return spread_by_health(levels, n, norm);
	levels[0].load = 100;
	return levels[0].panic && levels[0].total > 0;
}
