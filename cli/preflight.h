/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight - can this cluster be a member: reads only.
 */
#pragma once

#include "remote.h"

struct preflight {
	struct remote *hub;
	struct remote *member;
	const char *cluster;
	const char *group;
	bool has_zone; /* a locality stands in for nodes without labels */
	json_t *result;
};

/* Preflight of answers.fedway.io/v1alpha1, as join.h describes it. Owned. */
json_t *preflight_run(struct preflight *preflight);
