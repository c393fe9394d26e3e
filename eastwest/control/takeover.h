/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takeover - what a gateway hands to its successor on the same host: every listening socket, each
 * in a message of its own, then the end. Pure.
 *
 * SO_REUSEPORT alone would lose what waits in the queue of a socket that is closed; a socket that
 * two processes hold has one queue, so nothing is lost when one of them lets go.
 *
 *   {"kind": "listener", "name": "ingress", "address": "0.0.0.0:15443", "worker": 0}
 *   {"kind": "end", "workers": 2}
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

enum {
	EW_TAKEOVER_MESSAGE_MAX = 1024,
	EW_TAKEOVER_SOCKETS_MAX = 4096,
	EW_TAKEOVER_NAME_MAX = 63,
	EW_TAKEOVER_LEFT_MAX = 64, /* addresses */
	EW_TAKEOVER_LEFT_TEXT_MAX = 4096
};

enum ew_takeover_kind {
	EW_TAKEOVER_LISTENER, /* a door of a worker */
	EW_TAKEOVER_HEALTH,
	EW_TAKEOVER_METRICS,
	EW_TAKEOVER_END,
};

struct ew_takeover_message {
	enum ew_takeover_kind kind;
	char name[EW_TAKEOVER_NAME_MAX + 1]; /* of the listener */
	struct addr addr;                    /* as it is bound */
	uint32_t worker;                     /* that accepts from it; END: how many there are */
};

void ew_takeover_encode(const struct ew_takeover_message *message, struct buf *out);
MUST_CHECK
bool ew_takeover_decode(struct str text, struct ew_takeover_message *ret_message, struct err *err);

/* What was handed over. */
struct ew_taken_socket {
	struct ew_takeover_message message;
	int fd; /* -1: used */
};

struct ew_taken {
	struct ew_taken_socket *list; /* owned, with the descriptors */
	size_t n;
	uint32_t n_workers;
	int peer; /* the connection to the predecessor; -1: there is none */
};

/* The descriptor that is bound to wish->addr (port 0: any, and then filled in) for the same
 * purpose. The caller's from here on; -1: none. */
int ew_taken_use(struct ew_taken *taken, struct ew_takeover_message *wish);
/* Where a successor does not listen any more though it was handed the sockets. */
struct ew_left {
	struct addr list[EW_TAKEOVER_LEFT_MAX];
	size_t n;
};

/* What the successor says once it serves: "S", and each address that it has left behind a blank.
 * The addresses of the listeners that were not used so far. */
void ew_takeover_encode_left(const struct ew_taken *taken, struct buf *out);
/* False: no successor says this. */
MUST_CHECK
bool ew_takeover_decode_left(struct str text, struct ew_left *ret_left);

/* Closes what was not used. Harmless twice. */
void ew_taken_fini(struct ew_taken *taken);
