/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared - values that several owners hold and nobody changes any more.
 *
 * A shared value has struct shared as its first member. Counts are atomic, so a snapshot may be
 * read by another thread than the one that built it; building is one thread's business.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct shared {
	_Atomic uint32_t refs;
	void (*destroy)(struct shared *value);
};

/* One reference, the caller's. */
void shared_init(struct shared *value, void (*destroy)(struct shared *value));
void shared_ref(struct shared *value);
/* Harmless for NULL. The last one destroys. */
void shared_unref(struct shared *value);
