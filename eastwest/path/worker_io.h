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
#include "path/limiter.h"
#include "path/record.h"
#include "path/stats.h"

struct ew_worker;

/* What all workers of a process are given. Borrowed, unchanging. */
struct ew_worker_setup {
	const struct ew_listener_config *listeners;
	size_t n_listeners;
	struct ew_health_registry *registry;
	struct ew_stats *stats;
	struct ew_recorder *recorder;
	struct ew_limiter *limiter;
};

/* fds: one listening socket per listener of the setup; the worker owns them from here on. table:
 * a reference for the worker. Not running yet. */
struct ew_worker *ew_worker_create(const struct ew_worker_setup *setup, uint32_t index,
                                   const int *fds, struct ew_table *table);
MUST_CHECK
bool ew_worker_start(struct ew_worker *worker, struct err *err);

/* Gives a reference of the table to the worker; new connections use it from then on. */
void ew_worker_set_table(struct ew_worker *worker, struct ew_table *table);
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
