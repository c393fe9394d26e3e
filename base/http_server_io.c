/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sweep a second (oftener when the limits are shorter) looks at the deadlines of all
 * connections, so that a busy connection sets and clears no timers.
 */
#include "http_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/net.h"

enum {
	ACCEPTS_PER_TURN = 64,
	ACCEPT_REST_MS = 100, /* after running out of descriptors */
	SWEEP_MAX_MS = 1000,
	SWEEP_MIN_MS = 10
};

static const struct str h2_preface = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

struct http_listener {
	struct http_server *server;
	struct list link;
	int fd;
	struct tls_ctx *tls;
	struct loop_io io;
	struct loop_timer rest;
};

/* --- connections ------------------------------------------------------------------------------ */

void http_conn_wait(struct http_conn *conn, enum http_wait wait)
{
	const struct http_server_config *config = &conn->server->config;
	int64_t now_ms = loop_now_ms(config->loop);

	/* The head's deadline counts from its first byte, however slowly the others follow. */
	if (conn->wait == wait && wait == HTTP_WAIT_HEAD)
		return;
	conn->wait = wait;
	switch (wait) {
	case HTTP_WAIT_NONE:
		conn->deadline_ms = INT64_MAX;
		break;
	case HTTP_WAIT_HEAD:
		conn->deadline_ms = now_ms + config->header_ms;
		break;
	case HTTP_WAIT_IDLE:
		conn->deadline_ms = now_ms + config->idle_ms;
		break;
	}
}

static void free_conn(void *arg)
{
	struct http_conn *conn = arg;

	list_remove(&conn->link);
	if (conn->codec != NULL)
		conn->codec->fini(conn);
	buf_fini(&conn->first);
	free(conn);
}

static void forget_conn(struct http_conn *conn, const struct err *why)
{
	struct http_server *server = conn->server;

	conn->closed = true;
	server->n_conns--;
	list_for_each (it, &conn->exchanges)
		http_exchange_gone(LIST_ENTRY(it, struct http_exchange, link), why);
	loop_bury(server->config.loop, free_conn, conn);
	if (server->stopping && server->n_conns == 0)
		loop_timer_set(&server->sweep, 0);
}

void http_conn_close(struct http_conn *conn, const struct err *why)
{
	if (conn->closed)
		return;
	wire_close(conn->wire);
	forget_conn(conn, why);
}

void http_conn_finish(struct http_conn *conn)
{
	conn->draining = true;
	http_conn_wait(conn, HTTP_WAIT_NONE);
	wire_finish(conn->wire);
}

static void set_codec(struct http_conn *conn, const struct http_codec *codec)
{
	conn->codec = codec;
	codec->init(conn);
}

static void on_wire_open(struct wire *wire, void *arg)
{
	struct http_conn *conn = arg;

	if (wire_tls(wire) != NULL)
		set_codec(conn, str_is(tls_alpn(wire_tls(wire)), "h2") ? &h2_codec : &http1_codec);
	http_conn_wait(conn, HTTP_WAIT_HEAD);
}

/* A plain connection tells its version by its first bytes: the preface of HTTP/2, or not. */
static void detect(struct http_conn *conn, struct str data)
{
	struct str first;
	size_t n;

	buf_add_str(&conn->first, data);
	first = buf_str(&conn->first);
	n = first.len < h2_preface.len ? first.len : h2_preface.len;
	if (memcmp(first.ptr, h2_preface.ptr, n) == 0) {
		if (n < h2_preface.len)
			return;
		set_codec(conn, &h2_codec);
	} else {
		set_codec(conn, &http1_codec);
	}
	conn->codec->on_data(conn, first);
	buf_fini(&conn->first);
}

static void on_wire_data(struct wire *wire, struct str data, void *arg)
{
	struct http_conn *conn = arg;

	(void)wire;
	if (conn->codec != NULL)
		conn->codec->on_data(conn, data);
	else
		detect(conn, data);
}

static void on_wire_drain(struct wire *wire, void *arg)
{
	struct http_conn *conn = arg;

	(void)wire;
	if (conn->codec != NULL)
		conn->codec->on_drain(conn);
}

static void on_wire_close(struct wire *wire, const struct err *why, void *arg)
{
	struct http_conn *conn = arg;

	(void)wire;
	if (conn->codec == NULL && why->code != ERR_IO)
		log_debug(conn->server->config.name, "connection refused: %s", why->msg);
	if (!conn->closed)
		forget_conn(conn, why);
}

