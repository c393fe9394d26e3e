/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod_io - the user's own istiod as control plane: the stream on which istiod.h's state is fed,
 * and the disk copy of what is routed. Tells its owner the same events as uplink_io does.
 *
 *   istiod_trust ─▶ uplink ─▶ stream ⇄ ew_istiod ─▶ bursts
 *                                          └──▶ DIR/mesh.copy (beside, renamed)
 *
 * Nothing is withdrawn while the istiod does not answer. Control loop only, with no thread of its
 * own: there are no checks of other gateways here that a large response could hold up.
 */
#pragma once

#include "base/json.h"
#include "base/loop.h"
#include "eastwest/config.h"
#include "uplink/uplink_io.h"

struct ew_istiod_link;

/* config is borrowed for the call, events is static; on_left never comes. The pod's name is taken
 * from POD_NAME (else the host's), its address from INSTANCE_IP. NULL: ERR_INVALID, naming what is
 * missing. */
MUST_CHECK
struct ew_istiod_link *ew_istiod_link_create(struct loop *loop, const struct ew_config *config,
                                             const struct ew_uplink_events *events, void *arg,
                                             struct err *err);
/* No event follows. NULL is harmless. */
void ew_istiod_link_destroy(struct ew_istiod_link *link);
/* For /status; owned by the caller. */
json_t *ew_istiod_link_status(const struct ew_istiod_link *link);
