/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack that is only ever taken whole, so that no element comes back while somebody looks at it.
 * An adder counts, then looks at the flag; the taker clears the flag, then looks at the counts:
 * sequentially consistent, or both would miss the other.
 */
#include "table/news.h"

#include "table/table_priv.h"
#include "table/traffic.h"

static _Atomic(struct ew_traffic *) head;
static _Atomic bool somebody_takes;

void ew_news_add(const struct ew_route *route)
{
	struct ew_traffic *traffic = route->traffic;
	if (!atomic_load_explicit(&somebody_takes, memory_order_relaxed) ||
	    atomic_load(&traffic->has_news) || atomic_exchange(&traffic->has_news, true))
		return;
	traffic->news_route = (struct ew_route *)(uintptr_t)route;
	atomic_fetch_add_explicit(&traffic->news_route->refs, 1, memory_order_relaxed);
	traffic->news_next = atomic_load_explicit(&head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&head, &traffic->news_next, traffic))
		continue;
}

static struct ew_traffic *reverse(struct ew_traffic *list)
{
	struct ew_traffic *first = NULL;
	while (list != NULL) {
		struct ew_traffic *next = list->news_next;
		list->news_next = first;
		first = list;
		list = next;
	}
	return first;
}

void ew_news_take(void (*fn)(const struct ew_route *route, void *arg), void *arg)
{
	struct ew_traffic *list = reverse(atomic_exchange(&head, NULL));
	atomic_store_explicit(&somebody_takes, true, memory_order_relaxed);
	while (list != NULL) {
		struct ew_traffic *next = list->news_next;
		struct ew_route *route = list->news_route;
		atomic_store(&list->has_news, false);
		fn(route, arg);
		ew_route_unref(route);
		list = next;
	}
}
