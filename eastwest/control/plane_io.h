/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plane_io - the control plane as the control loop sees it: tables out of bursts, the gateway's
 * certificate for canary and checks, reports, readiness.
 *
 *   disk copy ─▶ table, at start      burst ─▶ table      left ─▶ unready, drain
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "eastwest/config.h"

struct ew_control;
struct ew_plane;

/* control has loop and registry; config has a controlPlane and is borrowed for the call. Gives
 * control a table: of the disk copy, or an empty one. ERR_INVALID: the block lacks something. */
MUST_CHECK
bool ew_plane_create(struct ew_control *control, const struct ew_config *config,
                     struct ew_plane **ret_plane, struct err *err);
/* Before the control loop's end. NULL is harmless. */
void ew_plane_destroy(struct ew_plane *plane);

/* Is there a complete table, from the stream or from disk? */
bool ew_plane_is_complete(const struct ew_plane *plane);
/* Host names have other addresses now. */
void ew_plane_on_resolved(struct ew_plane *plane);
/* The doors are closed: canaries end, so that no peer's check holds the drain up. */
void ew_plane_on_closed(struct ew_plane *plane);
/* For /status; owned by the caller. */
json_t *ew_plane_status(const struct ew_plane *plane);
