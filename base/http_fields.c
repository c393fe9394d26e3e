/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_fields.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/macros.h"

enum {
	FIELD_OVERHEAD = 32
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool http_is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!is_alnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return s.len > 0;
}

static bool is_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void copy_lower(char *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[s.len] = '\0';
}

void http_fields_fini(struct http_fields *fields)
{
	/* Name and value share one block. */
	for (size_t i = 0; i < fields->n; i++)
		free_ptr(&fields->v[i].name);
	free(fields->v);
	*fields = HTTP_FIELDS_EMPTY;
}

bool http_fields_add(struct http_fields *fields, struct str name, struct str value)
{
	size_t bytes = name.len + value.len + FIELD_OVERHEAD;
	char *block;

	if (fields->n >= HTTP_FIELDS_MAX || name.len > HTTP_FIELDS_BYTES_MAX ||
	    value.len > HTTP_FIELDS_BYTES_MAX || fields->bytes + bytes > HTTP_FIELDS_BYTES_MAX)
		return false;
	if (!http_is_token(name) || !is_value(value))
		return false;
	if (fields->n == fields->cap) {
		fields->cap = fields->cap > 0 ? fields->cap * 2 : 8;
		fields->v = xrealloc(fields->v, fields->cap * sizeof(*fields->v));
	}
	block = xmalloc(name.len + value.len + 2);
	copy_lower(block, name);
	if (value.len > 0)
		memcpy(block + name.len + 1, value.ptr, value.len);
	block[name.len + 1 + value.len] = '\0';
	fields->v[fields->n].name = str_make(block, name.len);
	fields->v[fields->n].value = str_make(block + name.len + 1, value.len);
	fields->n++;
	fields->bytes += bytes;
	return true;
}

bool http_fields_add_text(struct http_fields *fields, const char *name, const char *value)
{
	return http_fields_add(fields, str_from(name), str_from(value));
}

const char *http_fields_find(const struct http_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++) {
		if (str_is(fields->v[i].name, name))
			return fields->v[i].value.ptr;
	}
	return NULL;
}

size_t http_fields_count(const struct http_fields *fields, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < fields->n; i++)
		n += str_is(fields->v[i].name, name);
	return n;
}

bool http_fields_has_token(const struct http_fields *fields, const char *name, const char *token)
{
	size_t len = strlen(token);

	for (size_t i = 0; i < fields->n; i++) {
		struct str rest = fields->v[i].value;
		struct str item;

		if (!str_is(fields->v[i].name, name))
			continue;
		while (str_split(&rest, ',', &item)) {
			item = str_trim(item);
			if (item.len == len && strncasecmp(item.ptr, token, len) == 0)
				return true;
		}
	}
	return false;
}

/* --- percent-encoding ------------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that "%XX" at s.ptr[i] means; -1: a bad escape or NUL. */
static int escaped_byte(struct str s, size_t i)
{
	int high, low;

	if (i + 2 >= s.len)
		return -1;
	high = hex_value(s.ptr[i + 1]);
	low = hex_value(s.ptr[i + 2]);
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return -1;
	return high * 16 + low;
}

char *http_unescape(struct str s, bool plus)
{
	char *out = xmalloc(s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%') {
			int byte = escaped_byte(s, i);

			if (byte < 0) {
				free(out);
				return NULL;
			}
			c = (char)byte;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return out;
}

char *http_query_find(struct str query, const char *key)
{
	struct str part;

	while (str_split(&query, '&', &part)) {
		struct str value = part;
		struct str name_text;
		char *name;
		bool found;

		IGNORE(str_split(&value, '=', &name_text)); /* no '=': an empty value */
		name = http_unescape(name_text, true);
		found = name != NULL && strcmp(name, key) == 0;
		free(name);
		if (found)
			return http_unescape(value, true);
	}
	return NULL;
}
