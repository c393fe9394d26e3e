/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve_io - what host names of gateways mean now, asked in a thread of its own.
 *
 * Every EW_RESOLVE_INTERVAL_MS, and at once when the list of names changes. A name that cannot be
 * resolved keeps the addresses it had. Control loop only.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/str.h"

enum {
	EW_RESOLVE_INTERVAL_MS = 10000,
	EW_RESOLVE_ADDRESSES_MAX = 64 /* of one name */
};

struct ew_resolver;

/* on_change runs on the loop when an answer is not what it was. */
struct ew_resolver *ew_resolver_create(struct loop *loop, void (*on_change)(void *arg), void *arg);
/* Waits for a lookup that is on its way, at most a moment; then leaves it alone. */
void ew_resolver_destroy(struct ew_resolver *resolver);

/* The names to be asked from now on, besides those in use. Texts are copied. */
void ew_resolver_want(struct ew_resolver *resolver, const struct str *hosts, size_t n);
/* An ew_resolve_cb; arg is the resolver. */
size_t ew_resolver_find(struct str host, struct ip *ret_ips, size_t max, void *arg);
