/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"

enum {
	BUF_FIRST_CAP = 64
};

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_init_secret(struct buf *buf, size_t max)
{
	char *ptr = mmap(NULL, max + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ptr == MAP_FAILED)
		UNREACHABLE("no memory");
	IGNORE(madvise(ptr, max + 1, MADV_DONTDUMP) < 0);
	*buf = (struct buf){.ptr = ptr, .cap = max, .max = max, .secret = true};
}

void buf_fini(struct buf *buf)
{
	if (buf->secret) {
		explicit_bzero(buf->ptr, buf->len);
		munmap(buf->ptr, buf->max + 1);
	} else {
		free(buf->ptr);
	}
	*buf = (struct buf){.max = buf->max};
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->ptr != NULL)
		buf->ptr[0] = '\0';
}

/* The NUL lies at ptr[len], so the memory is one byte more than cap. */
static void grow(struct buf *buf, size_t need)
{
	size_t cap = buf->cap > 0 ? buf->cap : BUF_FIRST_CAP;

	while (cap < need)
		cap = cap > buf->max / 2 ? buf->max : cap * 2;
	if (cap > buf->max)
		cap = buf->max;
	buf->ptr = xrealloc(buf->ptr, cap + 1);
	buf->ptr[buf->len] = '\0';
	buf->cap = cap;
}

char *buf_reserve(struct buf *buf, size_t n)
{
	if (buf->failed || n > buf->max - buf->len) {
		buf->failed = true;
		return NULL;
	}
	if (buf->ptr == NULL || n > buf->cap - buf->len)
		grow(buf, buf->len + n);
	return buf->ptr + buf->len;
}

void buf_commit(struct buf *buf, size_t n)
{
	assert(n <= buf->cap - buf->len);
	buf->len += n;
	if (buf->ptr != NULL)
		buf->ptr[buf->len] = '\0';
}

bool buf_add(struct buf *buf, const void *data, size_t len)
{
	char *room = buf_reserve(buf, len);

	if (room == NULL)
		return false;
	if (len > 0)
		memcpy(room, data, len);
	buf_commit(buf, len);
	return true;
}

bool buf_add_str(struct buf *buf, struct str s)
{
	return buf_add(buf, s.ptr, s.len);
}

bool buf_add_text(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

bool buf_add_char(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *room = len >= 0 ? buf_reserve(buf, (size_t)len) : NULL;
	if (room == NULL)
		return false;
	va_start(args, fmt);
	vsnprintf(room, (size_t)len + 1, fmt, args);
	va_end(args);
	buf_commit(buf, (size_t)len);
	return true;
}

void buf_consume(struct buf *buf, size_t n)
{
	assert(n <= buf->len);
	if (n == 0)
		return;
	buf->len -= n;
	memmove(buf->ptr, buf->ptr + n, buf->len);
	buf->ptr[buf->len] = '\0';
}

bool buf_failed(const struct buf *buf)
{
	return buf->failed;
}

struct str buf_str(const struct buf *buf)
{
	return str_make(buf_text(buf), buf->len);
}

const char *buf_text(const struct buf *buf)
{
	return buf->ptr != NULL ? buf->ptr : "";
}

char *buf_take(struct buf *buf)
{
	char *text = buf->ptr != NULL ? buf->ptr : xstrdup("");

	assert(!buf->secret);

	*buf = (struct buf){.max = buf->max};
	return text;
}
