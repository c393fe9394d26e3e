/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - jansson with our limits, and getters that put the path of the key into the error.
 *
 * json_t is jansson's; references are counted (json_decref). "get" functions borrow.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	JSON_DEPTH_MAX = 64,
	JSON_TEXT_MAX = 64 << 20
};

/* Whole text is one value. Refused: repeated keys, NUL, bad UTF-8, depth over JSON_DEPTH_MAX, more
 * than JSON_TEXT_MAX bytes (ERR_BAD_REQUEST with line and column; ERR_TOO_LARGE). Owned. */
MUST_CHECK
json_t *json_parse(struct str text, struct err *err);

/* One line, keys in insertion order (sorted: canonical). Owned by the caller. */
char *json_format(const json_t *value);
char *json_format_sorted(const json_t *value);

/*
 * Walk "a.b.c" from an object. NULL or the default when any step is missing or of another type.
 * For reading objects that were validated before.
 */
json_t *json_at(const json_t *obj, const char *path);
const char *json_str_at(const json_t *obj, const char *path, const char *dflt);
int64_t json_int_at(const json_t *obj, const char *path, int64_t dflt);
bool json_bool_at(const json_t *obj, const char *path, bool dflt);

/* Sets obj.a.b.c = value, making objects on the way. Steals value. */
void json_set_at(json_t *obj, const char *path, json_t *value);

/* For CLEANUP(). */
void json_cleanup(json_t **value);
