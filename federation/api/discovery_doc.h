/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery_doc - what resources exist, told in the old form (APIVersions, APIGroupList, APIGroup,
 * APIResourceList) and the aggregated one (APIGroupDiscoveryList v2). Pure.
 * Source: Kubernetes API concepts, "discovery".
 */
#pragma once

#include "kinds.h"

#include "base/json.h"

#define API_DISCOVERY_V2_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

/* New values. core: /api, else /apis. */
json_t *api_discovery_v2(const struct api_kinds *kinds, bool core);
json_t *api_discovery_versions(void);
json_t *api_discovery_groups(const struct api_kinds *kinds);
/* NULL: no such group (version). */
json_t *api_discovery_group(const struct api_kinds *kinds, const char *group);
json_t *api_discovery_resources(const struct api_kinds *kinds, const char *group,
                                const char *version);

/* Group names, core ("") first if asked for, in order of the table; a JSON array. */
json_t *api_discovery_group_names(const struct api_kinds *kinds);
/* Served versions of a group, preferred first; a JSON array. */
json_t *api_discovery_group_versions(const struct api_kinds *kinds, const char *group);
