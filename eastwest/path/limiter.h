/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter - the limits that all workers share, and how much of each is used. Any thread.
 *
 * What is not limited costs nothing: no atomic is touched for it.
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

/* One more connection. False: there are too many; left again all the same. */
bool ew_limiter_enter(struct ew_limiter *limiter);
void ew_limiter_leave(struct ew_limiter *limiter);

/* May client open a connection now? True counts it. */
bool ew_limiter_take_source(struct ew_limiter *limiter, const struct ip *client, int64_t now_ms);

/* Memory for a half hello. False: there is none, and nothing was taken. */
bool ew_limiter_take_memory(struct ew_limiter *limiter, size_t bytes);
void ew_limiter_give_memory(struct ew_limiter *limiter, size_t bytes);
