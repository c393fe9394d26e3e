/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How connections went, told to their route.
 */
#include "eastwest/balance.h"
#include "table/news.h"
#include "table/traffic.h"

static void note_own(const struct ew_route *route, const struct ew_choice *choice, bool connected,
                     int64_t now_ms)
{
	if (choice->network == EW_NAME_NONE)
		ew_traffic_note_own(route->traffic, connected, now_ms);
}

bool ew_route_on_failed(const struct ew_route *route, const struct ew_choice *choice,
                        int64_t now_ms)
{
	struct ew_outlier_event event = {EW_OUTLIER_FAILED, &choice->addr, choice->n_hosts};
	bool ejected = ew_traffic_note(route->traffic, &route->policy.outlier, &event, now_ms);
	note_own(route, choice, false, now_ms);
	ew_news_add(route);
	return ejected;
}

void ew_route_on_connected(const struct ew_route *route, const struct ew_choice *choice,
                           int64_t now_ms)
{
	struct ew_outlier_event event = {EW_OUTLIER_CONNECTED, &choice->addr, choice->n_hosts};
	ew_traffic_note(route->traffic, &route->policy.outlier, &event, now_ms);
	note_own(route, choice, true, now_ms);
}

void ew_route_on_opened(const struct ew_route *route)
{
	atomic_fetch_add(&route->traffic->opened, 1);
	ew_news_add(route);
}

void ew_route_on_lost(const struct ew_route *route)
{
	atomic_fetch_add(&route->traffic->failed, 1);
	ew_news_add(route);
}

struct ew_route_counts ew_route_counts(const struct ew_route *route)
{
	const struct ew_traffic *traffic = route->traffic;
	return (struct ew_route_counts){
		.connections = atomic_load_explicit(&traffic->connections, memory_order_relaxed),
		.opened = atomic_load_explicit(&traffic->opened, memory_order_relaxed),
		.failed = atomic_load_explicit(&traffic->failed, memory_order_relaxed),
	};
}

bool ew_route_has_ejected(const struct ew_route *route, const struct addr *addr, int64_t now_ms)
{
	const struct ew_outlier_policy *policy = &route->policy.outlier;
	/* ends what time has ended */
	ew_traffic_generation(route->traffic, policy, now_ms);
	return ew_traffic_has_ejected(route->traffic, policy, addr);
}

void ew_route_for_each_ejected(const struct ew_route *route, int64_t now_ms,
                               void (*fn)(const struct addr *addr, void *arg), void *arg)
{
	const struct ew_outlier_policy *policy = &route->policy.outlier;
	ew_traffic_generation(route->traffic, policy, now_ms);
	ew_traffic_for_each_ejected(route->traffic, policy, fn, arg);
}
