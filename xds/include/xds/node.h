/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node - who opens an xDS stream: envoy.config.core.v3.Node with our metadata (key `fedway.io`).
 * Pure; any thread. Its words are claims: what a peer may have follows from its certificate.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum xds_role {
	XDS_ROLE_INGRESS, /* stock Envoy, or whoever says no role */
	XDS_ROLE_GATEWAY, /* ours */
};

enum {
	XDS_NODE_TEXT_MAX = 256 /* any text of a node */
};

/* Texts are owned; NULL when absent. */
struct xds_node {
	char *id; /* GATEWAY/INSTANCE */
	enum xds_role role;
	char *name;    /* the gateway's */
	char *version; /* of its program */
	bool mark;     /* takes the mark (contracts 5) */
	char *region;  /* the locality narrows the one of its cluster */
	char *zone;
	char *subzone;
};

/* Frees the texts; harmless twice and on zeroed memory. */
void xds_node_fini(struct xds_node *node);
/* Bytes of a Node message. ERR_BAD_REQUEST; ERR_INVALID: a text over XDS_NODE_TEXT_MAX, or a role
 * that is not known. */
MUST_CHECK
bool xds_node_decode(struct str bytes, struct xds_node *ret_node, struct err *err);
/* Appends the bytes of a Node message. */
void xds_node_encode(const struct xds_node *node, struct buf *out);
