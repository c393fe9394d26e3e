/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ads_client - a delta_client on an uplink: opens the stream, feeds it, opens it again. Loop
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "xds/delta_client.h"
#include "xds/uplink_io.h"

struct xds_ads_client;

struct xds_ads_client_config {
	struct loop *loop;               /* borrowed */
	struct xds_uplink *uplink;       /* borrowed; outlives the client */
	struct xds_delta_client *client; /* borrowed; outlives it too */
	/* APPLIED or LEFT. */
	void (*on_event)(enum xds_client_event event, void *arg);
	/* The stream began (up) or ended (why). May be NULL. */
	void (*on_stream)(bool up, const struct err *why, void *arg);
	void *arg;
};

struct xds_ads_client *xds_ads_client_create(const struct xds_ads_client_config *config);
void xds_ads_client_destroy(struct xds_ads_client *client);
/* Streams that were dropped because the counts differed. */
size_t xds_ads_client_resyncs(const struct xds_ads_client *client);
bool xds_ads_client_is_up(const struct xds_ads_client *client);
