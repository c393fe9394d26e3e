/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_io - asks every address of a remote gateway, once a second, whether it takes a connection.
 *
 * One checker a process, on the control loop; at most EW_CHECKS_MAX at a time, in rotation. What it
 * sees goes into struct ew_health.
 */
#pragma once

#include "base/loop.h"
#include "eastwest/health.h"
#include "path/stats.h"

enum {
	EW_CHECKS_MAX = 64
};

struct ew_checker;

/* All borrowed; registry and stats outlive the checker. */
struct ew_checker *ew_checker_create(struct loop *loop, struct ew_health_registry *registry,
                                     struct ew_stats *stats);
void ew_checker_destroy(struct ew_checker *checker);
