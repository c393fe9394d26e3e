/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - bytes that grow, up to a maximum that is named at birth.
 *
 *   ptr ────────────── len ────────── cap ≤ max
 *   │ content          │0│ room        │
 *
 * The content is always followed by a NUL that does not count. Errors stick: after an append that
 * would pass max, the content stays as it was and buf_failed() is true, so a builder checks once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
	bool secret;
};

void buf_init(struct buf *buf, size_t max);
/* For a private key: takes all of max at once, in pages that no core dump has, and leaves nothing
 * behind at its end. Not for buf_take(). */
void buf_init_secret(struct buf *buf, size_t max);
/* Frees; harmless twice and on zeroed memory. Usable with CLEANUP(). */
void buf_fini(struct buf *buf);
/* Empty again, memory kept, failure forgotten. */
void buf_clear(struct buf *buf);

bool buf_add(struct buf *buf, const void *data, size_t len);
bool buf_add_str(struct buf *buf, struct str s);
bool buf_add_text(struct buf *buf, const char *text);
bool buf_add_char(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for at least n bytes behind the content, to be written in place, then buf_commit(n). NULL:
 * would pass max. */
char *buf_reserve(struct buf *buf, size_t n);
void buf_commit(struct buf *buf, size_t n);

/* Drops n bytes at the front. */
void buf_consume(struct buf *buf, size_t n);

bool buf_failed(const struct buf *buf);
struct str buf_str(const struct buf *buf);
/* NUL-terminated view, "" when nothing was added. */
const char *buf_text(const struct buf *buf);
/* Gives the content to the caller (free()); the buf is empty again. */
char *buf_take(struct buf *buf);
