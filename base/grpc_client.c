/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream waits in conn->streams until the wire is open, then belongs to nghttp2 as well, which
 * finds it by the stream's user data; that is cleared when the stream is over, so nothing dangles.
 * As on the server's side, frames are made after input and after writes, never inside callbacks.
 */
#include "grpc_frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/grpc.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/wire.h"
#include "h2.h"

enum {
	OPEN_MS = 10000,
	UNARY_DEADLINE_MS = 30000,
	STATUS_NONE = -1
};

/* OPENING ─▶ STARTED (frames may be made) ─▶ READY (SETTINGS came) ─▶ CLOSED */
enum conn_state {
	CONN_OPENING,
	CONN_STARTED,
	CONN_READY,
	CONN_CLOSED,
};

struct grpc_conn {
	struct grpc_conn_config config;
	enum conn_state state;
	struct wire *wire;
	nghttp2_session *session;
	struct list streams; /* over ones leave when they are freed */
	size_t n_streams;    /* that are not over */
	char *authority;
	struct loop_timer timer; /* opening, later keepalive */
	int64_t last_input_ms;
	bool pinged;
	bool going_away;
	bool busy;
};

/* A unary call on top of a stream. */
struct unary {
	grpc_reply_cb cb;
	void *arg;
	struct buf reply;
	bool replied;
};

struct grpc_stream {
	struct grpc_conn *conn;
	struct list link;
	int32_t id; /* 0: not submitted */
	char *path;
	struct http_fields metadata;
	const struct grpc_stream_events *events;
	void *arg;
	struct unary *unary;
	struct loop_timer deadline;
	int64_t deadline_ms; /* told to the server; 0: not */
	int late_status;     /* how it ends when `deadline` fires, if not by the deadline */
	const char *late_message;
	bool over;

	struct outq out;
	bool out_ended;
	bool deferred;
	bool drain_due;

	struct grpc_deframer deframer;
	struct buf held; /* input that came while paused */
	size_t unconsumed;
	bool paused;
	bool delivering;
	bool end_due; /* closed by the server, but messages are still held */
	uint32_t end_code;
	int http_status;
	int status;
	char *message;
};

static void pump(struct grpc_conn *conn);

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

static void end_stream(struct grpc_stream *s, int status, const char *message)
{
	if (s->over)
		return;
	bury_stream(s);
	s->events->on_close(s, status, message, s->arg);
}

static void reset(struct grpc_stream *s, uint32_t code)
{
	struct grpc_conn *conn = s->conn;

	if (s->id > 0 && conn->session != NULL && conn->state != CONN_CLOSED)
		nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, s->id, code);
}

/* We end it: the server hears RST_STREAM, the owner a status. */
static void fail_stream(struct grpc_stream *s, int status, const char *message)
{
	struct grpc_conn *conn = s->conn;

	if (s->over)
		return;
	reset(s, NGHTTP2_CANCEL);
	end_stream(s, status, message);
	pump(conn);
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
		end_stream(s, GRPC_INTERNAL, "the call ended within a message");
	} else if (s->status != STATUS_NONE) {
		end_stream(s, s->status, s->message != NULL ? s->message : "");
	} else if (s->http_status != 0 && s->http_status != 200) {
		snprintf(text, sizeof(text), "HTTP status %d", s->http_status);
		end_stream(s, status_of_http(s->http_status), text);
	} else if (s->end_code != NGHTTP2_NO_ERROR) {
		snprintf(text, sizeof(text), "stream reset: %s",
		         nghttp2_http2_strerror(s->end_code));
		end_stream(s, status_of_code(s->end_code), text);
	} else {
		end_stream(s, GRPC_UNKNOWN, "the call ended without a status");
	}
}

/* --- end of a connection ---------------------------------------------------------------------- */

static void free_conn(void *arg)
{
	struct grpc_conn *conn = arg;

	nghttp2_session_del(conn->session);
	free(conn->authority);
	free(conn);
}

/* Behind the streams that were opened while it closed. */
static void bury_conn(void *arg)
{
	struct grpc_conn *conn = arg;

	loop_bury(conn->config.loop, free_conn, conn);
}

static void shut(struct grpc_conn *conn, int status, const char *message)
{
	conn->state = CONN_CLOSED;
	wire_close(conn->wire);
	loop_timer_fini(&conn->timer);
	list_for_each (it, &conn->streams)
		end_stream(LIST_ENTRY(it, struct grpc_stream, link), status, message);
	tls_ctx_unref(conn->config.tls);
	loop_bury(conn->config.loop, bury_conn, conn);
}

