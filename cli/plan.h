/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what leaving or joining would change and lose, from the objects:
 * answers.fedway.io/v1alpha1 Plan. Pure.
 */
#pragma once

#include "common.h"

#include <jansson.h>

/* Lists, as the API gives them. */
struct plan_input {
	const json_t *clusters;
	const json_t *groups;
	const json_t *gateways;
	const json_t *services;
};

/*
 * Each loss {code, object, message}: object "NAMESPACE/NAME" of a service, "gateway/GROUP",
 * "cluster/GROUP" (that one no acceptance can do away with: the control plane holds the Cluster).
 * accepted: objects not listed again. All owned.
 */
json_t *plan_cluster_leave(const struct plan_input *input, const char *cluster,
                           const struct options_list *accepted);
json_t *plan_interconnect_leave(const struct plan_input *input, const char *group,
                                const struct options_list *accepted);
json_t *plan_interconnect_join(const struct plan_input *input, const char *group);

size_t plan_n_losses(const json_t *plan);
void plan_format(const json_t *plan, struct look look, struct buf *out);
/* Borrowed; NULL: no such object. */
const json_t *plan_find(const json_t *list, const char *name);
