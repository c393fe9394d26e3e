/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata - flat google.protobuf.Structs under our key `fedway.io`: in a Metadata message (of a
 * cluster, an endpoint) and in the metadata of a node.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/proto/core.pb-c.h"
#include "xds/proto/google.pb-c.h"

#define METADATA_KEY "fedway.io"

enum {
	METADATA_ITEMS_MAX = 8,
	METADATA_BYTES_MAX = 16 << 10
};

/* One key. text NULL: a bool. */
struct metadata_item {
	const char *key;
	const char *text;
	bool flag;
};

/* Appends the Struct's bytes. */
void metadata_encode(const struct metadata_item *items, size_t n, struct buf *out);
/* Appends a Struct with the one field `key` that is the Struct of these bytes. */
void metadata_encode_nested(const char *key, struct str inner, struct buf *out);

/* The Struct of these bytes, owned (metadata_free). */
MUST_CHECK
Google__Struct *metadata_decode(struct str bytes, struct err *err);
void metadata_free(Google__Struct *meta);
/* The value of a key; NULL: not there. Borrowed. */
const Google__Value *metadata_find(const Google__Struct *meta, const char *key);
/* NULL: not there or no text. */
const char *metadata_text(const Google__Struct *meta, const char *key);
bool metadata_flag(const Google__Struct *meta, const char *key);

/* Our Struct of a Metadata message (NULL is fine). ret_meta is NULL when it has none. */
MUST_CHECK
bool metadata_of(const Envoy__Metadata *metadata, Google__Struct **ret_meta, struct err *err);
