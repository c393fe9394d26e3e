/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain - where the calls of a consumer to a service go, and why: answers.fedway.io/v1alpha1
 * RouteExplanation. Computed from an immutable view, so any thread may.
 */
#pragma once

#include "base/json.h"
#include "model/view.h"

struct explain_request {
	struct str ns;
	struct str name;
	uint16_t port;     /* 0: the service's first */
	struct str subset; /* empty: none */
};

/* "NS/NAME:PORT", "NAME.NS:PORT"; the port may be absent. ERR_BAD_REQUEST shows both forms. Views
 * into text. */
MUST_CHECK
bool explain_parse_service(struct str text, struct explain_request *ret_request, struct err *err);

/* observed_at: RFC 3339. revision "": the mesh's own. ERR_NOT_FOUND: no such service, port or
 * subset in the mesh (the message lists what there is). Owned. */
MUST_CHECK
json_t *explain_route(const struct view *view, const struct explain_request *request,
                      const char *revision, const char *observed_at, struct err *err);
