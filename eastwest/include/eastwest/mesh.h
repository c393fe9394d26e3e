/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh - what the control plane's resources say, turned into tables.
 *
 *   delta_client ──▶ burst (decoded, any thread) ──▶ mesh (control thread) ──▶ table
 *
 * A burst is what one Snapshot put in force. The mesh remembers what a table does not hold: host
 * names of gateways, and whose canaries are answered. Pure.
 * Source: architecture 7 and 8; contracts 8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "eastwest/config.h"
#include "eastwest/table.h"
#include "xds/delta_client.h"

/* The canary name of a network, answered by its gateways themselves. */
#define EW_CANARY_SNI "_canary.%s.fedway.internal"

/* An xds_check_cb: decodes, and holds it against the limits of a table. arg is not used. */
bool ew_burst_check(const struct xds_resource *resource, void *arg, struct err *err);

struct ew_burst;

/* whole: everything that client holds; else what its last APPLIED changed. client has a snapshot.
 * Owned by the caller. */
struct ew_burst *ew_burst_create(const struct xds_delta_client *client, bool whole);
void ew_burst_destroy(struct ew_burst *burst);

struct ew_mesh;

/* registry is borrowed. canary: where this gateway's own canary listens. */
struct ew_mesh *ew_mesh_create(struct ew_health_registry *registry, const struct addr *canary);
void ew_mesh_destroy(struct ew_mesh *mesh);

/* Takes over what a burst says, but for the routes. The names of gateways, for the resolver, are
 * the burst's then. */
void ew_mesh_take(struct ew_mesh *mesh, struct ew_burst *burst);
/* Host names of all gateways; the array is the caller's, the texts the mesh's. */
size_t ew_mesh_hosts(const struct ew_mesh *mesh, struct str **ret_hosts);

struct ew_mesh_parts {
	const struct ew_table *old;   /* what a burst is added to; may be NULL */
	const struct ew_burst *burst; /* taken; NULL: only networks are looked at again */
	ew_resolve_cb resolve;        /* may be NULL */
	void *resolve_arg;
};
/* The table now. What cannot be put in is left as it was, counted, and err says why of the last
 * one. */
struct ew_table *ew_mesh_table(const struct ew_mesh *mesh, const struct ew_mesh_parts *parts,
                               size_t *ret_left_out, struct err *err);

/* Is a canary of this cluster's gateways and probes answered? */
bool ew_mesh_has_peer(const struct ew_mesh *mesh, const char *cluster);
/* Of the last Snapshot, "" before. Borrowed. */
const char *ew_mesh_version(const struct ew_mesh *mesh);
