/* SPDX-License-Identifier: Apache-2.0 */
#include "path/access_ring.h"

bool ew_access_ring_put(struct ew_access_ring *ring, const struct ew_access *access)
{
	uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
	if (put - taken >= EW_ACCESS_RING)
		return false;
	ring->slots[put % EW_ACCESS_RING] = *access;
	atomic_store_explicit(&ring->put, put + 1, memory_order_release);
	return true;
}

uint64_t ew_access_ring_fill(const struct ew_access_ring *ring)
{
	/* in this order it is never negative */
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
	return atomic_load_explicit(&ring->put, memory_order_acquire) - taken;
}

const struct ew_access *ew_access_ring_peek(const struct ew_access_ring *ring)
{
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	if (atomic_load_explicit(&ring->put, memory_order_acquire) == taken)
		return NULL;
	return &ring->slots[taken % EW_ACCESS_RING];
}

void ew_access_ring_drop(struct ew_access_ring *ring)
{
	uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
}
