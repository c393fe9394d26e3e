/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode - stored objects as answers: the object itself, a List, a Table, PartialObjectMetadata.
 * Pure; appends to a buffer, stored bytes are copied as they are.
 * Source: Kubernetes API concepts, "receiving resources as Tables".
 */
#pragma once

#include "kinds.h"
#include "negotiate.h"
#include "object.h"

enum api_include {
	API_INCLUDE_METADATA,
	API_INCLUDE_NONE,
	API_INCLUDE_OBJECT,
};

struct api_encoder {
	const struct api_resource *resource;
	const struct api_version *version;
	char group_version[API_VERSION_TEXT_MAX];
	enum api_form form;
	enum api_include include;
	int64_t now_s;
};

void api_encoder_init(struct api_encoder *encoder, const struct api_resource *resource,
                      const struct api_version *version, enum api_form form);
/* includeObject; an unknown text counts as Metadata. */
enum api_include api_include_parse(const char *text);

/* One object; rev is what it shows as resourceVersion (0: none). with_columns: of a Table. */
void api_encode_object(const struct api_encoder *encoder, const struct api_object *object,
                       uint64_t rev, bool with_columns, struct buf *out);

struct api_list_meta {
	uint64_t rev;
	const char *continue_token; /* NULL: none */
	int64_t remaining;          /* 0: not told */
};
void api_encode_list(const struct api_encoder *encoder, struct api_object *const *objects, size_t n,
                     const struct api_list_meta *meta, struct buf *out);

/* The object of a BOOKMARK: of the watched kind, with nothing but the revision. */
void api_encode_bookmark(const struct api_encoder *encoder, uint64_t rev, bool initial_end,
                         struct buf *out);
