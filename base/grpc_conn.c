/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As on the server's side, frames are made after input and after writes, never inside nghttp2's
 * callbacks.
 */
#include "grpc_client_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"

enum {
	OPEN_MS = 10000
};

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
	conn->state = GRPC_CONN_CLOSED;
	wire_close(conn->wire);
	loop_timer_fini(&conn->timer);
	list_for_each (it, &conn->streams)
		grpc_stream_end(LIST_ENTRY(it, struct grpc_stream, link), status, message);
	tls_ctx_unref(conn->config.tls);
	loop_bury(conn->config.loop, bury_conn, conn);
}

static void fail(struct grpc_conn *conn, const struct err *why)
{
	if (conn->state == GRPC_CONN_CLOSED)
		return;
	shut(conn, GRPC_UNAVAILABLE, why->msg);
	if (conn->config.on_close != NULL)
		conn->config.on_close(conn, why, conn->config.arg);
}

void grpc_conn_close(struct grpc_conn *conn)
{
	if (conn != NULL && conn->state != GRPC_CONN_CLOSED)
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
		if (conn->state == GRPC_CONN_CLOSED)
			return;
	}
}

void grpc_conn_pump(struct grpc_conn *conn)
{
	struct err err;
	bool ok;

	if (conn->busy || (conn->state != GRPC_CONN_STARTED && conn->state != GRPC_CONN_READY))
		return;
	conn->busy = true;
	ok = h2_pump(conn->session, conn->wire, &err);
	conn->busy = false;
	if (conn->state == GRPC_CONN_CLOSED)
		return;
	if (!ok) {
		fail(conn, &err);
		return;
	}
	look_at_drains(conn);
	if (conn->state == GRPC_CONN_CLOSED || conn->n_streams > 0)
		return;
	if (conn->going_away || !nghttp2_session_want_read(conn->session)) {
		err_set(&err, ERR_UNAVAILABLE, "the server goes away");
		fail(conn, &err);
	}
}

static void on_ready(struct grpc_conn *conn)
{
	conn->state = GRPC_CONN_READY;
	loop_timer_set(&conn->timer, conn->config.keepalive_ms);
	if (conn->config.on_open != NULL)
		conn->config.on_open(conn, conn->config.arg);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_conn *conn = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		conn->going_away = true;
	else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	         (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		grpc_stream_stop_sending(session, frame->hd.stream_id);
	else if (frame->hd.type == NGHTTP2_SETTINGS && conn->state == GRPC_CONN_STARTED &&
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
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	grpc_stream_set_callbacks(callbacks);
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
	conn->state = GRPC_CONN_STARTED;
	conn->last_input_ms = loop_now_ms(conn->config.loop);
	list_for_each (it, &conn->streams) {
		struct grpc_stream *s = LIST_ENTRY(it, struct grpc_stream, link);

		if (!s->over)
			grpc_stream_submit(s);
	}
	grpc_conn_pump(conn);
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
	if (conn->state == GRPC_CONN_CLOSED)
		return;
	if (n < 0) {
		err_set(&err, ERR_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)n));
		fail(conn, &err);
		return;
	}
	grpc_conn_pump(conn);
}

static void on_wire_drain(struct wire *wire, void *arg)
{
	(void)wire;
	grpc_conn_pump(arg);
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
		grpc_conn_pump(conn);
	}
}

static void on_timer(void *arg)
{
	struct grpc_conn *conn = arg;
	struct err err;

	if (conn->state == GRPC_CONN_READY) {
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
	bool open = conn->state == GRPC_CONN_STARTED || conn->state == GRPC_CONN_READY;

	return open && wire_tls(conn->wire) != NULL ? tls_peer_chain(wire_tls(conn->wire)) : NULL;
}
