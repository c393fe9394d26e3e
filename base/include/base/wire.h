/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - one TCP (or Unix) connection in a loop, plain or TLS, with bounded output. The ground of
 * HTTP and gRPC on both sides, and of anything else that talks over one socket outside the data
 * path.
 *
 *   CONNECT ──▶ HANDSHAKE ──▶ OPEN ──▶ FINISH (output, then close_notify) ──▶ CLOSED
 *
 * Loop thread only. No callback frees the wire; wire_close() is two-step, so a callback may call it
 * and still return through the wire's own code.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct wire;

enum {
	WIRE_OPEN_MS = 10000,       /* connect and handshake, unless set otherwise */
	WIRE_FINISH_MS = 10000,     /* for the peer to take the last output */
	WIRE_QUEUE_MAX = 256 << 20, /* output not yet taken by the kernel */
	WIRE_DRAINED = 64 << 10     /* on_drain when the queue falls to this */
};

struct wire_events {
	/* Connected, handshake done. For a plain accepted socket on the next turn. */
	void (*on_open)(struct wire *wire, void *arg);
	/* Bytes that arrived; borrowed for the call, to be taken whole. */
	void (*on_data)(struct wire *wire, struct str data, void *arg);
	/* Output was queued and has fallen to WIRE_DRAINED or less. May be NULL. */
	void (*on_drain)(struct wire *wire, void *arg);
	/* The end, exactly once, unless the owner called wire_close() before. why: ERR_IO with the
	 * system's word ("connection refused"), "closed by the peer", tls_explain()'s codes,
	 * ERR_TIMEOUT. The wire is already closed. */
	void (*on_close)(struct wire *wire, const struct err *why, void *arg);
};

/* Takes fd and ssl (from tls_server_open, NULL: plain). events is borrowed and static. */
struct wire *wire_accept(struct loop *loop, int fd, SSL *ssl, const struct wire_events *events,
                         void *arg);

/* Starts a connect. Takes ssl (from tls_client_open, NULL: plain), also on failure. NULL: ERR_IO.
 */
MUST_CHECK
struct wire *wire_connect(struct loop *loop, const struct addr *addr, SSL *ssl,
                          const struct wire_events *events, void *arg, struct err *err);

/* Until when connect and handshake must be over, from now. Before on_open only. */
void wire_set_open_timeout(struct wire *wire, int64_t ms);

/* Queues a copy. False: nothing was taken, as the wire is closed or the queue would pass
 * WIRE_QUEUE_MAX. Allowed before on_open. */
bool wire_write(struct wire *wire, struct str data);
size_t wire_queued(const struct wire *wire);

/* Paused: nothing is read, so TCP slows the peer down (its close is seen only after resuming). */
void wire_set_paused(struct wire *wire, bool paused);

/* Sends what is queued, then closes; input is no longer delivered. on_close follows. */
void wire_finish(struct wire *wire);

/* Closes now, no callback follows; memory goes at the end of the turn. NULL is harmless. */
void wire_close(struct wire *wire);

bool wire_is_open(const struct wire *wire);
/* NULL for a plain one. Borrowed. */
SSL *wire_tls(const struct wire *wire);
const struct addr *wire_peer(const struct wire *wire);
int wire_fd(const struct wire *wire);
