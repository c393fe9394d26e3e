/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ads_server - delta ADS as a method of a gRPC server: one delta_server a stream, back-pressure
 * from the stream's queue. Who may have what is the owner's judgement. Loop thread.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/grpc.h"
#include "xds/delta_server.h"

struct xds_ads_server;
struct xds_ads_stream;

struct xds_ads_server_config {
	struct grpc_server *grpc; /* borrowed */
	/* A stream opens; look at grpc_call_exchange() of xds_ads_stream_call(). False: it ends
	 * with err (ERR_UNAUTHORIZED, ERR_FORBIDDEN, ERR_UNAVAILABLE), and on_close is not called.
	 */
	bool (*on_open)(struct xds_ads_stream *stream, void *arg, struct err *err);
	/* Its first request said who it is: usually answered by xds_ads_stream_set_set(). */
	bool (*on_node)(struct xds_ads_stream *stream, const struct xds_node *node, void *arg,
	                struct err *err);
	/* May be NULL. */
	void (*on_outcome)(struct xds_ads_stream *stream, const struct xds_outcome *outcome,
	                   void *arg);
	/* The stream is over; the pointer dies after. */
	void (*on_close)(struct xds_ads_stream *stream, void *arg);
	void *arg;
};

/* Adds the method DeltaAggregatedResources. */
struct xds_ads_server *xds_ads_server_create(const struct xds_ads_server_config *config);
/* After the gRPC server's own end, or with no stream open. */
void xds_ads_server_destroy(struct xds_ads_server *server);
/* Sends what changed in the sets to all streams that follow them. */
void xds_ads_server_flush(struct xds_ads_server *server);
size_t xds_ads_server_streams(const struct xds_ads_server *server);

struct grpc_call *xds_ads_stream_call(const struct xds_ads_stream *stream);
/* As xds_delta_server_set_set(), and sends. */
void xds_ads_stream_set_set(struct xds_ads_stream *stream, struct xds_set *set);
const struct xds_delta_server *xds_ads_stream_state(const struct xds_ads_stream *stream);
/* Ends the stream with a status; on_close follows. */
void xds_ads_stream_close(struct xds_ads_stream *stream, enum grpc_status status,
                          const char *message);
void xds_ads_stream_set_data(struct xds_ads_stream *stream, void *data);
void *xds_ads_stream_data(const struct xds_ads_stream *stream);