static void fail(struct grpc_conn *conn, const struct err *why)
{
	if (conn->state == CONN_CLOSED)
		return;
	shut(conn, GRPC_UNAVAILABLE, why->msg);
	if (conn->config.on_close != NULL)
		conn->config.on_close(conn, why, conn->config.arg);
}

void grpc_conn_close(struct grpc_conn *conn)
{
	if (conn != NULL && conn->state != CONN_CLOSED)
		shut(conn, GRPC_CANCELLED, "the connection was closed by us");
}

/* --- output ----------------------------------------------------------------------------------- */

static void look_at_drains(struct grpc_conn *conn)
{
	size_t low = conn->config.queue_max / 4;

	list_for_each (it, &conn->streams) {
		struct grpc_stream *s = LIST_ENTRY(it, struct grpc_stream, link);

		if (s->over || !s->drain_due || outq_len(&s->out) > low)
			continue;
		s->drain_due = false;
		if (s->events->on_drain != NULL)
			s->events->on_drain(s, s->arg);
		if (conn->state == CONN_CLOSED)
			return;
	}
}

static void pump(struct grpc_conn *conn)
{
	struct err err;
	bool ok;

	if (conn->busy || (conn->state != CONN_STARTED && conn->state != CONN_READY))
		return;
	conn->busy = true;
	ok = h2_pump(conn->session, conn->wire, &err);
	conn->busy = false;
	if (conn->state == CONN_CLOSED)
		return;
	if (!ok) {
		fail(conn, &err);
		return;
	}
	look_at_drains(conn);
	if (conn->state == CONN_CLOSED || conn->n_streams > 0)
		return;
	if (conn->going_away || !nghttp2_session_want_read(conn->session)) {
		err_set(&err, ERR_UNAVAILABLE, "the server goes away");
		fail(conn, &err);
	}
}

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

static void submit(struct grpc_stream *s)
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
	pump(s->conn);
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

static void on_ready(struct grpc_conn *conn)
{
	conn->state = CONN_READY;
	loop_timer_set(&conn->timer, conn->config.keepalive_ms);
	if (conn->config.on_open != NULL)
		conn->config.on_open(conn, conn->config.arg);
}

/* The server has said its last word: what we might still send interests nobody (RFC 9113 8.1). The
 * stream closes when the reset goes out. */
static void stop_sending(nghttp2_session *session, int32_t id)
{
	struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (s != NULL && !s->over && !s->out_ended)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_conn *conn = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		conn->going_away = true;
	else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	         (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		stop_sending(session, frame->hd.stream_id);
	else if (frame->hd.type == NGHTTP2_SETTINGS && conn->state == CONN_STARTED &&
	         (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
		on_ready(conn);
	return 0;
}

/* --- wire ------------------------------------------------------------------------------------- */

static void make_session(struct grpc_conn *conn)
{
	nghttp2_option *option = h2_option_create();
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		UNREACHABLE("out of memory");
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_client_new2(&conn->session, callbacks, conn, option) != 0)
		UNREACHABLE("out of memory");
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	h2_session_start(conn->session, 0);
}

static void on_wire_open(struct wire *wire, void *arg)
{
	struct grpc_conn *conn = arg;
	struct err err;

	if (wire_tls(wire) != NULL && !str_is(tls_alpn(wire_tls(wire)), "h2")) {
		err_set(&err, ERR_PROTOCOL, "the server does not offer HTTP/2 (ALPN 'h2')");
		fail(conn, &err);
		return;
	}
	make_session(conn);
	conn->state = CONN_STARTED;
	conn->last_input_ms = loop_now_ms(conn->config.loop);
	list_for_each (it, &conn->streams) {
		struct grpc_stream *s = LIST_ENTRY(it, struct grpc_stream, link);

		if (!s->over)
			submit(s);
	}
	pump(conn);
}

static void on_wire_data(struct wire *wire, struct str data, void *arg)
{
	struct grpc_conn *conn = arg;
	struct err err;
	ssize_t n;

	(void)wire;
	conn->last_input_ms = loop_now_ms(conn->config.loop);
	conn->pinged = false;
	conn->busy = true;
	n = nghttp2_session_mem_recv(conn->session, (const uint8_t *)data.ptr, data.len);
	conn->busy = false;
	if (conn->state == CONN_CLOSED)
		return;
	if (n < 0) {
		err_set(&err, ERR_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)n));
		fail(conn, &err);
		return;
	}
	pump(conn);
}

static void on_wire_drain(struct wire *wire, void *arg)
{
	(void)wire;
	pump(arg);
}

static void on_wire_close(struct wire *wire, const struct err *why, void *arg)
{
	(void)wire;
	fail(arg, why);
}

