/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled form of a schema: one node per JSONSchemaProps.
 */
#pragma once

#include "base/map.h"
#include "kube/schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum schema_type {
	SCHEMA_ANY, /* no type given */
	SCHEMA_OBJECT,
	SCHEMA_ARRAY,
	SCHEMA_STRING,
	SCHEMA_INTEGER,
	SCHEMA_NUMBER,
	SCHEMA_BOOLEAN,
};

enum schema_list_type {
	SCHEMA_LIST_ATOMIC,
	SCHEMA_LIST_SET,
	SCHEMA_LIST_MAP,
};

/* Bounds that are absent have has false. */
struct schema_count {
	bool has;
	int64_t n;
};

struct schema_bound {
	bool has;
	bool exclusive;
	json_t *value; /* number, owned */
};

struct schema_alternatives {
	struct schema **v;
	size_t n;
};

struct schema {
	enum schema_type type;
	const char *format; /* borrowed from source, as all texts */
	bool nullable;
	bool preserve_unknown;
	bool int_or_string;
	bool embedded;
	struct map properties;
	struct schema *additional; /* of a map's values */
	bool additional_any;       /* additionalProperties: true */
	struct schema *items;
	json_t *required;
	json_t *enumeration;
	json_t *default_value;
	struct schema_count min_len, max_len, min_items, max_items, min_props, max_props;
	struct schema_bound minimum, maximum;
	json_t *multiple_of;
	bool unique_items;
	const char *pattern_text;
	pcre2_code *pattern;
	enum schema_list_type list_type;
	json_t *list_keys;
	const char *merge_key;
	bool patch_merge;
	bool patch_retain_keys;
	struct schema_alternatives all_of, any_of, one_of;
	struct schema *not_of;
	json_t *source; /* a reference, keeps the texts alive */
};

extern const char *const schema_type_names[];
