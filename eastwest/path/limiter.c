/* SPDX-License-Identifier: Apache-2.0 */
#include "path/limiter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "path/sources.h"

struct ew_limiter {
	_Atomic uint32_t conns_max; /* 0: no limit */
	_Atomic uint32_t n_conns;
	_Atomic size_t memory_max;
	_Atomic size_t memory_bytes;
	_Atomic bool has_sources; /* so that no limit costs no lock */
	pthread_mutex_t lock;     /* of what follows */
	struct ew_rate_limit per_source;
	struct ew_sources *sources; /* owned; NULL: no limit */
};

static void set_sources(struct ew_limiter *limiter, const struct ew_rate_limit *limit)
{
	uint64_t seed = 0;
	/* without randomness it still limits */
	IGNORE(getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0);
	pthread_mutex_lock(&limiter->lock);
	if (memcmp(&limiter->per_source, limit, sizeof(*limit)) != 0) {
		limiter->per_source = *limit;
		ew_sources_destroy(limiter->sources);
		limiter->sources = limit->rate > 0 ? ew_sources_create(limit, seed) : NULL;
	}
	pthread_mutex_unlock(&limiter->lock);
	atomic_store_explicit(&limiter->has_sources, limit->rate > 0, memory_order_relaxed);
}

void ew_limiter_set(struct ew_limiter *limiter, const struct ew_limits *limits)
{
	atomic_store_explicit(&limiter->conns_max, limits->connections, memory_order_relaxed);
	atomic_store_explicit(&limiter->memory_max, (size_t)limits->hello_memory_mib << 20,
	                      memory_order_relaxed);
	set_sources(limiter, &limits->per_source);
}

struct ew_limiter *ew_limiter_create(const struct ew_limits *limits)
{
	struct ew_limiter *limiter = xcalloc(1, sizeof(*limiter));
	pthread_mutex_init(&limiter->lock, NULL);
	ew_limiter_set(limiter, limits);
	return limiter;
}

void ew_limiter_destroy(struct ew_limiter *limiter)
{
	if (limiter == NULL)
		return;
	ew_sources_destroy(limiter->sources);
	pthread_mutex_destroy(&limiter->lock);
	free(limiter);
}

bool ew_limiter_enter(struct ew_limiter *limiter)
{
	uint32_t max = atomic_load_explicit(&limiter->conns_max, memory_order_relaxed);
	uint32_t before = atomic_fetch_add_explicit(&limiter->n_conns, 1, memory_order_relaxed);
	return max == 0 || before < max;
}

void ew_limiter_leave(struct ew_limiter *limiter)
{
	atomic_fetch_sub_explicit(&limiter->n_conns, 1, memory_order_relaxed);
}

bool ew_limiter_take_source(struct ew_limiter *limiter, const struct ip *client, int64_t now_ms)
{
	if (!atomic_load_explicit(&limiter->has_sources, memory_order_relaxed))
		return true;
	pthread_mutex_lock(&limiter->lock);
	bool taken = limiter->sources == NULL || ew_sources_take(limiter->sources, client, now_ms);
	pthread_mutex_unlock(&limiter->lock);
	return taken;
}

bool ew_limiter_take_memory(struct ew_limiter *limiter, size_t bytes)
{
	size_t max = atomic_load_explicit(&limiter->memory_max, memory_order_relaxed);
	size_t before =
		atomic_fetch_add_explicit(&limiter->memory_bytes, bytes, memory_order_relaxed);
	if (before + bytes <= max)
		return true;
	ew_limiter_give_memory(limiter, bytes);
	return false;
}

void ew_limiter_give_memory(struct ew_limiter *limiter, size_t bytes)
{
	atomic_fetch_sub_explicit(&limiter->memory_bytes, bytes, memory_order_relaxed);
}
