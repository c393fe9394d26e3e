/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter - the limits that all workers share, and how much of each is used. Any thread.
 *
 * Limits may change at any time. Open connections are counted though none be set, so that one that
 * comes later knows them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "eastwest/limits.h"

struct ew_limiter;

struct ew_limiter *ew_limiter_create(const struct ew_limits *limits);
void ew_limiter_destroy(struct ew_limiter *limiter);
/* Other limits from now on. Who is over them already stays. Sources begin anew if theirs differ. */
void ew_limiter_set(struct ew_limiter *limiter, const struct ew_limits *limits);

/* One more connection. False: there are too many; left again all the same. */
bool ew_limiter_enter(struct ew_limiter *limiter);
void ew_limiter_leave(struct ew_limiter *limiter);

/* May client open a connection now? True counts it. */
bool ew_limiter_take_source(struct ew_limiter *limiter, const struct ip *client, int64_t now_ms);

/* Memory for a half hello. False: there is none, and nothing was taken. */
bool ew_limiter_take_memory(struct ew_limiter *limiter, size_t bytes);
void ew_limiter_give_memory(struct ew_limiter *limiter, size_t bytes);
