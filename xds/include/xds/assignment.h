/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assignment - the endpoints of a route by priority and locality, to and from an EDS resource.
 *
 * Pure; any thread. Encoding is deterministic. An endpoint is an address of the own network, or a
 * remote network, written `network/NAME/CLUSTER` in LbEndpoint.endpoint_name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/resource.h"

enum {
	XDS_PRIORITY_MAX = 127,
	XDS_LOCALITIES_MAX = 4096, /* groups of one assignment */
	XDS_ENDPOINTS_MAX = 100000 /* endpoints of one assignment */
};

/* Texts are owned by whoever filled the struct; xds_assignment_fini() frees all. */
struct xds_endpoint {
	char *network; /* NULL: own network, addr counts */
	char *cluster; /* of the pod, or the remote cluster; may be NULL */
	struct addr addr;
	uint32_t weight; /* at least 1 */
	bool healthy;
	bool draining; /* implies not healthy */
};

struct xds_locality {
	char *region; /* NULL or "": none */
	char *zone;
	char *subzone;
	uint32_t priority;
	uint32_t weight; /* of the group; 0: none */
	struct xds_endpoint *endpoints;
	size_t n_endpoints;
	size_t cap_endpoints;
};

struct xds_assignment {
	char *sni;
	bool weighted_health;              /* priority health by weight, not by number */
	uint32_t overprovisioning_percent; /* 0: 140 */
	struct xds_locality *localities;
	size_t n_localities;
	size_t cap_localities;
};

void xds_assignment_fini(struct xds_assignment *assignment);
/* Append a zeroed group or endpoint (weight 1, healthy) for the caller to fill; the pointer stays
 * good until the next append to the same list. */
struct xds_locality *xds_assignment_add_locality(struct xds_assignment *assignment);
struct xds_endpoint *xds_locality_add_endpoint(struct xds_locality *locality);

/* Owned by the caller. NULL: ERR_INVALID (no sni, a limit above, weight 0, a network name with
 * '/'), ERR_TOO_LARGE. */
MUST_CHECK
struct xds_resource *xds_assignment_encode(const struct xds_assignment *assignment,
                                           struct err *err);
/* An assignment without endpoints: how endpoints are withdrawn from stock Envoy. */
MUST_CHECK
struct xds_resource *xds_assignment_encode_empty(struct str sni, struct err *err);
/* ERR_BAD_REQUEST (malformed), ERR_INVALID (hole in the priorities, sum of weights over 2^32-1, an
 * address that is no IP literal, a limit above). Weight absent = 1. */
MUST_CHECK
bool xds_assignment_decode(struct str bytes, struct xds_assignment *ret_assignment,
                           struct err *err);
