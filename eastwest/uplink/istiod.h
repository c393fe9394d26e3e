/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod - a gateway's state of its subscription at an istiod: clusters, assignments, listeners,
 * and what of them is a route.
 *
 *   start() ─▶ next()*  ┐
 *   feed(response) ─────┴─▶ held ─▶ take_burst() ─▶ the same tables as from fedwayd
 *
 * A route is there if a filter chain exposes its name, and cluster and assignment of that name are
 * held. Each response takes effect at once, as an istiod has no snapshots: only the first table
 * waits until clusters, assignments and listeners were all answered. Of a response with bad
 * resources the good ones are taken, the bad ones named in the NACK, and what is held of that name
 * stays. All is kept over streams; a new one is told the names, so that it can say what is gone.
 *
 * Pure: bytes in, bytes out; one thread.
 * Source: Envoy "xDS protocol", delta variant; how istiods differ from it is said where it matters.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "eastwest/mesh.h"
#include "xds/delta_client.h"

enum {
	EW_ISTIOD_RESPONSE_MAX = 64 << 20, /* bytes of one response */
	EW_ISTIOD_REQUEST_MAX = 4 << 20,   /* an istiod takes no larger ones */
	EW_ISTIOD_NAMES_MAX = 3 << 20, /* bytes of clusters' names: one request names them all */
	EW_ISTIOD_NAME_EXTRA = 16,     /* what each of them takes besides */
	EW_ISTIOD_LISTENERS_MAX = 64,
	EW_ISTIOD_NAMES_A_REQUEST = 5000
};

struct ew_istiod;

/* node: bytes of a Node, copied. cluster: of the gateway, for the disk copy. port: of its door. */
struct ew_istiod *ew_istiod_create(struct str node, const char *cluster, uint16_t port);
void ew_istiod_destroy(struct ew_istiod *istiod);

/* A new stream: queues the first requests. */
void ew_istiod_start(struct ew_istiod *istiod);
/* One DeltaDiscoveryResponse. False: the stream must end with err (malformed). */
MUST_CHECK
bool ew_istiod_feed(struct ew_istiod *istiod, struct str response, struct err *err);
/* The next request to send, appended to out, which has room for EW_ISTIOD_REQUEST_MAX. False:
 * none. */
bool ew_istiod_next(struct ew_istiod *istiod, struct buf *out);

/* Were all types answered since the process began? */
bool ew_istiod_is_complete(const struct ew_istiod *istiod);
/* What changed since the last one; the first one is whole. NULL: nothing, or not complete yet.
 * Owned by the caller. */
struct ew_burst *ew_istiod_take_burst(struct ew_istiod *istiod);
/* Puts what is routed now into a fresh client, as if a fedwayd had sent it: for the disk copy. */
void ew_istiod_copy(const struct ew_istiod *istiod, struct xds_delta_client *to);

/* For /status and the log. */
struct ew_istiod_stats {
	size_t clusters;       /* held */
	size_t exposed;        /* names that filter chains expose */
	size_t routes;         /* routable names of the last burst */
	size_t refused;        /* resources that were bad when they last came */
	size_t left_out;       /* chains that expose nothing */
	size_t unresolved;     /* clusters that are no list of endpoints (DNS) */
	char why[ERR_MSG_MAX]; /* of the last refused or left out one, "" */
};
void ew_istiod_stats(const struct ew_istiod *istiod, struct ew_istiod_stats *ret_stats);
/* Of the last response, "" before. Borrowed until the next one. */
const char *ew_istiod_version(const struct ew_istiod *istiod);
