/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster - a route without its endpoints, to and from a CDS resource. The name is the SNI name.
 *
 * Pure; any thread. Encoding is deterministic: equal structs give equal bytes. The same bytes serve
 * our gateways and stock Envoy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "xds/resource.h"

enum xds_lb {
	XDS_LB_ROUND_ROBIN,
	XDS_LB_LEAST_REQUEST,
	XDS_LB_RANDOM,
	XDS_LB_SOURCE_IP, /* hash of the caller's address */
};

/* Ejection after failed connects, which count as a 5xx, as a gateway's failure, or, where those are
 * told apart, as one of local origin: the lowest limit that is enforced. */
struct xds_outlier {
	uint32_t consecutive; /* 0: off */
	uint32_t interval_ms;
	uint32_t base_ejection_ms;
	uint32_t max_ejection_percent;
};

/* Texts are owned by whoever filled the struct; xds_cluster_fini() frees those of a decoded one. */
struct xds_cluster {
	char *sni;       /* lower case */
	char *service;   /* "NS/NAME" */
	char *port_name; /* may be NULL */
	bool exposed;    /* to other networks */
	bool weighted;   /* locality weights count (distribute) */
	enum xds_lb lb;
	uint32_t connect_timeout_ms; /* 0: the gateway's own default */
	uint32_t idle_timeout_ms;    /* the same; stock Envoy has it in its listener */
	uint32_t max_connections;    /* 0: no limit */
	uint32_t panic_percent;      /* 0: no panic */
	struct xds_outlier outlier;
};

/* Owned by the caller. NULL: ERR_INVALID (no sni, or one with upper-case letters). */
MUST_CHECK
struct xds_resource *xds_cluster_encode(const struct xds_cluster *cluster, struct err *err);
/* ERR_BAD_REQUEST (malformed), ERR_INVALID (another kind of cluster, a name that is no SNI name, a
 * load balancer or a limit that we do not have). */
MUST_CHECK
bool xds_cluster_decode(struct str bytes, struct xds_cluster *ret_cluster, struct err *err);
/* Harmless twice and on zeroed memory. */
void xds_cluster_fini(struct xds_cluster *cluster);
