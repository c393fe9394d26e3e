/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff - how long to wait before the next attempt: twice as long each time, with jitter, so that
 * a crowd does not come back as one.
 */
#pragma once

#include <stdint.h>

struct backoff {
	int64_t min_ms;
	int64_t max_ms;
	int64_t now_ms; /* what comes next, before jitter takes up to half of it away */
};

void backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms);
/* It came to something: the next wait is the least again. */
void backoff_reset(struct backoff *backoff);
/* The wait for this time; the next one is longer. */
int64_t backoff_next_ms(struct backoff *backoff);

/* 0 to n - 1; 0 if n is none, or no randomness is to be had. */
int64_t random_below(int64_t n);
