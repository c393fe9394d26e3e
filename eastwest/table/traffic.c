/* SPDX-License-Identifier: Apache-2.0 */
#include "table/traffic.h"

#include <stdlib.h>

#include "base/alloc.h"

/* The state machine, and what can be asked of it without its lock. */
struct ew_ejector {
	pthread_mutex_t lock;
	struct ew_outlier outlier;   /* under lock */
	_Atomic uint32_t generation; /* of the set of ejected addresses */
	_Atomic uint32_t n_ejected;  /* 0: nobody has to be asked */
	_Atomic int64_t due_ms;      /* when time changes something; INT64_MAX: nobody failed */
};

struct ew_traffic *ew_traffic_create(void)
{
	struct ew_traffic *traffic = xcalloc(1, sizeof(*traffic));
	traffic->refs = 1;
	return traffic;
}

struct ew_traffic *ew_traffic_ref(struct ew_traffic *traffic)
{
	atomic_fetch_add_explicit(&traffic->refs, 1, memory_order_relaxed);
	return traffic;
}

static void destroy_ejector(struct ew_ejector *ejector)
{
	if (ejector == NULL)
		return;
	ew_outlier_fini(&ejector->outlier);
	pthread_mutex_destroy(&ejector->lock);
	free(ejector);
}

void ew_traffic_unref(struct ew_traffic *traffic)
{
	if (traffic == NULL ||
	    atomic_fetch_sub_explicit(&traffic->refs, 1, memory_order_acq_rel) > 1)
		return;
	destroy_ejector(traffic->ejector);
	free(traffic);
}

static struct ew_ejector *create_ejector(void)
{
	struct ew_ejector *ejector = xcalloc(1, sizeof(*ejector));
	pthread_mutex_init(&ejector->lock, NULL);
	ejector->due_ms = INT64_MAX;
	return ejector;
}

/* End of whatever changed the state machine; under lock. */
static void show(struct ew_ejector *ejector, const struct ew_outlier_policy *policy, bool changed)
{
	atomic_store_explicit(&ejector->due_ms, ew_outlier_due_ms(&ejector->outlier, policy),
	                      memory_order_relaxed);
	atomic_store_explicit(&ejector->n_ejected, ejector->outlier.n_ejected,
	                      memory_order_relaxed);
	if (changed)
		atomic_fetch_add_explicit(&ejector->generation, 1, memory_order_release);
}

static bool is_on(const struct ew_traffic *traffic, const struct ew_outlier_policy *policy)
{
	return policy->consecutive > 0 && traffic->ejector != NULL;
}

/* Nobody reads `ejector` before a table has a route that ejects, so that it may be set here. */
void ew_traffic_adopt(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                      bool (*is_there)(const struct addr *addr, void *arg), void *arg)
{
	if (policy->consecutive == 0)
		return;
	if (traffic->ejector == NULL) {
		traffic->ejector = create_ejector();
		return;
	}
	struct ew_ejector *ejector = traffic->ejector;
	pthread_mutex_lock(&ejector->lock);
	show(ejector, policy, ew_outlier_retain(&ejector->outlier, is_there, arg));
	pthread_mutex_unlock(&ejector->lock);
}

static bool step(struct ew_ejector *ejector, const struct ew_outlier_policy *policy,
                 const struct ew_outlier_event *event, int64_t now_ms)
{
	pthread_mutex_lock(&ejector->lock);
	uint64_t before = ejector->outlier.ejections;
	show(ejector, policy, ew_outlier_step(&ejector->outlier, policy, event, now_ms));
	bool ejected = ejector->outlier.ejections != before;
	pthread_mutex_unlock(&ejector->lock);
	return ejected;
}

uint32_t ew_traffic_generation(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                               int64_t now_ms)
{
	static const struct ew_outlier_event time = {.kind = EW_OUTLIER_TIME};
	if (!is_on(traffic, policy))
		return 0;
	struct ew_ejector *ejector = traffic->ejector;
	if (now_ms >= atomic_load_explicit(&ejector->due_ms, memory_order_relaxed))
		step(ejector, policy, &time, now_ms);
	return atomic_load_explicit(&ejector->generation, memory_order_acquire);
}

bool ew_traffic_has_ejected(const struct ew_traffic *traffic,
                            const struct ew_outlier_policy *policy, const struct addr *addr)
{
	if (!is_on(traffic, policy))
		return false;
	struct ew_ejector *ejector = traffic->ejector;
	if (atomic_load_explicit(&ejector->n_ejected, memory_order_relaxed) == 0)
		return false;
	pthread_mutex_lock(&ejector->lock);
	bool ejected = ew_outlier_has_ejected(&ejector->outlier, addr);
	pthread_mutex_unlock(&ejector->lock);
	return ejected;
}

void ew_traffic_for_each_ejected(const struct ew_traffic *traffic,
                                 const struct ew_outlier_policy *policy,
                                 void (*fn)(const struct addr *addr, void *arg), void *arg)
{
	if (!is_on(traffic, policy))
		return;
	pthread_mutex_lock(&traffic->ejector->lock);
	ew_outlier_for_each_ejected(&traffic->ejector->outlier, fn, arg);
	pthread_mutex_unlock(&traffic->ejector->lock);
}

bool ew_traffic_note(struct ew_traffic *traffic, const struct ew_outlier_policy *policy,
                     const struct ew_outlier_event *event, int64_t now_ms)
{
	if (!is_on(traffic, policy))
		return false;
	struct ew_ejector *ejector = traffic->ejector;
	bool nobody_failed =
		atomic_load_explicit(&ejector->due_ms, memory_order_relaxed) == INT64_MAX;
	if (event->kind == EW_OUTLIER_CONNECTED && nobody_failed)
		return false;
	return step(ejector, policy, event, now_ms);
}

/* --- own endpoints together ------------------------------------------------------------------- */

static bool is_over(const struct ew_traffic *traffic, int64_t now_ms)
{
	uint32_t times = atomic_load_explicit(&traffic->own_times, memory_order_relaxed);
	if (times < 1)
		times = 1;
	if (times > EW_OWN_FAILING_TIMES)
		times = EW_OWN_FAILING_TIMES;
	return now_ms - atomic_load_explicit(&traffic->own_failed_ms, memory_order_relaxed) >=
	       (int64_t)times * EW_OWN_FAILING_MS;
}

/* Workers that meet here may lose a failure or count one twice; there are more where it came from.
 */
void ew_traffic_note_own(struct ew_traffic *traffic, bool connected, int64_t now_ms)
{
	uint32_t failures = atomic_load_explicit(&traffic->own_failures, memory_order_relaxed);
	if (connected && failures == 0)
		return;
	if (connected) {
		atomic_store_explicit(&traffic->own_times, 0, memory_order_relaxed);
		atomic_store_explicit(&traffic->own_failures, 0, memory_order_relaxed);
		return;
	}
	failures = is_over(traffic, now_ms) ? 1 : failures + 1;
	if (failures == EW_OWN_FAILURES)
		atomic_fetch_add_explicit(&traffic->own_times, 1, memory_order_relaxed);
	atomic_store_explicit(&traffic->own_failures, failures, memory_order_relaxed);
	atomic_store_explicit(&traffic->own_failed_ms, now_ms, memory_order_relaxed);
}

bool ew_traffic_own_fail(const struct ew_traffic *traffic, uint32_t n, int64_t now_ms)
{
	uint32_t failures = atomic_load_explicit(&traffic->own_failures, memory_order_relaxed);
	return failures >= EW_OWN_FAILURES && failures / 2 >= n && !is_over(traffic, now_ms);
}
