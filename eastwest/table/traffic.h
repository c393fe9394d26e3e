/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic - what goes on at a route: connections, how they went, ejected addresses. One for all
 * workers and for all versions of a route, as long as a table or a connection holds it.
 *
 * Ejection is not a worker's own affair: a limit of five failures would be twenty with four
 * workers, and the share that may be ejected is one of the route. What is written by workers is
 * written at most three times a connection, by relaxed atomics beside those of the metrics; the
 * lock is taken when a connect fails, and when one succeeds while somebody has failures.
 * Connections are counted over all workers as well, as Envoy does: a split limit would refuse a
 * client of a full worker while another has room.
 */
#pragma once

#include <pthread.h>

#include "table/outlier.h"

struct ew_traffic {
	_Atomic uint32_t refs;
	_Atomic uint32_t connections; /* that have a seat, see balance.h */
	_Atomic uint64_t opened;      /* that had an answer */
	_Atomic uint64_t failed;      /* that no endpoint could be found for */
	uint64_t told_opened;         /* the reporting thread's: as last reported */
	uint64_t told_failed;
	struct ew_ejector *ejector; /* NULL while no version of the route ejects */
};

struct ew_traffic *ew_traffic_create(void);
struct ew_traffic *ew_traffic_ref(struct ew_traffic *traffic);
/* NULL is harmless. */
void ew_traffic_unref(struct ew_traffic *traffic);

/* For a route with this policy; before a table has the route. Forgets ejections of addresses that
 * are not there. */
void ew_traffic_adopt(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                      bool (*is_there)(const struct addr *addr, void *arg), void *arg);

/* Moves when other addresses are ejected. Ends what time has ended. */
uint32_t ew_traffic_generation(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                               int64_t now_ms);
bool ew_traffic_has_ejected(const struct ew_traffic *traffic,
                            const struct ew_outlier_policy *policy, const struct addr *addr);
/* fn is called under the lock. */
void ew_traffic_for_each_ejected(const struct ew_traffic *traffic,
                                 const struct ew_outlier_policy *policy,
                                 void (*fn)(const struct addr *addr, void *arg), void *arg);
/* How a connect went. True: the address was ejected by it. */
bool ew_traffic_note(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                     const struct ew_outlier_event *event, int64_t now_ms);
