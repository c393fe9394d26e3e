/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_mesh - a whole mesh on the lab's network: API servers, fedwayd, clusters that join, gateways,
 * probes, workloads. For callers that are inside (lab_inside.h).
 */
#pragma once

#include "common.h"
#include "lab.h"

struct lab_mesh_config {
	const char *dir; /* absolute */
	const char *bin; /* of lab_bin(), asked outside */
	bool embedded;   /* API servers of our own */
	struct look look;
};

/* Starts what does not run, writes what is missing and waits for it, one line on stdout for each
 * part that stands. May be called again. */
MUST_CHECK
bool lab_mesh_bring_up(const struct lab_mesh_config *config, struct err *err);