static const struct wire_events wire_events = {
	.on_open = on_wire_open,
	.on_data = on_wire_data,
	.on_drain = on_wire_drain,
	.on_close = on_wire_close,
};

/* --- keepalive -------------------------------------------------------------------------------- */

static void keep_alive(struct grpc_conn *conn)
{
	int64_t silent_ms = loop_now_ms(conn->config.loop) - conn->last_input_ms;
	struct err err;

	if (conn->pinged) {
		err_set(&err, ERR_TIMEOUT, "no answer to a PING in %lld ms",
		        (long long)conn->config.ping_ms);
		fail(conn, &err);
	} else if (silent_ms < conn->config.keepalive_ms) {
		loop_timer_set(&conn->timer, conn->config.keepalive_ms - silent_ms);
	} else if (conn->n_streams == 0) {
		/* Servers punish pings without a call; TCP's keep-alive has to do. */
		loop_timer_set(&conn->timer, conn->config.keepalive_ms);
	} else {
		conn->pinged = true;
		nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
		loop_timer_set(&conn->timer, conn->config.ping_ms);
		pump(conn);
	}
}

static void on_timer(void *arg)
{
	struct grpc_conn *conn = arg;
	struct err err;

	if (conn->state == CONN_READY) {
		keep_alive(conn);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "no HTTP/2 from the server in %lld ms",
	        (long long)conn->config.open_ms);
	fail(conn, &err);
}

/* --- connection ------------------------------------------------------------------------------- */

static void set_defaults(struct grpc_conn_config *config)
{
	if (config->message_max == 0)
		config->message_max = GRPC_MESSAGE_MAX;
	if (config->queue_max == 0)
		config->queue_max = GRPC_QUEUE_MAX;
	if (config->open_ms <= 0)
		config->open_ms = OPEN_MS;
	if (config->keepalive_ms <= 0)
		config->keepalive_ms = GRPC_KEEPALIVE_MS;
	if (config->ping_ms <= 0)
		config->ping_ms = GRPC_PING_MS;
}

struct grpc_conn *grpc_conn_open(const struct grpc_conn_config *config, struct err *err)
{
	struct grpc_conn *conn = xcalloc(1, sizeof(*conn));
	char text[ADDR_TEXT_MAX];
	SSL *ssl = NULL;

	conn->config = *config;
	set_defaults(&conn->config);
	list_init(&conn->streams);
	if (config->tls != NULL)
		ssl = tls_client_open(config->tls, config->server_name, config->check_name);
	conn->wire = wire_connect(config->loop, &config->addr, ssl, &wire_events, conn, err);
	if (conn->wire == NULL) {
		free(conn);
		return NULL;
	}
	if (config->tls != NULL)
		tls_ctx_ref(config->tls);
	conn->authority = config->server_name != NULL
	                          ? xasprintf("%s:%u", config->server_name, config->addr.port)
	                          : xstrdup(addr_format(&config->addr, text));
	conn->config.server_name = NULL;
	wire_set_open_timeout(conn->wire, conn->config.open_ms);
	loop_timer_init(&conn->timer, config->loop, on_timer, conn);
	loop_timer_set(&conn->timer, conn->config.open_ms);
	return conn;
}

STACK_OF(X509) * grpc_conn_peer_chain(const struct grpc_conn *conn)
{
	bool open = conn->state == CONN_STARTED || conn->state == CONN_READY;

	return open && wire_tls(conn->wire) != NULL ? tls_peer_chain(wire_tls(conn->wire)) : NULL;
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
	if (s->conn->state == CONN_CLOSED)
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

	if (conn->going_away || conn->state == CONN_CLOSED) {
		end_later(s, GRPC_UNAVAILABLE, "the connection is closing");
	} else if (conn->state != CONN_OPENING) {
		submit(s);
		pump(conn);
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
	pump(s->conn);
}

void grpc_stream_cancel(struct grpc_stream *s)
{
	struct grpc_conn *conn;

	if (s == NULL || s->over)
		return;
	conn = s->conn;
	reset(s, NGHTTP2_CANCEL);
	bury_stream(s);
	pump(conn);
}

/* --- unary ------------------------------------------------------------------------------------ */

static void on_unary_message(struct grpc_stream *s, struct str message, void *arg)
{
	struct unary *unary = arg;

	if (unary->replied) {
		fail_stream(s, GRPC_INTERNAL, "a second message in a unary call");
		return;
	}
	unary->replied = true;
	buf_add_str(&unary->reply, message);
}

static void on_unary_close(struct grpc_stream *s, int status, const char *message, void *arg)
{
	struct unary *unary = arg;

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
	struct unary *unary = xcalloc(1, sizeof(*unary));

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
