/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/delta_stream_io.h"

#include "ads_priv.h"
#include "backoff.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/grpc.h"

struct xds_delta_stream {
	struct xds_delta_stream_config config;
	struct xds_uplink_user user;
	struct grpc_stream *call; /* NULL: none */
	struct loop_timer again;  /* until the next one, while the uplink is up */
	struct buf unsent;        /* a request that found the queue full */
	struct backoff backoff;
	bool pumping;
};

static void tell(const struct xds_delta_stream *stream, bool up, const struct err *why)
{
	stream->config.speaker->on_stream(up, why, stream->config.arg);
}

/* Ends it from our side. */
static void drop(struct xds_delta_stream *stream, const struct err *why)
{
	grpc_stream_cancel(stream->call);
	stream->call = NULL;
	loop_timer_set(&stream->again, backoff_next_ms(&stream->backoff));
	tell(stream, false, why);
}

/* What does not fit goes on with on_drain, which may come from inside the send. */
static void pump(struct xds_delta_stream *stream)
{
	const struct xds_speaker *speaker = stream->config.speaker;
	struct err err;
	if (stream->pumping)
		return;
	stream->pumping = true;
	while (stream->call != NULL) {
		if (stream->unsent.len == 0 && !speaker->next(&stream->unsent, stream->config.arg))
			break;
		if (buf_failed(&stream->unsent)) {
			err_set(&err, ERR_TOO_LARGE, "more is to be said than a request holds");
			drop(stream, &err);
			break;
		}
		if (!grpc_stream_send(stream->call, buf_str(&stream->unsent)))
			break;
		buf_clear(&stream->unsent);
	}
	stream->pumping = false;
}

static void on_message(struct grpc_stream *call, struct str message, void *arg)
{
	struct xds_delta_stream *stream = arg;
	struct err err;
	(void)call;
	if (stream->config.speaker->feed(message, &err, stream->config.arg))
		pump(stream);
	else
		drop(stream, &err);
}

static void on_drain(struct grpc_stream *call, void *arg)
{
	(void)call;
	pump(arg);
}

static void on_close(struct grpc_stream *call, int status, const char *message, void *arg)
{
	struct xds_delta_stream *stream = arg;
	struct err err;
	(void)call;
	stream->call = NULL;
	err_set(&err, grpc_status_to_err(status), "%s: %s", grpc_status_name(status),
	        message != NULL ? message : "");
	loop_timer_set(&stream->again, backoff_next_ms(&stream->backoff));
	tell(stream, false, &err);
}

static const struct grpc_stream_events call_events = {on_message, on_drain, on_close};

static void open_call(struct xds_delta_stream *stream, struct grpc_conn *conn)
{
	struct http_fields fields CLEANUP(http_fields_fini) = HTTP_FIELDS_EMPTY;
	loop_timer_cancel(&stream->again);
	buf_clear(&stream->unsent);
	stream->config.speaker->start(&fields, stream->config.arg);
	stream->call = grpc_stream_open(conn, ADS_DELTA_PATH, &fields, &call_events, stream);
	tell(stream, true, NULL);
	pump(stream);
}

static void on_up(struct grpc_conn *conn, void *arg)
{
	struct xds_delta_stream *stream = arg;
	if (stream->call == NULL)
		open_call(stream, conn);
}

static void on_again(void *arg)
{
	struct xds_delta_stream *stream = arg;
	struct grpc_conn *conn = xds_uplink_conn(stream->config.uplink);
	if (conn != NULL && stream->call == NULL)
		open_call(stream, conn);
}

struct xds_delta_stream *xds_delta_stream_create(const struct xds_delta_stream_config *config)
{
	struct xds_delta_stream *stream = xcalloc(1, sizeof(*stream));
	stream->config = *config;
	backoff_init(&stream->backoff, config->retry_min_ms, config->retry_max_ms);
	buf_init(&stream->unsent, config->request_max);
	loop_timer_init(&stream->again, config->loop, on_again, stream);
	stream->user = (struct xds_uplink_user){.on_up = on_up, .arg = stream};
	xds_uplink_add(config->uplink, &stream->user);
	return stream;
}

void xds_delta_stream_destroy(struct xds_delta_stream *stream)
{
	if (stream == NULL)
		return;
	xds_uplink_remove(&stream->user);
	grpc_stream_cancel(stream->call);
	loop_timer_fini(&stream->again);
	buf_fini(&stream->unsent);
	free(stream);
}

bool xds_delta_stream_is_up(const struct xds_delta_stream *stream)
{
	return stream->call != NULL;
}

void xds_delta_stream_settled(struct xds_delta_stream *stream)
{
	backoff_reset(&stream->backoff);
}
