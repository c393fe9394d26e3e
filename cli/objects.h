/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects - our objects of the control plane, all at once, for commands that look at them together.
 */
#pragma once

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
