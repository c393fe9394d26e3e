/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - YAML 1.1 text to JSON, as Kubernetes reads it: yes/no/on/off are booleans, 0644 is octal,
 * a key that looks like a number is the text as written.
 *
 * Refused: anchors and aliases, tags, repeated keys, keys that are no scalars, depth over
 * JSON_DEPTH_MAX, more than YAML_NODES_MAX nodes. Every error names line and column.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
	YAML_NODES_MAX = 2000000
};

/* A JSON array of the documents in text, empty ones left out. name is put before errors
 * ("gateway.yaml:12:3: ..."). Owned. */
MUST_CHECK
json_t *yaml_parse_all(struct str text, const char *name, struct err *err);

/* Exactly one document. */
MUST_CHECK
json_t *yaml_parse(struct str text, const char *name, struct err *err);

/* Line (from 1) at which the value at a path ("routes[3].sni") stands in text; 0 if not found. For
 * errors found after parsing. */
int yaml_line_of(struct str text, const char *path);

/* JSON value as YAML text, keys in insertion order; owned by the caller. */
char *yaml_format(const json_t *value);
