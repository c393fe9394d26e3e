/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels - an immutable, shared set of key=value pairs, sorted by key; the pods of one workload
 * share one.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "model/shared.h"

enum {
	LABELS_MAX = 256,     /* pairs in a set */
	LABEL_TEXT_MAX = 1024 /* bytes of a key or a value; Kubernetes allows 317 and 63 */
};

struct label {
	const char *key;
	const char *value;
};

struct labels {
	struct shared shared;
	size_t n;
	struct label pairs[]; /* followed by the text */
};

/* From a JSON object of strings; NULL, JSON null and {} give the empty set. Owned. NULL on error:
 * ERR_INVALID (a value is no string), ERR_TOO_LARGE. */
MUST_CHECK
struct labels *labels_decode(const json_t *obj, struct err *err);
/* Owned by the caller. */
json_t *labels_encode(const struct labels *labels);

/* The empty set; owned by the caller as any other. */
struct labels *labels_none(void);
struct labels *labels_ref(struct labels *labels);
void labels_unref(struct labels *labels);

/* NULL: no such key. */
const char *labels_find(const struct labels *labels, const char *key);
bool labels_eq(const struct labels *a, const struct labels *b);
/* Every pair of want is in labels. */
bool labels_match(const struct labels *labels, const struct labels *want);
