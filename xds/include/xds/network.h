/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - our own resources: the gateways of a remote network, the peers a canary accepts, the
 * snapshot that ends a burst. Pure; any thread. Deterministic encoding.
 * Source: contracts 8, package fedway.xds.v1.
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
	XDS_GATEWAYS_MAX = 4096, /* of one network */
	XDS_PEERS_MAX = 10000,
	XDS_SOURCE_RANGES_MAX = 256
};

/* name and cluster "" : an address of the group, any gateway identity of the network's clusters. */
struct xds_gateway {
	char *name;
	char *cluster;
	char *address; /* IP literal or DNS name */
	uint16_t port;
	uint32_t weight; /* at least 1 */
	bool mark;
};

struct xds_network {
	char *name;
	struct xds_gateway *gateways;
	size_t n_gateways;
};

/* NULL: ERR_INVALID. Owned by the caller. */
MUST_CHECK
struct xds_resource *xds_network_encode(const struct xds_network *network, struct err *err);
/* name: that of the resource. ERR_BAD_REQUEST, ERR_INVALID. */
MUST_CHECK
bool xds_network_decode(struct str name, struct str bytes, struct xds_network *ret_network,
                        struct err *err);
void xds_network_fini(struct xds_network *network);

struct xds_peers {
	char **clusters;
	size_t n_clusters;
};

/* The one resource `default`. */
MUST_CHECK
struct xds_resource *xds_peers_encode(const struct xds_peers *peers, struct err *err);
MUST_CHECK
bool xds_peers_decode(struct str bytes, struct xds_peers *ret_peers, struct err *err);
void xds_peers_fini(struct xds_peers *peers);

struct xds_snapshot {
	char *version;
	bool left;
	char *network;
	char *cluster;
	char *locality;             /* "region/zone/subzone" */
	struct cidr *source_ranges; /* callers that its ingress doors accept; none: any */
	size_t n_source_ranges;
	uint32_t held[N_XDS_TYPES]; /* resources the consumer holds after the burst */
	bool counted[N_XDS_TYPES];  /* whether held[] was said */
};

/* The one resource `default`. Decoding one with a range that is none fails: doors must not open for
 * everybody because of a typing error. */
MUST_CHECK
struct xds_resource *xds_snapshot_encode(const struct xds_snapshot *snapshot, struct err *err);
MUST_CHECK
bool xds_snapshot_decode(struct str bytes, struct xds_snapshot *ret_snapshot, struct err *err);
void xds_snapshot_fini(struct xds_snapshot *snapshot);
