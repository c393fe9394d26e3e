/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary_io - the end of this gateway's canary name: ends TLS with the gateway's own certificate,
 * judges who calls, and gives back every byte. It listens on a loopback port of its own, to which
 * the built-in route of the ingress door leads, so the relay threads know nothing of it.
 *
 * Control loop only.
 */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/tls.h"
#include "uplink/uplink_io.h"

enum {
	EW_CANARIES_MAX = 4096,   /* connections at once */
	EW_CANARY_IDLE_MS = 30000 /* without a byte: closed */
};

struct ew_canary;

/* Whether gateways and probes of a cluster are answered. */
typedef bool (*ew_peer_cb)(const char *cluster, void *arg);

/* NULL: ERR_IO. Refuses everybody until it has a certificate. */
MUST_CHECK
struct ew_canary *ew_canary_create(struct loop *loop, ew_peer_cb is_peer, void *arg,
                                   struct err *err);
void ew_canary_destroy(struct ew_canary *canary);
const struct addr *ew_canary_addr(const struct ew_canary *canary);

/* For connections from now on. ERR_INVALID. */
MUST_CHECK
bool ew_canary_set_credentials(struct ew_canary *canary, const struct ew_credentials *credentials,
                               struct err *err);
/* Takes no more connections and closes those there are. */
void ew_canary_stop(struct ew_canary *canary);
