/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - a view of bytes: borrowed, by value, not NUL-terminated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

enum {
	STR_DISTANCE_MAX = 64
};

/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s)   (int)(s).len, (s).ptr
#define STR_LIT(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NULL     ((struct str){NULL, 0})

static inline struct str str_from(const char *text)
{
	return (struct str){text, text != NULL ? strlen(text) : 0};
}

static inline struct str str_make(const char *ptr, size_t len)
{
	return (struct str){ptr, len};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
	return str_eq(a, str_from(text));
}

/* For structs that own their texts in general, when one is filled only to be read. */
static inline char *str_lend(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* memcmp order, a prefix first. */
int str_cmp(struct str a, struct str b);
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);

/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);

/*
 * Cuts at the first sep: ret_head gets what stands before it, *rest what stands behind it. Without
 * sep ret_head is all and *rest becomes {NULL, 0}. False when *rest was {NULL, 0} already, so that
 * `while (str_split(&rest, ',', &item))` walks all items, empty ones too.
 */
bool str_split(struct str *rest, char sep, struct str *ret_head);

/* Decimal without sign, at most max. False: empty, another character, or too large. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret_value);

/* Heap copy, NUL-terminated, owned by the caller. */
char *str_dup(struct str s);

/* "10s", "2m", "1h30m", "250ms", "0": Go's duration text, as Kubernetes writes it. False: not one,
 * or over 10 years. */
bool str_to_duration_ms(struct str s, uint64_t *ret_ms);

/* How many characters to insert, drop or replace to get from a to b: for "did you mean". At most
 * STR_DISTANCE_MAX, which also stands for texts longer than that. */
size_t str_distance(struct str a, struct str b);

/* A DNS label (RFC 1123): 1 to 63 of [a-z0-9-], alphanumeric at both ends. */
bool str_is_dns_label(struct str s);
