/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - what a gateway takes on at most, as `limits` of a GatewayConfig says it. Plain data.
 *
 *   limits:
 *     connections: 50000
 *     halfHelloMemoryMiB: 64
 *     newConnectionsPerSecond: {rate: 100, burst: 200, prefixV4: 24, prefixV6: 56}
 */
#pragma once

#include <stdint.h>

enum {
	EW_HELLO_MEMORY_MIB = 64, /* unless said */
	EW_HELLO_MEMORY_MIB_MAX = 4095,
	EW_CONNECTIONS_MAX = 100 * 1000 * 1000,
	EW_RATE_MAX = 1000 * 1000, /* also of a burst */
	EW_PREFIX_V4 = 24,
	EW_PREFIX_V6 = 56
};

/* New connections of one source: the addresses that have a prefix in common. */
struct ew_rate_limit {
	uint32_t rate;      /* a second; 0: no limit */
	uint32_t burst;     /* at once, after a pause; at least 1 */
	uint32_t prefix_v4; /* bits, 1 to 32 */
	uint32_t prefix_v6; /* bits, 1 to 128 */
};

struct ew_limits {
	uint32_t connections;      /* open at once, of all workers; 0: no limit */
	uint32_t hello_memory_mib; /* for half hellos, of all workers */
	struct ew_rate_limit per_source;
};
