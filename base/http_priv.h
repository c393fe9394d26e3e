/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_priv - what the files of the HTTP server share. Private to base.
 *
 *   http_server ─▶ http_listener
 *        └──────▶ http_conn (wire + codec: http1_conn.c or h2_conn.c) ─▶ http_exchange
 *
 * http_exchange.c knows what an exchange is; a codec knows how its bytes look; http_server_io.c
 * owns listeners, connections and deadlines.
 */
#pragma once

#include "outq.h"

#include "base/http.h"
#include "base/list.h"
#include "base/wire.h"

struct http_conn;

/* What one version of the protocol does for its connection and exchanges. */
struct http_codec {
	/* Makes conn->proto. */
	void (*init)(struct http_conn *conn);
	void (*fini)(struct http_conn *conn);
	void (*on_data)(struct http_conn *conn, struct str data);
	void (*on_drain)(struct http_conn *conn);
	/* Tells the peer to open no more requests; the connection closes when the last is done. */
	void (*goaway)(struct http_conn *conn);
	/* No head came in time. */
	void (*on_head_timeout)(struct http_conn *conn);

	/* body_len: known length, or NULL for a streamed answer. */
	void (*begin)(struct http_exchange *ex, int status, const char *content_type,
	              const size_t *body_len);
	bool (*write)(struct http_exchange *ex, struct str data, size_t limit);
	size_t (*queued)(const struct http_exchange *ex);
	void (*end)(struct http_exchange *ex, const struct http_fields *trailers);
	void (*reset)(struct http_exchange *ex);
	void (*set_paused)(struct http_exchange *ex, bool paused);
	/* The handler wants the body (h1: 100-continue). */
	void (*want_body)(struct http_exchange *ex);
};

extern const struct http_codec http1_codec;
extern const struct http_codec h2_codec;

enum http_wait {
	HTTP_WAIT_NONE,
	HTTP_WAIT_HEAD,
	HTTP_WAIT_IDLE,
};

struct http_conn {
	struct http_server *server;
	struct list link; /* in server->conns */
	struct wire *wire;
	const struct http_codec *codec; /* NULL: the first bytes are still to decide */
	void *proto;
	struct buf first;
	struct list exchanges; /* http_exchange.link; dead ones leave when they are freed, so that
	                        * a walk may meet anything a handler does */
	size_t n_exchanges;    /* that are not dead */
	void *tag;
	enum http_wait wait;
	int64_t deadline_ms;
	bool draining; /* no more requests */
	bool closed;
};

struct http_server {
	struct http_server_config config;
	struct list listeners;
	struct list conns;
	size_t n_conns;
	struct loop_timer sweep;
	int64_t sweep_ms;
	int64_t stop_deadline_ms;
	bool stopping;
	bool destroyed;
	void (*on_stopped)(void *arg);
	void *stop_arg;
};

/* NONE ─▶ BEGUN ─▶ ENDED; ENDED means the handler has let go. */
enum http_answer_state {
	HTTP_ANSWER_NONE,
	HTTP_ANSWER_BEGUN,
	HTTP_ANSWER_ENDED,
};

enum http_body_mode {
	HTTP_BODY_HELD, /* the handler has not chosen: kept, and the sender is slowed down */
	HTTP_BODY_WHOLE,
	HTTP_BODY_STREAM,
	HTTP_BODY_DISCARD,
};

struct http_exchange {
	struct http_conn *conn;
	struct list link;
	struct http_request request;
	struct buf texts; /* what request's views point into */
	void *data;

	enum http_body_mode mode;
	struct buf body;
	size_t body_max;
	size_t discarded;
	bool body_ended;
	bool delivered; /* the handler has seen the end */
	http_body_cb on_body;
	http_data_cb on_data;
	void *read_arg;

	enum http_answer_state answer;
	struct http_fields answer_fields;
	http_gone_cb on_gone;
	void *gone_arg;
	http_drain_cb on_drain;
	void *drain_arg;
	bool drain_due;
	bool dead;           /* buried */
	int64_t deadline_ms; /* 0: none. Of a body awaited, or of an answer to be taken */

	/* For the codecs. */
	int framing;     /* h1: enum http1_framing */
	bool keep_alive; /* h1 */
	bool expects_continue;
	int32_t stream_id; /* h2 */
	struct outq out;   /* h2 */
	bool out_ended;
	bool deferred; /* h2: nghttp2 waits for output */
	bool moved;    /* h2: output was taken since the last look */
	bool bad_head; /* h2: a limit of the header section was passed */
	struct http_fields pseudo;
	struct http_fields trailers;
	size_t unconsumed; /* h2: window not yet given back */
	bool paused;
};

/* --- http_exchange.c, for codecs -------------------------------------------------------------- */

struct http_exchange *http_exchange_create(struct http_conn *conn);
/* The head is in place: asks the handler. */
void http_exchange_on_head(struct http_exchange *ex);
/* Body bytes, and the end of the request. */
void http_exchange_on_body(struct http_exchange *ex, struct str data, bool is_end);
/* Output has moved. */
void http_exchange_on_output(struct http_exchange *ex);
/* The peer is gone: tells the handler if it still holds on, then buries. */
void http_exchange_gone(struct http_exchange *ex, const struct err *why);
/* Answer sent: buries. */
void http_exchange_done(struct http_exchange *ex);
/* Tells the handler why, and answers with err when nothing was begun. */
void http_exchange_refuse(struct http_exchange *ex, const struct err *err);
void http_exchange_check_deadline(struct http_exchange *ex, int64_t now_ms);
/* Body of an answer of the server's own. */
void http_error_body(const struct http_server *server, const struct err *err, struct buf *body,
                     const char **content_type);
/* http_exchange_write of two pieces as one, with another limit. */
MUST_CHECK
bool http_exchange_write2(struct http_exchange *ex, struct str first, struct str second,
                          size_t limit);
bool http_exchange_is_head(const struct http_exchange *ex);

/* --- http_server_io.c, for codecs ------------------------------------------------------------- */

void http_conn_wait(struct http_conn *conn, enum http_wait wait);
/* Closes at once; exchanges are told why. */
void http_conn_close(struct http_conn *conn, const struct err *why);
/* Closes after the queued output. */
void http_conn_finish(struct http_conn *conn);
