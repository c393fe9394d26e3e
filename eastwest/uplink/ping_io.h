/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_io - the check of one address of a remote gateway that takes the mark: one kept connection
 * to the canary of its network, one byte each second, a fresh connection every EW_PING_FRESH_MS and
 * at once after a miss.
 *
 *   turn() ─▶ connect ─▶ handshake, identity ─▶ ping ─▶ echo: good
 *     each second: no echo, no handshake, closed: miss
 *
 * Control loop only.
 * Source: architecture 7, last point.
 */
#pragma once

#include "base/loop.h"
#include "base/tls.h"
#include "eastwest/health.h"

enum {
	EW_PING_FRESH_MS = 15000
};

struct ew_ping;

/* Whom to expect there. Texts are copied. */
struct ew_ping_target {
	const char *network;
	const char *cluster; /* "": any gateway of the trust domain */
};

/* miss NULL: an echo came after took_us. */
typedef void (*ew_ping_cb)(struct ew_health *health, const char *miss, int64_t took_us, void *arg);

/* A reference of health is taken. */
struct ew_ping *ew_ping_create(struct loop *loop, struct ew_health *health,
                               const struct ew_ping_target *target, ew_ping_cb on_result,
                               void *arg);
/* Closes. NULL is harmless. */
void ew_ping_destroy(struct ew_ping *ping);

struct ew_health *ew_ping_health(const struct ew_ping *ping);
bool ew_ping_is_for(const struct ew_ping *ping, const struct ew_ping_target *target);
/* Once a second. tls: a client context for connections begun from now on. */
void ew_ping_turn(struct ew_ping *ping, struct tls_ctx *tls);

/* A client context that accepts gateways alone. */
struct ew_credentials;
MUST_CHECK
struct tls_ctx *ew_ping_tls(const struct ew_credentials *credentials, struct err *err);
