/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url - what a path and its query ask for. Pure.
 *
 *   /api/v1/namespaces/NS/pods/NAME/status      /apis/GROUP/VERSION/...      /clusters/NAME/...
 *
 * Source: Kubernetes API concepts, "resource URIs"; apimachinery meta/v1 ListOptions,
 * CreateOptions, PatchOptions, DeleteOptions.
 */
#pragma once

#include "request.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "kube/selector.h"

enum {
	API_SEGMENT_MAX = 253, /* bytes of one path segment */
	API_SEGMENTS_MAX = 12
};

enum api_route_kind {
	API_ROUTE_NONE,     /* 404 in plain text */
	API_ROUTE_PLAIN,    /* /version, /healthz, /openapi/..., in path */
	API_ROUTE_API,      /* /api */
	API_ROUTE_APIS,     /* /apis */
	API_ROUTE_GROUP,    /* /apis/GROUP */
	API_ROUTE_VERSION,  /* /api/v1, /apis/GROUP/VERSION */
	API_ROUTE_RESOURCE, /* below */
};

struct api_route {
	enum api_route_kind kind;
	char cluster[64];               /* logical cluster; "" is the hosted one */
	char path[API_SEGMENT_MAX * 2]; /* of a plain route, without the cluster */
	char group[API_SEGMENT_MAX + 1];
	char version[API_SEGMENT_MAX + 1];
	char namespace_[API_SEGMENT_MAX + 1]; /* "": none, or all */
	char resource[API_SEGMENT_MAX + 1];
	char name[API_SEGMENT_MAX + 1]; /* "": the collection */
	char subresource[API_SEGMENT_MAX + 1];
};

/* False: a bad escape or too long a segment (ERR_BAD_REQUEST). */
MUST_CHECK
bool api_route_parse(struct str path, struct api_route *ret_route, struct err *err);

enum api_field_validation {
	API_FIELDS_WARN,
	API_FIELDS_STRICT,
	API_FIELDS_IGNORE,
};

struct api_params {
	bool watch;
	struct selector labels;
	struct selector fields;
	char resource_version[24]; /* "": not given */
	char resource_version_match[24];
	bool send_initial_events;
	bool has_send_initial_events;
	bool allow_bookmarks;
	int64_t timeout_s; /* 0: not given */
	int64_t limit;
	char *continue_token; /* NULL: not given */
	bool dry_run;
	char *bad_dry_run; /* a value that is not "All" */
	enum api_field_validation field_validation;
	char *bad_field_validation;
	bool force;
	char propagation[24];
	int64_t grace_s; /* -1: not given */
	char include_object[16];
};

/* ERR_BAD_REQUEST: selectors and numbers that do not parse. fini also after failure. */
MUST_CHECK
bool api_params_parse(struct str query, struct api_params *ret_params, struct err *err);
void api_params_fini(struct api_params *params);
