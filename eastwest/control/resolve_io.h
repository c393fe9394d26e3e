/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve_io - what host names of gateways mean now.
 *
 * A name is asked for when it is first wanted, and again when its answer has run out. One that
 * nobody can tell keeps the addresses it had. Control loop only.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/str.h"

enum {
	EW_RESOLVE_TTL_MIN_S = 5, /* also after a failure */
	EW_RESOLVE_TTL_MAX_S = 60,
	EW_RESOLVE_IN_FLIGHT_MAX = 32,
	EW_RESOLVE_ADDRESSES_MAX = 64 /* of one name */
};

struct ew_resolver;

struct ew_resolver_options {
	const char *servers;          /* NULL the system's, else as dns_ask(); borrowed for good */
	int64_t min_ms;               /* 0: EW_RESOLVE_TTL_MIN_S */
	void (*on_change)(void *arg); /* an answer is not what it was; in a turn of its own */
	void *arg;
};

struct ew_resolver *ew_resolver_create(struct loop *loop,
                                       const struct ew_resolver_options *options);
void ew_resolver_destroy(struct ew_resolver *resolver);

/* The names to be known from now on, instead of those before. Texts are copied. */
void ew_resolver_want(struct ew_resolver *resolver, const struct str *hosts, size_t n);
/* An ew_resolve_cb; arg is the resolver. 0: not known (yet). */
size_t ew_resolver_find(struct str host, struct ip *ret_ips, size_t max, void *arg);
