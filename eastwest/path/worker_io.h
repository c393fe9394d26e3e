/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_io - one thread, one event loop, and the connections it accepted.
 *
 * Workers share nothing that changes but atomics: the table comes by message, and is only read.
 * Functions here may be called from any other thread, unless said.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "eastwest/config.h"
#include "eastwest/table.h"
#include "path/access_log_io.h"
#include "path/doors.h"
#include "path/limiter.h"
#include "path/record.h"
#include "path/stats.h"

struct ew_worker;

/* What all workers of a process are given. Borrowed, unchanging. */
struct ew_worker_setup {
	struct ew_health_registry *registry;
	struct ew_stats *stats;
	struct ew_recorder *recorder;
	struct ew_access_log *access_log; /* NULL: there is none */
	struct ew_limiter *limiter;
};

/* table: a reference for the worker. Without doors, and not running yet. */
struct ew_worker *ew_worker_create(const struct ew_worker_setup *setup, uint32_t index,
                                   struct ew_table *table);
MUST_CHECK
bool ew_worker_start(struct ew_worker *worker, struct err *err);

/* Gives a reference of the table to the worker; new connections use it from then on. */
void ew_worker_set_table(struct ew_worker *worker, struct ew_table *table);
/* The worker's doors from now on; takes a reference of its own. fds: for each of doors a listening
 * socket, which is the worker's from here on, or -1: the one that it has at this address. The
 * others are closed once their queues are empty; connections that came by them go on. */
void ew_worker_set_doors(struct ew_worker *worker, struct ew_doors *doors, const int *fds);
/* Closes the listeners once their queues are empty. Open connections go on. */
void ew_worker_drain(struct ew_worker *worker);
/* As ew_worker_drain, but another process accepts from the same listeners, and what waits in their
 * queues is its. */
void ew_worker_leave(struct ew_worker *worker);
/* Open connections. */
uint32_t ew_worker_connections(const struct ew_worker *worker);
/* Resets what is open, ends the thread and frees the worker. NULL is harmless; so is one that was
 * not started. */
void ew_worker_stop(struct ew_worker *worker);
