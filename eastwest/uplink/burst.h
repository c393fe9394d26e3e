/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst - the inside of struct ew_burst, for burst.c and mesh.c.
 */
#pragma once

#include "eastwest/mesh.h"
#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/network.h"

/* A route of which something changed, as it stands now. */
struct ew_burst_route {
	char *sni;
	bool present;                     /* false: no more */
	struct xds_cluster cluster;       /* if present */
	struct xds_assignment assignment; /* if present; without localities when none was sent */
};

/* What a cluster says of its route, but for the endpoints. Borrows. */
struct ew_route_spec ew_burst_spec(const struct xds_cluster *cluster);

struct ew_burst_network {
	char *name;
	bool present;
	struct xds_network network; /* if present */
};

struct ew_burst {
	bool whole; /* what it does not name is no more */
	struct ew_burst_route *routes;
	size_t n_routes;
	struct ew_burst_network *networks;
	size_t n_networks;
	bool has_peers;
	struct xds_peers peers;
	char *version;
	char *network;
	char *cluster;
	struct ew_ranges sources; /* who may call ingress doors */
};
