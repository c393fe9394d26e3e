/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream waits in conn->streams until the wire is open, then belongs to nghttp2 as well, which
 * finds it by the stream's user data; that is cleared when the stream is over, so nothing dangles.
 */
#include "grpc_client_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"

enum {
	UNARY_DEADLINE_MS = 30000,
	STATUS_NONE = -1
};

/* --- end of a stream -------------------------------------------------------------------------- */

static void free_stream(void *arg)
{
	struct grpc_stream *s = arg;

	list_remove(&s->link);
	http_fields_fini(&s->metadata);
	outq_fini(&s->out);
	grpc_deframer_fini(&s->deframer);
	buf_fini(&s->held);
	if (s->unary != NULL)
		buf_fini(&s->unary->reply);
	free(s->unary);
	free(s->path);
	free(s->message);
	free(s);
}

static void bury_stream(struct grpc_stream *s)
{
	struct grpc_conn *conn = s->conn;

	s->over = true;
	conn->n_streams--;
	loop_timer_fini(&s->deadline);
	if (s->id > 0 && conn->session != NULL)
		nghttp2_session_set_stream_user_data(conn->session, s->id, NULL);
	loop_bury(conn->config.loop, free_stream, s);
}

void grpc_stream_end(struct grpc_stream *s, int status, const char *message)
{
	if (s->over)
		return;
	bury_stream(s);
	s->events->on_close(s, status, message, s->arg);
}

static void reset(struct grpc_stream *s, uint32_t code)
{
	struct grpc_conn *conn = s->conn;

	if (s->id > 0 && conn->session != NULL && conn->state != GRPC_CONN_CLOSED)
		nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, s->id, code);
}

/* We end it: the server hears RST_STREAM, the owner a status. */
static void fail_stream(struct grpc_stream *s, int status, const char *message)
{
	struct grpc_conn *conn = s->conn;

	if (s->over)
		return;
	reset(s, NGHTTP2_CANCEL);
	grpc_stream_end(s, status, message);
	grpc_conn_pump(conn);
}

static int status_of_http(int http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

static int status_of_code(uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return GRPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	default:
		return GRPC_INTERNAL;
	}
}

/* The server has ended the stream: what does that amount to? */
static void conclude(struct grpc_stream *s)
{
	char text[128];

	if (s->status == GRPC_OK && grpc_deframer_is_busy(&s->deframer)) {
		grpc_stream_end(s, GRPC_INTERNAL, "the call ended within a message");
	} else if (s->status != STATUS_NONE) {
		grpc_stream_end(s, s->status, s->message != NULL ? s->message : "");
	} else if (s->http_status != 0 && s->http_status != 200) {
		snprintf(text, sizeof(text), "HTTP status %d", s->http_status);
		grpc_stream_end(s, status_of_http(s->http_status), text);
	} else if (s->end_code != NGHTTP2_NO_ERROR) {
		snprintf(text, sizeof(text), "stream reset: %s",
		         nghttp2_http2_strerror(s->end_code));
		grpc_stream_end(s, status_of_code(s->end_code), text);
	} else {
		grpc_stream_end(s, GRPC_UNKNOWN, "the call ended without a status");
	}
}

/* --- output ----------------------------------------------------------------------------------- */

static ssize_t read_output(nghttp2_session *session, int32_t id, uint8_t *frame, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);
	size_t n;

	(void)source, (void)arg;
	if (s == NULL || s->over)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = h2_take(&s->out, frame, len);
	if (outq_len(&s->out) == 0 && s->out_ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return (ssize_t)n;
	}
	if (n > 0)
		return (ssize_t)n;
	s->deferred = true;
	return NGHTTP2_ERR_DEFERRED;
}

void grpc_stream_submit(struct grpc_stream *s)
{
	struct grpc_conn *conn = s->conn;
	nghttp2_data_provider provider = {.source = {.ptr = NULL}, .read_callback = read_output};
	struct h2_block block = {.n = 0};
	char timeout[16];

	h2_block_add(&block, ":method", STR_LIT("POST"));
	h2_block_add(&block, ":scheme",
	             conn->config.tls != NULL ? STR_LIT("https") : STR_LIT("http"));
	h2_block_add(&block, ":path", str_from(s->path));
	h2_block_add(&block, ":authority", str_from(conn->authority));
	h2_block_add(&block, "te", STR_LIT("trailers"));
	h2_block_add(&block, "content-type", STR_LIT("application/grpc"));
	h2_block_add(&block, "user-agent", STR_LIT("fedway/" FEDWAY_VERSION));
	if (s->deadline_ms > 0) {
		grpc_format_timeout(timeout, s->deadline_ms);
		h2_block_add(&block, "grpc-timeout", str_from(timeout));
	}
	h2_block_add_fields(&block, &s->metadata);
	s->id = nghttp2_submit_request(conn->session, NULL, block.nv, block.n, &provider, s);
}

