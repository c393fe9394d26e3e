/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authz - who may do what: group system:masters all; every other authenticated user health,
 * version, discovery and OpenAPI; without credentials health and version. Pure.
 */
#pragma once

#include <stdbool.h>

struct api_call;

/* The verb as RBAC names it: "get", "list", "watch", "create" ... */
const char *api_verb_name(const struct api_call *call);
/* False: 403 is in the reply. */
bool api_authorize(struct api_call *call);