static const struct wire_events wire_events = {
	.on_open = on_wire_open,
	.on_data = on_wire_data,
	.on_drain = on_wire_drain,
	.on_close = on_wire_close,
};

static void add_conn(struct http_server *server, int fd, struct tls_ctx *tls, void *tag)
{
	struct http_conn *conn = xcalloc(1, sizeof(*conn));

	conn->server = server;
	conn->tag = tag;
	list_init(&conn->exchanges);
	list_init(&conn->link);
	list_append(&server->conns, &conn->link);
	server->n_conns++;
	buf_init(&conn->first, 64 << 10);
	conn->wire = wire_accept(server->config.loop, fd, tls != NULL ? tls_server_open(tls) : NULL,
	                         &wire_events, conn);
	wire_set_open_timeout(conn->wire, server->config.header_ms);
	http_conn_wait(conn, HTTP_WAIT_NONE);
}

void http_server_adopt(struct http_server *server, int fd, void *tag)
{
	if (server->stopping)
		close(fd);
	else
		add_conn(server, fd, NULL, tag);
}

/* --- listeners -------------------------------------------------------------------------------- */

static void rest_listener(struct http_listener *listener)
{
	static struct log_limit limit;

	if (log_limit_pass(&limit, loop_now_ms(listener->server->config.loop), 1))
		log_warn(listener->server->config.name, "accept: %s", strerror(errno));
	loop_io_set(&listener->io, 0);
	loop_timer_set(&listener->rest, ACCEPT_REST_MS);
}

static void on_accept(unsigned ready, void *arg)
{
	struct http_listener *listener = arg;
	struct http_server *server = listener->server;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			    errno == ENOBUFS)
				rest_listener(listener);
			return;
		}
		if (server->n_conns >= server->config.connections_max) {
			static struct log_limit limit;

			if (log_limit_pass(&limit, loop_now_ms(server->config.loop), 1))
				log_warn(server->config.name, "connection refused: %zu are open",
				         server->n_conns);
			close(fd);
			continue;
		}
		add_conn(server, fd, listener->tls, NULL);
	}
}

static void on_rested(void *arg)
{
	struct http_listener *listener = arg;

	loop_io_set(&listener->io, LOOP_READ);
}

struct http_listener *http_server_listen(struct http_server *server, int fd, struct tls_ctx *tls)
{
	struct http_listener *listener = xcalloc(1, sizeof(*listener));

	listener->server = server;
	listener->fd = fd;
	listener->tls = tls != NULL ? tls_ctx_ref(tls) : NULL;
	list_init(&listener->link);
	list_append(&server->listeners, &listener->link);
	loop_io_init(&listener->io, server->config.loop, fd, on_accept, listener);
	loop_timer_init(&listener->rest, server->config.loop, on_rested, listener);
	loop_io_set(&listener->io, LOOP_READ);
	return listener;
}

void http_listener_set_tls(struct http_listener *listener, struct tls_ctx *tls)
{
	struct tls_ctx *old = listener->tls;

	listener->tls = tls != NULL ? tls_ctx_ref(tls) : NULL;
	tls_ctx_unref(old);
}

static void close_listeners(struct http_server *server)
{
	list_for_each_safe (it, &server->listeners) {
		struct http_listener *listener = LIST_ENTRY(it, struct http_listener, link);

		list_remove(&listener->link);
		loop_io_fini(&listener->io);
		loop_timer_fini(&listener->rest);
		close(listener->fd);
		tls_ctx_unref(listener->tls);
		free(listener);
	}
}

/* --- deadlines and stop ----------------------------------------------------------------------- */

static void close_all(struct http_server *server, const struct err *why)
{
	list_for_each (it, &server->conns)
		http_conn_close(LIST_ENTRY(it, struct http_conn, link), why);
}

static void check_conn(struct http_conn *conn, int64_t now_ms)
{
	struct err err;

	list_for_each_safe (it, &conn->exchanges) {
		/* A refusal can end the connection, and with it the list. */
		http_exchange_check_deadline(LIST_ENTRY(it, struct http_exchange, link), now_ms);
		if (conn->closed)
			return;
	}
	if (now_ms < conn->deadline_ms)
		return;
	if (conn->wait == HTTP_WAIT_HEAD && conn->codec != NULL) {
		http_conn_wait(conn, HTTP_WAIT_NONE);
		conn->codec->on_head_timeout(conn);
	} else if (conn->wait == HTTP_WAIT_IDLE) {
		http_conn_wait(conn, HTTP_WAIT_NONE);
		conn->codec->goaway(conn);
	} else {
		err_set(&err, ERR_TIMEOUT, "no request came in time");
		http_conn_close(conn, &err);
	}
}

