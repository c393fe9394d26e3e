/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/ads_server_io.h"

#include "ads_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"

struct xds_ads_server {
	struct xds_ads_server_config config;
	struct grpc_method method;
	struct list streams;
	size_t n_streams;
};

struct xds_ads_stream {
	struct list link;
	struct xds_ads_server *server;
	struct grpc_call *call; /* NULL: over */
	struct xds_delta_server *state;
	void *data;
	bool flushing;
	unsigned busy; /* callbacks that are running; the last one frees a stream that is over */
};

static void leave(struct xds_ads_stream *stream)
{
	if (--stream->busy > 0 || stream->call != NULL)
		return;
	xds_delta_server_destroy(stream->state);
	free(stream);
}

/* The call is gone, or about to be ended by the caller. */
static void end(struct xds_ads_stream *stream)
{
	stream->call = NULL;
	list_remove(&stream->link);
	stream->server->n_streams--;
	stream->server->config.on_close(stream, stream->server->config.arg);
}

void xds_ads_stream_close(struct xds_ads_stream *stream, enum grpc_status status,
                          const char *message)
{
	struct grpc_call *call = stream->call;
	if (call == NULL)
		return;
	stream->busy++;
	end(stream);
	grpc_call_end(call, status, message);
	leave(stream);
}

static void close_for(struct xds_ads_stream *stream, const struct err *err)
{
	xds_ads_stream_close(stream, grpc_status_of_err(err->code), err->msg);
}

/* Sends while there is room; what does not fit waits as what it is: a difference. */
static void flush(struct xds_ads_stream *stream)
{
	if (stream->flushing)
		return; /* on_drain from inside a send */
	stream->busy++;
	stream->flushing = true;
	while (stream->call != NULL && grpc_call_queued(stream->call) <= ADS_QUEUE_LOW) {
		struct buf response CLEANUP(buf_fini) = {0};
		buf_init(&response, ADS_QUEUE_MAX - ADS_QUEUE_LOW);
		if (!xds_delta_server_next(stream->state, &response))
			break;
		if (buf_failed(&response) || !grpc_call_send(stream->call, buf_str(&response)))
			xds_ads_stream_close(stream, GRPC_RESOURCE_EXHAUSTED,
			                     "the answer does not fit into one message");
	}
	stream->flushing = false;
	leave(stream);
}

/* --- the call's events ------------------------------------------------------------------------ */

static void on_open(struct grpc_call *call, void *arg)
{
	struct xds_ads_server *server = arg;
	struct xds_ads_stream *stream = xcalloc(1, sizeof(*stream));
	struct err err;
	stream->server = server;
	stream->call = call;
	stream->state = xds_delta_server_create();
	stream->busy = 1;
	list_init(&stream->link);
	if (server->config.on_open(stream, server->config.arg, &err)) {
		grpc_call_set_data(call, stream);
		list_append(&server->streams, &stream->link);
		server->n_streams++;
	} else {
		stream->call = NULL;
		grpc_call_end(call, grpc_status_of_err(err.code), err.msg);
	}
	leave(stream);
}

static bool take(struct xds_ads_stream *stream, struct str message, struct err *err)
{
	const struct xds_ads_server_config *config = &stream->server->config;
	struct xds_request_info info;
	if (!xds_delta_server_feed(stream->state, message, &info, err))
		return false;
	if (info.node != NULL && !config->on_node(stream, info.node, config->arg, err))
		return false;
	if (info.outcome != NULL && config->on_outcome != NULL)
		config->on_outcome(stream, info.outcome, config->arg);
	return true;
}

static void on_message(struct grpc_call *call, struct str message, void *arg)
{
	struct xds_ads_stream *stream = grpc_call_data(call);
	struct err err;
	(void)arg;
	stream->busy++;
	if (!take(stream, message, &err))
		close_for(stream, &err);
	else if (stream->call != NULL)
		flush(stream);
	leave(stream);
}

static void on_half_close(struct grpc_call *call, void *arg)
{
	(void)arg;
	xds_ads_stream_close(grpc_call_data(call), GRPC_OK, NULL);
}

static void on_drain(struct grpc_call *call, void *arg)
{
	(void)arg;
	flush(grpc_call_data(call));
}

static void on_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	struct xds_ads_stream *stream = grpc_call_data(call);
	(void)why;
	(void)arg;
	if (stream == NULL)
		return; /* was never taken in */
	stream->busy++;
	end(stream);
	leave(stream);
}

/* --- the owner's side ------------------------------------------------------------------------- */

struct xds_ads_server *xds_ads_server_create(const struct xds_ads_server_config *config)
{
	struct xds_ads_server *server = xcalloc(1, sizeof(*server));
	server->config = *config;
	list_init(&server->streams);
	server->method = (struct grpc_method){
		.path = ADS_DELTA_PATH,
		.message_max = ADS_REQUEST_MAX,
		.queue_max = ADS_QUEUE_MAX,
		.arg = server,
		.on_open = on_open,
		.on_message = on_message,
		.on_half_close = on_half_close,
		.on_drain = on_drain,
		.on_gone = on_gone,
	};
	grpc_server_add(config->grpc, &server->method);
	return server;
}

void xds_ads_server_destroy(struct xds_ads_server *server)
{
	free(server);
}

void xds_ads_server_flush(struct xds_ads_server *server)
{
	list_for_each_safe (it, &server->streams)
		flush(LIST_ENTRY(it, struct xds_ads_stream, link));
}

size_t xds_ads_server_streams(const struct xds_ads_server *server)
{
	return server->n_streams;
}

struct grpc_call *xds_ads_stream_call(const struct xds_ads_stream *stream)
{
	return stream->call;
}

void xds_ads_stream_set_set(struct xds_ads_stream *stream, struct xds_set *set)
{
	xds_delta_server_set_set(stream->state, set);
	if (stream->call != NULL)
		flush(stream);
}

const struct xds_delta_server *xds_ads_stream_state(const struct xds_ads_stream *stream)
{
	return stream->state;
}

void xds_ads_stream_set_data(struct xds_ads_stream *stream, void *data)
{
	stream->data = data;
}

void *xds_ads_stream_data(const struct xds_ads_stream *stream)
{
	return stream->data;
}
