/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources - the types that `fedway get` knows by name, and ours as refs.
 */
#pragma once

#include "kube/meta.h"

extern const struct kube_resource cli_mesh;
extern const struct kube_resource cli_cluster;
extern const struct kube_resource cli_group;
extern const struct kube_resource cli_gateway;
extern const struct kube_resource cli_service;

/* By plural, kind (any case) or a short name; NULL: not known. */
const struct kube_resource *resources_find(const char *word);
/* The plurals, for messages: "clusters, networkgroups, ..." */
const char *resources_known(void);