static void resume(struct grpc_stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		nghttp2_session_resume_data(s->conn->session, s->id);
	}
	grpc_conn_pump(s->conn);
}

/* --- input ------------------------------------------------------------------------------------ */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct str n = str_make((const char *)name, name_len);
	struct str v = str_make((const char *)value, value_len);
	uint64_t number;

	(void)flags, (void)arg;
	if (s == NULL || s->over)
		return 0;
	if (str_is(n, ":status") && str_to_u64(v, 999, &number)) {
		s->http_status = (int)number;
	} else if (str_is(n, "grpc-status")) {
		s->status = str_to_u64(v, 16, &number) ? (int)number : GRPC_UNKNOWN;
	} else if (str_is(n, "grpc-message") && s->message == NULL) {
		char *text = xstrndup(v.ptr, v.len < 4096 ? v.len : 4096);

		s->message = grpc_parse_message(text);
		free(text);
	}
	return 0;
}

static void deliver(struct grpc_stream *s, struct str *input)
{
	struct str message;
	struct err err;

	while (!s->over && !s->paused) {
		switch (grpc_deframe(&s->deframer, input, &message, &err)) {
		case GRPC_DEFRAME_MORE:
			return;
		case GRPC_DEFRAME_MESSAGE:
			s->events->on_message(s, message, s->arg);
			break;
		case GRPC_DEFRAME_BAD:
			fail_stream(s, grpc_status_of_err(err.code), err.msg);
			return;
		}
	}
}

static void run(struct grpc_stream *s, struct str data)
{
	struct buf held = s->held;
	struct str input = data;

	if (s->delivering || (s->paused && !s->over)) {
		buf_add_str(&s->held, data);
		return;
	}
	buf_init(&s->held, SIZE_MAX / 4);
	if (held.len > 0) {
		buf_add_str(&held, data);
		input = buf_str(&held);
	}
	s->delivering = true;
	deliver(s, &input);
	s->delivering = false;
	if (!s->over)
		buf_add_str(&s->held, input);
	buf_fini(&held);
	if (!s->over && s->end_due && !s->paused)
		conclude(s);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *arg)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void)flags, (void)arg;
	nghttp2_session_consume_connection(session, len);
	/* A body that is not gRPC (an error page of a proxy) is not looked at. */
	if (s != NULL && !s->over && s->http_status == 200)
		run(s, str_make((const char *)data, len));
	if (s != NULL && !s->over && s->paused)
		s->unconsumed += len;
	else
		nghttp2_session_consume_stream(session, id, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void)arg;
	if (s == NULL || s->over)
		return 0;
	s->id = 0;
	s->end_code = code;
	s->end_due = true;
	if (!s->paused && !s->delivering)
		conclude(s);
	return 0;
}

/* The server has said its last word: what we might still send interests nobody (RFC 9113 8.1). The
 * stream closes when the reset goes out. */
void grpc_stream_stop_sending(nghttp2_session *session, int32_t id)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (s != NULL && !s->over && !s->out_ended)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

void grpc_stream_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/* --- stream ----------------------------------------------------------------------------------- */

static void on_deadline(void *arg)
{
	struct grpc_stream *s = arg;

	if (s->late_message != NULL)
		fail_stream(s, s->late_status, s->late_message);
	else
		fail_stream(s, GRPC_DEADLINE_EXCEEDED, "no answer before the deadline");
}

/* Ends a stream that cannot start, but not within the call that made it. */
static void end_later(struct grpc_stream *s, int status, const char *message)
{
	s->late_status = status;
	s->late_message = message;
	/* A closed connection goes at the end of this turn, and its timers with it. */
	if (s->conn->state == GRPC_CONN_CLOSED)
		loop_bury(s->conn->config.loop, on_deadline, s);
	else
		loop_timer_set(&s->deadline, 0);
}

static struct grpc_stream *make_stream(struct grpc_conn *conn, const char *path,
                                       const struct http_fields *metadata)
{
	struct grpc_stream *s = xcalloc(1, sizeof(*s));

	s->conn = conn;
	s->path = xstrdup(path);
	s->status = STATUS_NONE;
	list_init(&s->link);
	list_append(&conn->streams, &s->link);
	conn->n_streams++;
	outq_init(&s->out, conn->config.queue_max);
	grpc_deframer_init(&s->deframer, conn->config.message_max);
	buf_init(&s->held, SIZE_MAX / 4);
	loop_timer_init(&s->deadline, conn->config.loop, on_deadline, s);
	for (size_t i = 0; metadata != NULL && i < metadata->n; i++)
		http_fields_add(&s->metadata, metadata->v[i].name, metadata->v[i].value);
	return s;
}

