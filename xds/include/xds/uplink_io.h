/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink - keeps one gRPC connection to the control plane: name lookup off the loop, backoff with
 * jitter, stagger after a loss. ADS, reports, probe work and certificates ride on it. Loop thread.
 *
 *   WAIT ──▶ LOOKUP ──▶ CONNECT ──▶ UP ──▶ WAIT ...
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/grpc.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/tls.h"

enum {
	XDS_UPLINK_BACKOFF_MIN_MS = 200,
	XDS_UPLINK_BACKOFF_MAX_MS = 10000,
	XDS_UPLINK_STAGGER_MS = 2000
};

struct xds_uplink;

struct xds_uplink_config {
	struct loop *loop;   /* borrowed */
	const char *address; /* "HOST:PORT", copied */
	struct tls_ctx
		*tls;    /* a reference is taken; NULL: waits for set_tls, or with plain: no TLS */
	bool plain;      /* tests only */
	bool check_name; /* the server's certificate must carry the host of address */
	size_t message_max;     /* of one received message; 0: GRPC_MESSAGE_MAX */
	int64_t backoff_min_ms; /* 0: the defaults above */
	int64_t backoff_max_ms;
	int64_t stagger_ms; /* after a loss the first attempt waits up to this; -1: not at all */
	/* The connection could not be made or was lost. ERR_UNAUTHORIZED: the server refuses our
	 * certificate; ERR_FORBIDDEN: we refuse the server's. May be NULL. */
	void (*on_down)(const struct err *why, void *arg);
	void *arg;
};

/* A stream's owner: told when it may open its calls on conn. */
struct xds_uplink_user {
	struct list link;
	void (*on_up)(struct grpc_conn *conn, void *arg);
	void *arg;
};

/* NULL: ERR_INVALID (address). Connecting starts in a later turn. */
MUST_CHECK
struct xds_uplink *xds_uplink_create(const struct xds_uplink_config *config, struct err *err);
/* Streams on it get their on_close. NULL is harmless. */
void xds_uplink_destroy(struct xds_uplink *uplink);
/* user is borrowed until removed or the uplink destroyed. on_up follows at once when up. */
void xds_uplink_add(struct xds_uplink *uplink, struct xds_uplink_user *user);
void xds_uplink_remove(struct xds_uplink_user *user);
/* For the next connect; a waiting uplink tries at once. */
void xds_uplink_set_tls(struct xds_uplink *uplink, struct tls_ctx *tls);
/* Closes the connection, if any, and tries again after the backoff. */
void xds_uplink_reconnect(struct xds_uplink *uplink);
/* NULL: not up. */
struct grpc_conn *xds_uplink_conn(const struct xds_uplink *uplink);
