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
 *
 * Beside ejection, and without any policy: whether the own network's endpoints refuse one after the
 * other, whichever is tried. Nothing here is chosen by it; it is for those who cannot see the
 * endpoints (uplink/report.h).
 */
#pragma once

#include <pthread.h>

#include "table/outlier.h"

struct ew_traffic {
	_Atomic uint32_t refs;
	_Atomic uint32_t connections;  /* that have a seat, see balance.h */
	_Atomic uint64_t opened;       /* that had an answer */
	_Atomic uint64_t failed;       /* that no endpoint could be found for */
	_Atomic uint32_t own_failures; /* connects to own endpoints, in a row, of whichever */
	_Atomic uint32_t own_times;    /* that they were enough, since one succeeded */
	_Atomic int64_t own_failed_ms; /* the last of them */
	_Atomic bool has_news;         /* table/news.h: on its list, with the next two */
	struct ew_route *news_route;   /* a reference */
	struct ew_traffic *news_next;
	struct ew_ejector *ejector; /* NULL while no version of the route ejects */
};

/* Own endpoints count as failing for a while after the last refused connect; then they must be
 * tried again. The while is longer each time that it turns out that they still refuse. */
enum {
	EW_OWN_FAILURES = 5, /* in a row, and twice each endpoint: then all refuse */
	EW_OWN_FAILING_MS = 10 * 1000,
	EW_OWN_FAILING_TIMES = 6 /* at most this often as long */
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

/* How a connect to an endpoint of the own network went. */
void ew_traffic_note_own(struct ew_traffic *traffic, bool connected, int64_t now_ms);
/* Have connects to n endpoints of the own network failed in a row, so that all of them refuse? */
bool ew_traffic_own_fail(const struct ew_traffic *traffic, uint32_t n, int64_t now_ms);
