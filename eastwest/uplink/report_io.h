/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_io - the stream on which a gateway tells once a second what it sees. On the uplink's loop.
 */
#pragma once

#include "base/buf.h"
#include "xds/uplink_io.h"

struct ew_reporter;

/* fill appends the bytes of the next report. All is borrowed and outlives the reporter. */
struct ew_reporter *ew_reporter_create(struct loop *loop, struct xds_uplink *uplink,
                                       void (*fill)(struct buf *out, void *arg), void *arg);
void ew_reporter_destroy(struct ew_reporter *reporter);
