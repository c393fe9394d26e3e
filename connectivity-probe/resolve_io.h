/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve - a host name to addresses without stopping the loop: getaddrinfo() in a thread of its
 * own, which shares with us only a small counted block and an eventfd.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

enum {
	PROBE_RESOLVE_MAX = 8
};

struct probe_resolve;

/* n is 0 when there is no address; why then says so. Borrowed for the call; it is over then. */
typedef void (*probe_resolve_cb)(const struct addr *addrs, size_t n, const char *why, void *arg);

/* cb in a later turn, for IP literals too. */
struct probe_resolve *probe_resolve_start(struct loop *loop, const char *host, uint16_t port,
                                          probe_resolve_cb cb, void *arg);
/* No callback follows. NULL is harmless. */
void probe_resolve_cancel(struct probe_resolve *resolve);
