/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#include <sys/random.h>

int64_t random_below(int64_t n)
{
	uint64_t value = 0;
	if (n <= 0 || getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		return 0;
	return (int64_t)(value % (uint64_t)n);
}

void backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms)
{
	*backoff = (struct backoff){min_ms, max_ms, min_ms};
}

void backoff_reset(struct backoff *backoff)
{
	backoff->now_ms = backoff->min_ms;
}

int64_t backoff_next_ms(struct backoff *backoff)
{
	int64_t wait_ms = backoff->now_ms - random_below(backoff->now_ms / 2);
	backoff->now_ms *= 2;
	if (backoff->now_ms > backoff->max_ms)
		backoff->now_ms = backoff->max_ms;
	return wait_ms;
}
