/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc - heap memory that is there or ends the process.
 *
 * Out of memory aborts. So every size that a peer, a file or an object chooses is compared with a
 * named maximum before it gets here.
 */
#pragma once

#include <stddef.h>

/* The caller owns what is returned and gives it back with free(). Never NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
void *xmemdup(const void *data, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For CLEANUP(): frees the pointer that the variable holds. */
void free_ptr(void *variable);
