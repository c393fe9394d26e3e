/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource - one named, versioned piece of configuration as bytes. Immutable after construction and
 * shared (ref/unref, atomic); any thread.
 *
 * The version is the first 32 hex digits of the SHA-256 of the bytes, so replicas that encode alike
 * agree without talking, and a reconnect re-sends nothing that has not changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* In the order in which a burst sends them; removals go the other way round. */
enum xds_type {
	XDS_CLUSTER,    /* CDS: a route: its SNI name and policy */
	XDS_NETWORK,    /* ours: the gateways of a remote network */
	XDS_PEERS,      /* ours: the clusters whose gateways and probes a canary accepts */
	XDS_ASSIGNMENT, /* EDS: the endpoints of a route */
	XDS_LISTENER,   /* LDS: stock Envoy only */
	XDS_SNAPSHOT,   /* ours: the end of a burst */
};

enum {
	N_XDS_TYPES = XDS_SNAPSHOT + 1,
	XDS_NAME_MAX = 512,
	XDS_VERSION_MAX = 64,
	XDS_RESOURCE_MAX = (4 << 20) - (64 << 10) /* so that a response of one fits into 4 MiB */
};

/* "type.googleapis.com/envoy.config.cluster.v3.Cluster" */
const char *xds_type_url(enum xds_type type);
/* For people: "cluster", "network", "peers", "assignment", "listener", "snapshot". */
const char *xds_type_name(enum xds_type type);
/* False: not one of ours. */
bool xds_type_parse(struct str url, enum xds_type *ret_type);

struct xds_resource {
	enum xds_type type;
	struct str name;                   /* NUL-terminated */
	char version[XDS_VERSION_MAX + 1]; /* "" only if a server sent none */
	struct str bytes;                  /* the message inside the Any */
};

/* Copies; one reference, the caller's. NULL: ERR_INVALID (name empty or over XDS_NAME_MAX),
 * ERR_TOO_LARGE (over XDS_RESOURCE_MAX; the message names the resource). */
MUST_CHECK
struct xds_resource *xds_resource_create(enum xds_type type, struct str name, struct str bytes,
                                         struct err *err);
/* The same with the version a server gave (at most XDS_VERSION_MAX bytes, else ERR_INVALID). */
MUST_CHECK
struct xds_resource *xds_resource_create_versioned(enum xds_type type, struct str name,
                                                   struct str version, struct str bytes,
                                                   struct err *err);
struct xds_resource *xds_resource_ref(struct xds_resource *resource);
/* NULL is harmless. */
void xds_resource_unref(struct xds_resource *resource);
/* Same type, name and version. */
bool xds_resource_eq(const struct xds_resource *a, const struct xds_resource *b);
