/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static void *or_die(void *memory)
{
	if (memory == NULL)
		UNREACHABLE("out of memory");
	return memory;
}

/* malloc(0) may be NULL, which would look like exhaustion. */
void *xmalloc(size_t size)
{
	return or_die(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return or_die(n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1));
}

void *xrealloc(void *old, size_t size)
{
	return or_die(realloc(old, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
	return or_die(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return or_die(strndup(text, len));
}

void *xmemdup(const void *data, size_t len)
{
	void *copy = xmalloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(&text, fmt, args);
	va_end(args);
	return or_die(len >= 0 ? text : NULL);
}

void free_ptr(void *variable)
{
	void **slot = variable;

	free(*slot);
	*slot = NULL;
}
