/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_routes - what the three doors for operators answer to each path; README.md lists them.
 */
#pragma once

#include "control/control_priv.h"

/* arg of all: struct ew_control. */
void ew_admin_on_health(struct http_exchange *ex, void *arg);
void ew_admin_on_metrics(struct http_exchange *ex, void *arg);
void ew_admin_on_admin(struct http_exchange *ex, void *arg);
