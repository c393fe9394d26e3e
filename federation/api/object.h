/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object - one revision of one object as bytes, and the sorted index of a resource's objects.
 *
 *   {"apiVersion":"V","kind":"K","metadata":{"resourceVersion":"R"  ,"name":...},"spec":...}
 *   └──────────── written anew for each answer ──────────────────┘  └──── tail: the stored bytes
 *
 * So the same bytes serve every version of a kind, and an old state can be sent with the revision
 * of the change that ended it. Shared (ref/unref) and immutable.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct api_object {
	unsigned refs;
	uint64_t rev;
	uint64_t create_rev;
	char *namespace_; /* "" when cluster-scoped */
	char *name;
	struct str tail;
	json_t *meta; /* metadata, parsed when first asked for */
};

/* obj's metadata.resourceVersion is ignored. One reference, the caller's. */
struct api_object *api_object_create(uint64_t rev, uint64_t create_rev, const json_t *obj);
/* From stored text, as api_object_format() wrote it. ERR_INVALID. */
MUST_CHECK
struct api_object *api_object_load(uint64_t rev, uint64_t create_rev, struct str text,
                                   struct err *err);
struct api_object *api_object_ref(struct api_object *object);
/* NULL is harmless. */
void api_object_unref(struct api_object *object);

/* Appends the JSON text; rev 0: without resourceVersion. */
void api_object_format(const struct api_object *object, const char *api_version, const char *kind,
                       uint64_t rev, struct buf *out);
/* The JSON tree, new. */
json_t *api_object_decode(const struct api_object *object, const char *api_version,
                          const char *kind);
/* Appends only the metadata object as text. */
void api_object_format_meta(const struct api_object *object, struct buf *out);
/* Borrowed. */
const json_t *api_object_meta(struct api_object *object);
const json_t *api_object_labels(struct api_object *object);
const char *api_object_uid(struct api_object *object);
bool api_object_is_deleting(struct api_object *object);

/* --- index: ordered by namespace, name; holds one reference each --------------------------------
 */

struct api_index {
	struct api_object **v;
	size_t n;
	size_t cap;
};

/* Borrowed, or NULL. */
struct api_object *api_index_find(const struct api_index *index, const char *namespace_,
                                  const char *name);
/* Takes a reference of its own; replaces the one of the same name. */
void api_index_set(struct api_index *index, struct api_object *object);
void api_index_remove(struct api_index *index, const char *namespace_, const char *name);
void api_index_fini(struct api_index *index);
/* The range of one namespace; NULL or "": all. */
void api_index_range(const struct api_index *index, const char *namespace_, size_t *ret_first,
                     size_t *ret_end);
