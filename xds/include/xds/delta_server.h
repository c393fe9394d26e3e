/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_server - the server's state of one delta ADS stream. Pure: bytes in, bytes out; loop thread
 * of its set.
 *
 *   feed() ──▶ subscriptions, ACK/NACK ──┐
 *   set_set(), changes of the set ───────┴─▶ next(): one response at a time
 *
 * A burst is planned at one instant (so it is consistent) and sent in the order of enum xds_type,
 * removals reversed; towards our own gateways (XDS_ROLE_GATEWAY) it ends with a Snapshot. A new one
 * is planned when the last is sent, so slow streams get changes merged.
 *
 * Stock Envoy (XDS_ROLE_INGRESS): the first CDS answer is one message; each cluster sent is
 * followed by its assignment; endpoints are withdrawn by an empty assignment; after a NACK nothing
 * is sent again until it changes. Source: Envoy "xDS protocol", delta variant; architecture 8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/node.h"
#include "xds/resource.h"
#include "xds/set.h"

enum {
	XDS_RESPONSE_MAX = 4 << 20,     /* bytes of one response, but Envoy's first CDS answer */
	XDS_SUBSCRIPTIONS_MAX = 200000, /* names of one type on one stream */
	XDS_OUTSTANDING_MAX = 32,       /* responses neither ACKed nor NACKed */
	XDS_NACK_MESSAGE_MAX = 4096     /* the rest of a message is cut */
};

struct xds_delta_server;

/* The answer to one response. Borrowed until the next call on the stream. */
struct xds_outcome {
	enum xds_type type;
	bool accepted;
	const char *message;                   /* of a NACK, else "" */
	const char *set_version;               /* of the set when the response was planned */
	struct xds_resource *const *resources; /* what the response held, removals left out */
	size_t n_resources;
};

struct xds_request_info {
	const struct xds_node *node;       /* NULL unless this was the first request */
	const struct xds_outcome *outcome; /* NULL unless it answered a response */
};

struct xds_delta_server *xds_delta_server_create(void);
/* NULL is harmless. */
void xds_delta_server_destroy(struct xds_delta_server *server);

/* One DeltaDiscoveryRequest. False: the stream must end with err: ERR_BAD_REQUEST (malformed, first
 * request without node), ERR_INVALID (a name over XDS_NAME_MAX), ERR_TOO_MANY. Types that are not
 * ours are ignored. */
MUST_CHECK
bool xds_delta_server_feed(struct xds_delta_server *server, struct str request,
                           struct xds_request_info *ret_info, struct err *err);

/* The set to follow; a reference is taken. Until then requests wait. Another set later: only what
 * differs is sent. */
void xds_delta_server_set_set(struct xds_delta_server *server, struct xds_set *set);

/* The next response, appended to out. False: nothing to send now. */
bool xds_delta_server_next(struct xds_delta_server *server, struct buf *out);

/* Since the stream began. */
struct xds_delta_stats {
	size_t sent[N_XDS_TYPES];    /* resources */
	size_t removed[N_XDS_TYPES]; /* names */
	size_t nacks;
	size_t outstanding;                      /* responses not answered yet */
	char acked_version[XDS_VERSION_MAX + 1]; /* of the newest set that was accepted whole (all
	                                            responses of its burst), "" before */
};
void xds_delta_server_stats(const struct xds_delta_server *server,
                            struct xds_delta_stats *ret_stats);
