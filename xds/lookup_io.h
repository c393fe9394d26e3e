/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup - a host name to addresses, off the loop. getaddrinfo() blocks, so each runs in a thread
 * of its own that touches nothing of the loop: it rings an eventfd and lets go.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

enum {
	LOOKUP_ADDRS_MAX = 16
};

struct lookup;

/* addrs has n > 0 entries, or n is 0 and err says why. The lookup is gone afterwards. */
typedef void (*lookup_cb)(const struct addr *addrs, size_t n, const struct err *err, void *arg);

/* IP literals take the same way but need no thread. cb follows in a later turn. */
struct lookup *lookup_start(struct loop *loop, const char *host, uint16_t port, lookup_cb cb,
                            void *arg);
/* No callback follows. NULL is harmless. */
void lookup_cancel(struct lookup *lookup);
