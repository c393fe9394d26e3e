/* SPDX-License-Identifier: Apache-2.0 */
#include "path/limiter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "path/sources.h"

struct ew_limiter {
	struct ew_limits limits;
	_Atomic uint32_t n_conns;
	_Atomic size_t memory_bytes;
	pthread_mutex_t lock;       /* of sources */
	struct ew_sources *sources; /* owned; NULL: no limit */
};

struct ew_limiter *ew_limiter_create(const struct ew_limits *limits)
{
	struct ew_limiter *limiter = xcalloc(1, sizeof(*limiter));
	uint64_t seed = 0;
	limiter->limits = *limits;
	pthread_mutex_init(&limiter->lock, NULL);
	/* without randomness it still limits */
	IGNORE(getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0);
	if (limits->per_source.rate > 0)
		limiter->sources = ew_sources_create(&limits->per_source, seed);
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
	uint32_t max = limiter->limits.connections;
	return max == 0 ||
	       atomic_fetch_add_explicit(&limiter->n_conns, 1, memory_order_relaxed) < max;
}

void ew_limiter_leave(struct ew_limiter *limiter)
{
	if (limiter->limits.connections > 0)
		atomic_fetch_sub_explicit(&limiter->n_conns, 1, memory_order_relaxed);
}

bool ew_limiter_take_source(struct ew_limiter *limiter, const struct ip *client, int64_t now_ms)
{
	if (limiter->sources == NULL)
		return true;
	pthread_mutex_lock(&limiter->lock);
	bool taken = ew_sources_take(limiter->sources, client, now_ms);
	pthread_mutex_unlock(&limiter->lock);
	return taken;
}

bool ew_limiter_take_memory(struct ew_limiter *limiter, size_t bytes)
{
	size_t max = (size_t)limiter->limits.hello_memory_mib << 20;
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
