/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ads_broken - an aggregated discovery service whose bursts are wrong, for tests of what a gateway
 * makes of them. Each stream gets everything its set has, in one response a resource, once.
 */
#pragma once

#include "base/grpc.h"
#include "xds/set.h"

struct ads_broken {
	struct grpc_method method;
	bool miscounted; /* a Snapshot that counts a cluster too many; else none comes */
	/* Borrowed; NULL: of nobody we know. */
	struct xds_set *(*set_of)(struct grpc_call *call, void *arg);
	void *arg;
};

/* how: "unfinished" or "miscounted"; else false. broken is the caller's, for good. */
bool ads_broken_add(struct ads_broken *broken, struct grpc_server *grpc, const char *how);
