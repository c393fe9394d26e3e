/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonpath - the paths of printer columns and field selectors: ".spec.size", ".a['x.y']",
 * ".list[0]", ".list[*].name", ".conditions[?(@.type==\"Ready\")].status", "{.a}".
 *
 * Compiled once, immutable afterwards.
 * Source: k8s.io/client-go util/jsonpath, the part that custom resource definitions may use.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

enum {
	JSONPATH_STEPS_MAX = 32,
	JSONPATH_TEXT_MAX = 1024
};

struct jsonpath;

/* Owned. ERR_INVALID. */
MUST_CHECK
struct jsonpath *jsonpath_create(const char *text, struct err *err);
void jsonpath_destroy(struct jsonpath *path);

/* The first value found, borrowed from obj, or NULL. */
json_t *jsonpath_find(const struct jsonpath *path, const json_t *obj);

/* All values found, as a new JSON array that shares them. */
json_t *jsonpath_find_all(const struct jsonpath *path, const json_t *obj);
