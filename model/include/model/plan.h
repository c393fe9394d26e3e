/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what a cluster or a group that joins or leaves would change, and what would be lost: Plan
 * of answers.fedway.io/v1alpha1. Computed by fedwayd, and by the CLI where no server answers. Pure.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

enum {
	PLAN_ACCEPTED_MAX = 1000 /* losses that one request accepts */
};

/* Lists {items}, as the API gives them. */
struct plan_input {
	const json_t *clusters;
	const json_t *groups;
	const json_t *gateways;
	const json_t *services;
};

/*
 * spec: {operation: Join|Leave|InterconnectJoin|InterconnectLeave, object: "Cluster/NAME" or
 * "NetworkGroup/NAME", acceptLosses: [object], hash, networkGroup (Join), addresses: [...]
 * (InterconnectJoin)}; the last four may be missing.
 *
 * Each loss is {code, object, message} with object "NAMESPACE/NAME" of a service, "gateway/GROUP",
 * or "cluster/GROUP". One that is accepted stands among the changes instead. Two kinds no
 * acceptance does away with: the last cluster of a joined group (the control plane holds it), and
 * a group that joins without gateway or address (FED-104).
 *
 * The plan's hash is over all that would change or be lost, accepted or not. ERR_CONFLICT: spec
 * names the hash of another plan, so the world is not what it was. ERR_NOT_FOUND: no such object;
 * ERR_INVALID, ERR_TOO_LARGE: spec. Owned.
 */
MUST_CHECK
json_t *plan_make(const struct plan_input *input, const json_t *spec, struct err *err);

size_t plan_n_losses(const json_t *plan);
/* Borrowed; NULL: no such object in this List. */
const json_t *plan_find(const json_t *list, const char *name);
