/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink_io - the thread on which a gateway talks to its control plane: certificate, delta ADS,
 * reports, disk copy. It has a loop of its own; what it learns comes to the owner's loop as events.
 *
 *   owner's loop ──set_report──▶ thread ──▶ control plane
 *                ◀───events───── thread ◀──
 *
 * Functions are for the owner's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "certs/identity.h"
#include "eastwest/config.h"
#include "eastwest/mesh.h"

/* A certificate, PEM. */
struct ew_credentials {
	char *chain;
	char *key;
	char *roots;
	struct cert_identity identity;
	int64_t not_after_s;
	uint64_t renewals; /* since the process began */
};

/* All on the owner's loop. */
struct ew_uplink_events {
	/* A burst took effect; it is the receiver's. */
	void (*on_burst)(struct ew_burst *burst, void *arg);
	/* The cluster has left; the disk copy is gone. */
	void (*on_left)(void *arg);
	/* A certificate is there, or a newer one; borrowed for the call. */
	void (*on_credentials)(const struct ew_credentials *credentials, void *arg);
	/* The stream began or ended; why is "" while up. resyncs: streams begun anew because counts
	 * differed. */
	void (*on_stream)(bool up, uint64_t resyncs, const char *why, void *arg);
};

struct ew_uplink;

/* Texts are copied, events is static. client is taken over; what it holds is offered to the
 * control plane as known. The thread runs from here on. */
struct ew_uplink *ew_uplink_create(struct loop *home, const struct ew_config *config,
                                   struct xds_delta_client *client,
                                   const struct ew_uplink_events *events, void *arg);
/* Ends the thread; no event follows. Before home is destroyed. NULL is harmless. */
void ew_uplink_destroy(struct ew_uplink *uplink);

/* Addresses and routes of the next report: bytes of a fedway.report.v1.Report, to which the thread
 * adds the version in force and what was refused. Copied. */
void ew_uplink_set_report(struct ew_uplink *uplink, struct str report);

/* The node that says who a gateway is; owned by the caller (xds_node_fini). */
void ew_uplink_node(const struct ew_config *config, struct xds_node *ret_node);
