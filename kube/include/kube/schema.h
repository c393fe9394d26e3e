/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema - structural schemas (OpenAPI v3 as CustomResourceDefinitions carry it): prune, default,
 * validate.
 *
 * Compiled once from JSON, immutable afterwards. The order of use on a decoded object is prune,
 * default, validate. x-kubernetes-validations (CEL) are not evaluated.
 * Source: apiextensions.k8s.io/v1 JSONSchemaProps; error texts as kube-apiserver gives them.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

enum {
	SCHEMA_NODES_MAX = 50000,
	SCHEMA_PATTERN_MATCH_LIMIT = 100000, /* steps of one regular expression on one value */
	SCHEMA_CAUSES_MAX = 64               /* errors told of one object */
};

struct schema;

/* Owned. ERR_INVALID: the message starts with the path inside the schema. */
MUST_CHECK
struct schema *schema_create(const json_t *openapi, struct err *err);
/* NULL is harmless. */
void schema_destroy(struct schema *schema);

/* Drops what the schema does not know, outside x-kubernetes-preserve-unknown-fields. The path of
 * each dropped field is appended to unknown (a JSON array of texts) unless that is NULL. The root's
 * apiVersion, kind and metadata are kept as they are. */
void schema_prune(const struct schema *schema, json_t *obj, json_t *unknown);

/* Fills in defaults, where the parent is there. A null that is not nullable but has a default is
 * replaced by it. */
void schema_set_defaults(const struct schema *schema, json_t *obj);

/* Appends one {"reason","message","field"} for each violation to causes (a JSON array), at most
 * SCHEMA_CAUSES_MAX. True: none. */
bool schema_check(const struct schema *schema, const json_t *obj, json_t *causes);

/* --- for walking a schema beside an object (strategic merge) ---------------------------------- */

/* The schema of obj.key, of a map's values, or NULL. NULL schema gives NULL. */
const struct schema *schema_find_field(const struct schema *schema, const char *key);
const struct schema *schema_find_items(const struct schema *schema);
/* x-kubernetes-patch-merge-key of a list of objects, or NULL: the list is atomic. */
const char *schema_find_merge_key(const struct schema *schema);
/* x-kubernetes-patch-strategy has "merge": for a list of plain values, a union. */
bool schema_is_patch_merge(const struct schema *schema);
/* x-kubernetes-patch-strategy has "retainKeys". */
bool schema_is_patch_retain_keys(const struct schema *schema);
