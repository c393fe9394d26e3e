/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector - which objects are meant: label selectors and field selectors, parsed and matched.
 *
 * Pure. Owns its memory; immutable after parsing, so that any thread may match.
 * Source: k8s.io/apimachinery pkg/labels and pkg/fields; error texts are theirs, because clients
 * show them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
	SELECTOR_TEXT_MAX = 16 << 10, /* bytes of one selector */
	SELECTOR_TERMS_MAX = 128
};

enum selector_op {
	SELECTOR_IN,     /* the key is there with one of the values */
	SELECTOR_NOT_IN, /* the key is absent, or has none of the values */
	SELECTOR_EXISTS,
	SELECTOR_NOT_EXISTS,
	SELECTOR_GREATER, /* both are decimal integers */
	SELECTOR_LESS,
};

struct selector_term {
	char *key;
	enum selector_op op;
	char **values;
	size_t n_values;
};

/* No terms: selects everything. */
struct selector {
	struct selector_term *terms;
	size_t n_terms;
};

/* "a", "!a", "a=b", "a==b", "a!=b", "a in (b,c)", "a notin (b)", "a>1", "a<1", joined by commas.
 * ERR_BAD_REQUEST, ERR_TOO_LARGE. */
MUST_CHECK
bool selector_parse_labels(struct str text, struct selector *ret_selector, struct err *err);

/* "path=v", "path==v", "path!=v", joined by commas; backslash escapes backslash, comma and equals
 * sign in values. ERR_BAD_REQUEST, ERR_TOO_LARGE. */
MUST_CHECK
bool selector_parse_fields(struct str text, struct selector *ret_selector, struct err *err);

/* A LabelSelector object {matchLabels, matchExpressions}. NULL or {}: selects everything. */
MUST_CHECK
bool selector_from_json(const json_t *obj, struct selector *ret_selector, struct err *err);

/* Frees; harmless twice and on zeroed memory. */
void selector_fini(struct selector *selector);

/* values: a JSON object of strings (metadata.labels), or NULL for none. For field selectors: path
 * to text; a path that is absent counts as "". */
bool selector_has_labels(const struct selector *selector, const json_t *labels);
bool selector_has_fields(const struct selector *selector, const json_t *fields);

/* The value that a field selector demands of path by "=", or NULL. Borrowed. */
const char *selector_find_exact(const struct selector *selector, const char *path);

/* Rules of metadata.labels. False: *ret_why gets the sentence that kube-apiserver would give. */
bool selector_is_label_key(struct str key, const char **ret_why);
bool selector_is_label_value(struct str value, const char **ret_why);
