/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names - clusters, networks and localities as small numbers.
 *
 * Append-only and shared by all tables of one line of descent: a number means the same in all of
 * them. One thread adds; any thread that was handed a table may look up the numbers in it.
 * Shared: ref/unref.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	EW_NAMES_MAX = 65535, /* different names */
	EW_NAME_LEN_MAX = 253
};

/* Number of the empty name. */
#define EW_NAME_NONE ((uint16_t)0)

struct ew_names;

struct ew_names *ew_names_create(void);
struct ew_names *ew_names_ref(struct ew_names *names);
void ew_names_unref(struct ew_names *names);

/* The number of a name, new if need be. ERR_TOO_LARGE: too long, or too many. */
MUST_CHECK
bool ew_names_add(struct ew_names *names, struct str text, uint16_t *ret_id, struct err *err);
/* EW_NAME_NONE when there is none; only on the adding thread. */
uint16_t ew_names_find(const struct ew_names *names, struct str text);
/* Borrowed from names, NUL-terminated. */
const char *ew_names_text(const struct ew_names *names, uint16_t id);
