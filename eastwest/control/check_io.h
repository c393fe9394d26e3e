/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_io - asks every address of a remote gateway, once a second, whether it works: those that
 * take the mark by a ping to their canary, once there is a certificate for it; others by TCP alone.
 *
 * One checker a process, on the control loop; at most EW_CHECKS_MAX at a time, in rotation. What it
 * sees goes into struct ew_health.
 */
#pragma once

#include "base/loop.h"
#include "base/tls.h"
#include "control/lost.h"
#include "eastwest/health.h"
#include "eastwest/table.h"
#include "path/stats.h"

enum {
	EW_CHECKS_MAX = 64
};

struct ew_checker;

/* All borrowed; registry and stats outlive the checker. */
struct ew_checker *ew_checker_create(struct loop *loop, struct ew_health_registry *registry,
                                     struct ew_stats *stats);
void ew_checker_destroy(struct ew_checker *checker);

/* The table whose gateways are checked; a reference is taken. */
void ew_checker_set_table(struct ew_checker *checker, struct ew_table *table);
/* Gateways that the table has no more, but that are checked on. Borrowed. */
const struct ew_lost *ew_checker_lost(const struct ew_checker *checker);
/* Checks by canary from now on; a reference is taken. */
void ew_checker_set_tls(struct ew_checker *checker, struct tls_ctx *tls);
