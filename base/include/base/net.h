/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - non-blocking, close-on-exec sockets.
 */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

/* A listening socket at addr (port 0: any free one; ret_addr, if not NULL, gets the real address).
 * -1: ERR_IO, the message names the address and, for one in use, says so. */
MUST_CHECK
int net_listen(const struct addr *addr, bool reuse_port, struct addr *ret_addr, struct err *err);

/* "fd:N" (a listening socket handed over by the parent), or "ADDR:PORT". */
MUST_CHECK
int net_listen_text(const char *text, struct addr *ret_addr, struct err *err);

/* -1 with errno when none waits or on failure. peer may be NULL. */
MUST_CHECK
int net_accept(int listener, struct addr *ret_peer);

/* Starts a connect; it may still be in progress. -1: failed at once, err says why. */
MUST_CHECK
int net_connect(const struct addr *addr, struct err *err);

/* The pending error of a socket (SO_ERROR), 0 if none. */
int net_error(int fd);

/* TCP keep-alive after idle_s, every interval_s, and TCP_USER_TIMEOUT. */
void net_set_keepalive(int fd, int idle_s, int interval_s, int user_timeout_ms);
