/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_client - our gateway's state of its xDS subscription: what it holds over reconnects, and
 * what the burst under way will change. Pure: bytes in, bytes out; one thread.
 *
 *   start() ─▶ next()*  ┐
 *   feed(response) ─────┴─▶ staged changes ── Snapshot ─▶ held, event APPLIED
 *
 * A burst takes effect at its Snapshot and not before; one that breaks off leaves no trace. Of a
 * response with bad resources the good ones are taken, the bad ones named in the NACK.
 * Source: Envoy "xDS protocol", delta variant; architecture 8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/network.h"
#include "xds/node.h"
#include "xds/resource.h"

enum {
	XDS_HELD_MAX = 500000 /* resources of one type */
};

struct xds_delta_client;

enum xds_client_event {
	XDS_CLIENT_NONE,
	XDS_CLIENT_APPLIED, /* a burst took effect: see changes() */
	XDS_CLIENT_LEFT,    /* the cluster has left: everything was dropped */
	XDS_CLIENT_RESYNC,  /* counts differ: the burst was dropped; close the stream and
	                       start(false) */
};

/* Judges a resource before it is taken (decodes it). False: err goes into the NACK. */
typedef bool (*xds_check_cb)(const struct xds_resource *resource, void *arg, struct err *err);

struct xds_delta_client *xds_delta_client_create(const struct xds_node *node, xds_check_cb check,
                                                 void *check_arg);
void xds_delta_client_destroy(struct xds_delta_client *client);

/* Before the first start: what a disk copy held. Takes a reference. */
void xds_delta_client_restore(struct xds_delta_client *client, struct xds_resource *resource);

/* A new stream: forgets what was staged, queues the subscriptions. with_versions: names what is
 * held, so that only changes come; false after RESYNC. */
void xds_delta_client_start(struct xds_delta_client *client, bool with_versions);

/* One DeltaDiscoveryResponse. False: the stream must end with err (malformed). */
MUST_CHECK
bool xds_delta_client_feed(struct xds_delta_client *client, struct str response,
                           enum xds_client_event *ret_event, struct err *err);

/* The next request to send, appended to out. False: none. */
bool xds_delta_client_next(struct xds_delta_client *client, struct buf *out);

/* What the last APPLIED changed; resource NULL means removed. Valid until the next feed. */
struct xds_change {
	enum xds_type type;
	struct str name;
	struct xds_resource *resource;
};
const struct xds_change *xds_delta_client_changes(const struct xds_delta_client *client,
                                                  size_t *ret_n);

/* What is in force. Borrowed. */
struct xds_resource *xds_delta_client_find(const struct xds_delta_client *client,
                                           enum xds_type type, struct str name);
size_t xds_delta_client_len(const struct xds_delta_client *client, enum xds_type type);
typedef void (*xds_held_cb)(struct xds_resource *resource, void *arg);
/* In the order of enum xds_type; the Snapshot in force comes last. */
void xds_delta_client_for_each(const struct xds_delta_client *client, xds_held_cb cb, void *arg);
/* NULL before the first burst took effect (or was restored). */
const struct xds_snapshot *xds_delta_client_snapshot(const struct xds_delta_client *client);

/* Names refused in what is in force, for Report.refused. */
struct xds_refusal {
	enum xds_type type;
	struct str name;
	const char *message;
};
typedef void (*xds_refusal_cb)(const struct xds_refusal *refusal, void *arg);
void xds_delta_client_refusals(const struct xds_delta_client *client, xds_refusal_cb cb, void *arg);
