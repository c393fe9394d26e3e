/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outq - bytes to be sent: added behind, taken in front, without moving the rest each time.
 *
 * Private to base. The memory of a drained queue is given back when it was large, so that thousands
 * of quiet connections hold little.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

enum {
	OUTQ_KEEP = 16 << 10
};

struct outq {
	struct buf buf;
	size_t off; /* taken already */
};

static inline void outq_init(struct outq *q, size_t max)
{
	buf_init(&q->buf, max);
	q->off = 0;
}

static inline void outq_fini(struct outq *q)
{
	buf_fini(&q->buf);
	q->off = 0;
}

static inline size_t outq_len(const struct outq *q)
{
	return q->buf.len - q->off;
}

static inline struct str outq_front(const struct outq *q)
{
	return q->buf.ptr != NULL ? str_make(q->buf.ptr + q->off, outq_len(q)) : STR_NULL;
}

static inline void outq_take(struct outq *q, size_t n)
{
	size_t max = q->buf.max;

	q->off += n;
	if (q->off < q->buf.len)
		return;
	if (q->buf.cap > OUTQ_KEEP) {
		buf_fini(&q->buf);
		buf_init(&q->buf, max);
	} else {
		buf_clear(&q->buf);
	}
	q->off = 0;
}

/* False: would pass the maximum, nothing was added. */
static inline bool outq_add(struct outq *q, struct str data)
{
	if (data.len > q->buf.max - outq_len(q))
		return false;
	if (q->off > 0 && (q->off >= q->buf.len / 2 || data.len > q->buf.max - q->buf.len)) {
		buf_consume(&q->buf, q->off);
		q->off = 0;
	}
	return buf_add_str(&q->buf, data);
}
