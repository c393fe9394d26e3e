/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - counters and gauges of one process in the Prometheus text format 0.0.4.
 *
 * A family is declared once (name, help, kind); a series is one set of label values in it, found or
 * made by metrics_series(). The value is an atomic 64-bit number, so a worker adds to its own
 * series without a lock. Families cap their series: past max_series all share one with the label
 * values "other".
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum metrics_kind {
	METRICS_COUNTER,
	METRICS_GAUGE,
};

struct metrics;
struct metrics_family;

struct metrics_value {
	_Atomic int64_t n;
};

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

/* label_names: comma list, "" for none. Texts are borrowed and must outlive metrics. */
struct metrics_family *metrics_family(struct metrics *metrics, enum metrics_kind kind,
                                      const char *name, const char *help, const char *label_names,
                                      size_t max_series);
/* label_values: one per name, copied. Thread-safe. The series lives as long as metrics. */
struct metrics_value *metrics_series(struct metrics_family *family,
                                     const char *const *label_values);

static inline void metrics_add(struct metrics_value *value, int64_t n)
{
	atomic_fetch_add_explicit(&value->n, n, memory_order_relaxed);
}

static inline void metrics_set(struct metrics_value *value, int64_t n)
{
	atomic_store_explicit(&value->n, n, memory_order_relaxed);
}

static inline int64_t metrics_get(const struct metrics_value *value)
{
	return atomic_load_explicit(&value->n, memory_order_relaxed);
}

/* Appends all families in order of declaration. */
void metrics_format(struct metrics *metrics, struct buf *out);
