/* SPDX-License-Identifier: Apache-2.0 */
#include "model/shared.h"

#include <assert.h>
#include <stddef.h>

void shared_init(struct shared *value, void (*destroy)(struct shared *value))
{
	atomic_init(&value->refs, 1);
	value->destroy = destroy;
}

void shared_ref(struct shared *value)
{
	uint32_t before = atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);

	assert(before > 0 && before < UINT32_MAX);
}

void shared_unref(struct shared *value)
{
	if (value == NULL)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel);

	assert(before > 0);
	if (before == 1)
		value->destroy(value);
}
