/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - what a gateway tells its control plane once a second, as bytes of a
 * fedway.report.v1.Report. Two halves, as the bytes of a message may be put together: what the
 * checks saw (control thread), and what of the mesh is in force (uplink's thread). Pure.
 */
#pragma once

#include "base/buf.h"
#include "control/lost.h"
#include "eastwest/table.h"
#include "xds/delta_client.h"

enum {
	EW_REPORT_MAX = 512 << 10,
	EW_REPORT_ADDRESSES_MAX = 4096,
	EW_REPORT_ROUTES_MAX = 1000,
	EW_REPORT_REFUSALS_MAX = 100
};

/* Appends the health of every gateway address; of the routes those on which connections opened or
 * failed since the last report, and those whose own endpoints ought to be usable and are not, in
 * every report until one that says that they are again. Past EW_REPORT_ROUTES_MAX they wait for the
 * next one; numbers are totals, so that nothing is lost. One thread of a process; work in
 * proportion to what happened. */
void ew_report_add_seen(const struct ew_table *table, int64_t now_ms, struct buf *out);
/* Appends the health of gateways that the table has no more. */
void ew_report_add_lost(const struct ew_lost *lost, struct buf *out);
/* Appends the version in force and what of it was refused. */
void ew_report_add_held(const struct xds_delta_client *client, struct buf *out);

/* Endpoints to which a connection could be sent now: healthy, not ejected or refusing, behind a
 * live gateway. */
uint32_t ew_report_usable(const struct ew_table *table, const struct ew_route *route,
                          int64_t now_ms);

/* The same of the own network's endpoints alone, which only its gateways can see. False: none of
 * them is said to be healthy, so there is nothing to say of them. */
bool ew_report_own(const struct ew_route *route, int64_t now_ms, uint32_t *ret_usable);
