/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlier - which addresses of a route are left out since they cannot be reached: Envoy's outlier
 * detection, as far as TCP has events for it. A state machine without clock, lock or memory of
 * addresses that never failed.
 *
 *   connect failed          a failure in a row more; at the limit the address is ejected, unless
 *                           more than max_percent of the route's would be then
 *   connected               no failure in a row
 *   interval passed         ejected long enough (base * times, at most 300 s): back, with no
 *                           failure in a row; was not ejected: times one less
 *
 * Source: Envoy, outlier_detection_impl.cc: ejectHost, checkHostForUneject, updateEjectionsActive;
 * consecutive 5xx, gateway and local origin failures are all one for a connect.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/map.h"
#include "eastwest/table.h"

enum {
	EW_EJECTION_MAX_MS = 300 * 1000, /* or base_ms, if that is longer */
	EW_OUTLIER_HOSTS_MAX = 1 << 17   /* remembered of a route; who fails beyond is not */
};

enum ew_outlier_kind {
	EW_OUTLIER_TIME, /* nothing but that it is now_ms */
	EW_OUTLIER_CONNECTED,
	EW_OUTLIER_FAILED
};

struct ew_outlier_event {
	enum ew_outlier_kind kind;
	const struct addr *addr; /* whom it is about */
	uint32_t n_hosts;        /* FAILED: addresses of the route, usable or not */
};

/* Zeroed at first. */
struct ew_outlier {
	struct map
		hosts; /* address to struct ew_outlier_host, of those with failures or ejections */
	uint32_t n_ejected;
	uint64_t ejections; /* ever */
	int64_t ticked_ms;  /* the last interval ended */
};

void ew_outlier_fini(struct ew_outlier *outlier);

/* True: other addresses are ejected than before. now_ms never goes back. */
bool ew_outlier_step(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                     const struct ew_outlier_event *event, int64_t now_ms);
bool ew_outlier_has_ejected(const struct ew_outlier *outlier, const struct addr *addr);
void ew_outlier_for_each_ejected(const struct ew_outlier *outlier,
                                 void (*fn)(const struct addr *addr, void *arg), void *arg);
/* When TIME can change something at the earliest; INT64_MAX: never. */
int64_t ew_outlier_due_ms(const struct ew_outlier *outlier, const struct ew_outlier_policy *policy);

/* Forgets every address that the route has no more. True: an ejected one was among them. */
bool ew_outlier_retain(struct ew_outlier *outlier,
                       bool (*is_there)(const struct addr *addr, void *arg), void *arg);
