/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects - our objects of the control plane, all at once, for commands that look at them together.
 */
#pragma once

#include "plan.h"
#include "remote.h"

struct objects {
	json_t *mesh;
	json_t *clusters; /* Lists */
	json_t *groups;
	json_t *gateways;
	json_t *services;
};

/* Into zeroed memory; what was read before a failure is freed by objects_fini as well. */
MUST_CHECK
bool objects_load(struct objects *objects, struct remote *remote, struct err *err);
void objects_fini(struct objects *objects);
struct plan_input objects_plan_input(const struct objects *objects);

/* Shows the plan (stderr; as JSON or YAML to stdout). -1: go on; EXIT_REFUSED: there are losses. */
int objects_show_plan(const json_t *plan, struct look look);
