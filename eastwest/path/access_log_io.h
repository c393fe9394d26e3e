/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_log_io - the access log: workers put connections into rings, the control loop writes them,
 * a batch each 100 ms as long as some come, or when a ring is half full.
 *
 * Nothing here can hold a worker up: what a full ring does not take, what a full pipe or disk does
 * not take in time, is dropped and counted. A disk that is slow to take a write holds the control
 * loop up, as it does for the copies. The file is opened anew when it is asked for (after
 * logrotate has moved it away) and after an error.
 */
#pragma once

#include "base/loop.h"
#include "eastwest/config.h"
#include "path/access.h"
#include "path/stats.h"

struct ew_access_log;

/* Control loop. Off until ew_access_log_set(). */
struct ew_access_log *ew_access_log_create(struct loop *loop, struct ew_stats *stats);
/* Writes what is there, no longer waiting for anybody. NULL is harmless. */
void ew_access_log_destroy(struct ew_access_log *log);
/* Before workers know of it. */
void ew_access_log_set_workers(struct ew_access_log *log, uint32_t n);
/* What the file says now. Connections that are open stay in the log, or out of it. */
void ew_access_log_set(struct ew_access_log *log, const struct ew_access_config *config);
void ew_access_log_reopen(struct ew_access_log *log);

/* Any worker. Which connections are in the log: a number of 32 bits below this. 0: it is off. */
uint64_t ew_access_log_sample(const struct ew_access_log *log);
/* That worker. */
void ew_access_log_put(struct ew_access_log *log, uint32_t worker, const struct ew_access *access);