static void start_stream(struct grpc_stream *s)
{
	struct grpc_conn *conn = s->conn;

	if (conn->going_away || conn->state == GRPC_CONN_CLOSED) {
		end_later(s, GRPC_UNAVAILABLE, "the connection is closing");
	} else if (conn->state != GRPC_CONN_OPENING) {
		grpc_stream_submit(s);
		grpc_conn_pump(conn);
	}
}

struct grpc_stream *grpc_stream_open(struct grpc_conn *conn, const char *path,
                                     const struct http_fields *metadata,
                                     const struct grpc_stream_events *events, void *arg)
{
	struct grpc_stream *s = make_stream(conn, path, metadata);

	s->events = events;
	s->arg = arg;
	start_stream(s);
	return s;
}

bool grpc_stream_send(struct grpc_stream *s, struct str message)
{
	uint8_t prefix[GRPC_PREFIX_LEN];
	size_t room = s->out.buf.max - outq_len(&s->out);

	if (s->over || s->out_ended || message.len > room || room - message.len < GRPC_PREFIX_LEN)
		return false;
	grpc_format_prefix(prefix, message.len);
	if (!outq_add(&s->out, str_make((const char *)prefix, sizeof(prefix))) ||
	    !outq_add(&s->out, message))
		return false;
	s->drain_due = true;
	resume(s);
	return true;
}

size_t grpc_stream_queued(const struct grpc_stream *s)
{
	return outq_len(&s->out);
}

void grpc_stream_finish(struct grpc_stream *s)
{
	if (s->over || s->out_ended)
		return;
	s->out_ended = true;
	resume(s);
}

void grpc_stream_set_deadline(struct grpc_stream *s, int64_t in_ms)
{
	if (!s->over)
		loop_timer_set(&s->deadline, in_ms);
}

void grpc_stream_set_paused(struct grpc_stream *s, bool paused)
{
	size_t unconsumed = s->unconsumed;

	if (s->over || s->paused == paused)
		return;
	s->paused = paused;
	if (paused)
		return;
	if (s->id > 0 && unconsumed > 0)
		nghttp2_session_consume_stream(s->conn->session, s->id, unconsumed);
	s->unconsumed = 0;
	if (!s->delivering)
		run(s, STR_NULL);
	grpc_conn_pump(s->conn);
}

void grpc_stream_cancel(struct grpc_stream *s)
{
	struct grpc_conn *conn;

	if (s == NULL || s->over)
		return;
	conn = s->conn;
	reset(s, NGHTTP2_CANCEL);
	bury_stream(s);
	grpc_conn_pump(conn);
}

/* --- unary ------------------------------------------------------------------------------------ */

static void on_unary_message(struct grpc_stream *s, struct str message, void *arg)
{
	struct grpc_unary_state *unary = arg;

	if (unary->replied) {
		fail_stream(s, GRPC_INTERNAL, "a second message in a unary call");
		return;
	}
	unary->replied = true;
	buf_add_str(&unary->reply, message);
}

static void on_unary_close(struct grpc_stream *s, int status, const char *message, void *arg)
{
	struct grpc_unary_state *unary = arg;

	(void)s;
	if (status == GRPC_OK && !unary->replied)
		unary->cb(GRPC_INTERNAL, "no message in the answer of a unary call", STR_NULL,
		          unary->arg);
	else
		unary->cb(status, message, status == GRPC_OK ? buf_str(&unary->reply) : STR_NULL,
		          unary->arg);
}

static const struct grpc_stream_events unary_events = {
	.on_message = on_unary_message,
	.on_close = on_unary_close,
};

struct grpc_stream *grpc_unary_start(struct grpc_conn *conn, const struct grpc_unary *call)
{
	struct grpc_stream *s = make_stream(conn, call->path, call->metadata);
	struct grpc_unary_state *unary = xcalloc(1, sizeof(*unary));

	unary->cb = call->cb;
	unary->arg = call->arg;
	buf_init(&unary->reply, conn->config.message_max);
	s->unary = unary;
	s->events = &unary_events;
	s->arg = unary;
	s->deadline_ms = call->deadline_ms > 0 ? call->deadline_ms : UNARY_DEADLINE_MS;
	loop_timer_set(&s->deadline, s->deadline_ms);
	if (!grpc_stream_send(s, call->request)) {
		end_later(s, GRPC_RESOURCE_EXHAUSTED, "the request is larger than the queue");
		return s;
	}
	s->out_ended = true;
	start_stream(s);
	return s;
}
