/* SPDX-License-Identifier: Apache-2.0 */
/*
 * negotiate - which form of answer a client wants, and what form its body has. Pure.
 * Source: RFC 9110 12.5.1; Kubernetes API concepts, "alternate representations of resources".
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum api_form {
	API_FORM_OBJECT,
	API_FORM_TABLE,
	API_FORM_PARTIAL,      /* PartialObjectMetadata[List] */
	API_FORM_DISCOVERY_V2, /* APIGroupDiscoveryList */
};

struct api_accept {
	enum api_form form;
	bool yaml;
};

/* The first clause that we can serve; protobuf and CBOR are passed over. False: none (406). */
bool api_accept_parse(const char *accept, struct api_accept *ret_accept);

enum api_media {
	API_MEDIA_JSON,
	API_MEDIA_YAML,
	API_MEDIA_MERGE_PATCH,
	API_MEDIA_STRATEGIC_PATCH,
	API_MEDIA_OTHER,
};

/* Absent counts as JSON. */
enum api_media api_media_parse(const char *content_type);
