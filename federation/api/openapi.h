/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi - the least OpenAPI v3 that kubectl needs: that PATCH knows fieldValidation and dryRun,
 * and the schemas for `kubectl explain`. Pure.
 * Source: Kubernetes API concepts, "OpenAPI V3". Strategic merge is not advertised: kubectl then
 * uses the types it was built with.
 */
#pragma once

#include "kinds.h"

#include "base/json.h"

/* {"paths": {"api/v1": {"serverRelativeURL": ...}}}; hash goes into each address. New. */
json_t *api_openapi_root(const struct api_kinds *kinds, const char *hash);
/* The document of one group version; NULL: not served. New. */
json_t *api_openapi_document(const struct api_kinds *kinds, const char *group, const char *version);