static void finish_stop(struct http_server *server)
{
	void (*on_stopped)(void *arg) = server->on_stopped;

	loop_timer_cancel(&server->sweep);
	server->on_stopped = NULL;
	if (on_stopped != NULL)
		on_stopped(server->stop_arg);
}

static void on_sweep(void *arg)
{
	struct http_server *server = arg;
	int64_t now_ms = loop_now_ms(server->config.loop);
	struct err err;

	list_for_each_safe (it, &server->conns)
		check_conn(LIST_ENTRY(it, struct http_conn, link), now_ms);
	/* A handler may have destroyed the server; its memory stays until the end of the turn. */
	if (server->destroyed)
		return;
	if (server->stopping && now_ms >= server->stop_deadline_ms) {
		err_set(&err, ERR_UNAVAILABLE, "the server stops");
		close_all(server, &err);
	}
	if (server->destroyed)
		return;
	if (server->stopping && server->n_conns == 0)
		finish_stop(server);
	else
		loop_timer_set(&server->sweep, server->sweep_ms);
}

void http_server_stop(struct http_server *server, int64_t grace_ms, void (*on_stopped)(void *arg),
                      void *arg)
{
	struct err err;

	if (server->stopping)
		return;
	server->stopping = true;
	server->on_stopped = on_stopped;
	server->stop_arg = arg;
	server->stop_deadline_ms = loop_now_ms(server->config.loop) + grace_ms;
	close_listeners(server);
	err_set(&err, ERR_UNAVAILABLE, "the server stops");
	list_for_each_safe (it, &server->conns) {
		struct http_conn *conn = LIST_ENTRY(it, struct http_conn, link);

		if (conn->codec == NULL)
			http_conn_close(conn, &err);
		else
			conn->codec->goaway(conn);
	}
	loop_timer_set(&server->sweep, 0);
}

size_t http_server_connections(const struct http_server *server)
{
	return server->n_conns;
}

/* --- life ------------------------------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t dflt)
{
	return value > 0 ? value : dflt;
}

static void set_defaults(struct http_server_config *config)
{
	config->header_ms = or_default(config->header_ms, HTTP_HEADER_MS);
	config->idle_ms = or_default(config->idle_ms, HTTP_IDLE_MS);
	config->body_ms = or_default(config->body_ms, HTTP_BODY_MS);
	if (config->connections_max == 0)
		config->connections_max = HTTP_CONNECTIONS_MAX;
	if (config->streams_max == 0)
		config->streams_max = HTTP_STREAMS_MAX;
	if (config->queue_max == 0)
		config->queue_max = HTTP_QUEUE_MAX;
}

static int64_t sweep_interval(const struct http_server_config *config)
{
	int64_t ms = config->header_ms < config->idle_ms ? config->header_ms : config->idle_ms;

	ms = (ms < config->body_ms ? ms : config->body_ms) / 4;
	if (ms < SWEEP_MIN_MS)
		return SWEEP_MIN_MS;
	return ms < SWEEP_MAX_MS ? ms : SWEEP_MAX_MS;
}

struct http_server *http_server_create(const struct http_server_config *config)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	server->config = *config;
	set_defaults(&server->config);
	list_init(&server->listeners);
	list_init(&server->conns);
	server->sweep_ms = sweep_interval(&server->config);
	loop_timer_init(&server->sweep, config->loop, on_sweep, server);
	loop_timer_set(&server->sweep, server->sweep_ms);
	return server;
}

static void free_server(void *arg)
{
	free(arg);
}

void http_server_destroy(struct http_server *server)
{
	struct err err;

	if (server == NULL || server->destroyed)
		return;
	server->stopping = true;
	server->on_stopped = NULL;
	close_listeners(server);
	err_set(&err, ERR_UNAVAILABLE, "the server stops");
	close_all(server, &err);
	server->destroyed = true;
	loop_timer_fini(&server->sweep);
	/* Behind its connections, which look at it when they are freed. */
	loop_bury(server->config.loop, free_server, server);
}
