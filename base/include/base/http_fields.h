/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields - header fields in order, names in lower case, with a limit on their bytes.
 *
 * Pure. Owns copies of all texts. Names and values are checked on the way in: a name is a token
 * (RFC 9110 5.6.2), a value has no CR, LF or NUL (RFC 9110 5.5), so nothing can be smuggled out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	HTTP_FIELDS_BYTES_MAX = 64 << 10, /* names + values + 32 each (RFC 9113 6.5.2) */
	HTTP_FIELDS_MAX = 256
};

struct http_field {
	struct str name;
	struct str value; /* both NUL-terminated */
};

struct http_fields {
	struct http_field *v;
	size_t n;
	size_t cap;
	size_t bytes;
};

#define HTTP_FIELDS_EMPTY ((struct http_fields){NULL, 0, 0, 0})

/* Harmless twice and on zeroed memory. Usable with CLEANUP(). */
void http_fields_fini(struct http_fields *fields);

/* False, nothing added: not a token, a forbidden byte in the value, or a limit passed. */
bool http_fields_add(struct http_fields *fields, struct str name, struct str value);
/* For names that are literals. */
bool http_fields_add_text(struct http_fields *fields, const char *name, const char *value);

/* The first value of that name (lower case); NULL: none. Borrowed, NUL-terminated. */
const char *http_fields_find(const struct http_fields *fields, const char *name);
/* How many fields have that name. */
size_t http_fields_count(const struct http_fields *fields, const char *name);

/* Is a comma-list field (all of that name together) holding this token, in any case? */
bool http_fields_has_token(const struct http_fields *fields, const char *name, const char *token);

bool http_is_token(struct str s);

/* Percent-decoding of a path segment or a query part; with plus, '+' is a space. Heap copy, the
 * caller's. NULL: a bad escape, or %00. */
char *http_unescape(struct str s, bool plus);

/* The decoded first value of a key in "a=1&b=2": heap, the caller's. NULL: not there or bad. */
char *http_query_find(struct str query, const char *key);
