/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_client_priv - what grpc_conn.c (a connection) and grpc_stream.c (its calls) share. Private
 * to base.
 */
#pragma once

#include "grpc_frame.h"

#include "base/grpc.h"
#include "base/list.h"
#include "base/wire.h"
#include "h2.h"

/* OPENING ─▶ STARTED (frames may be made) ─▶ READY (SETTINGS came) ─▶ CLOSED */
enum grpc_conn_state {
	GRPC_CONN_OPENING,
	GRPC_CONN_STARTED,
	GRPC_CONN_READY,
	GRPC_CONN_CLOSED,
};

struct grpc_conn {
	struct grpc_conn_config config;
	enum grpc_conn_state state;
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
struct grpc_unary_state {
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
	struct grpc_unary_state *unary;
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

/* --- grpc_stream.c, for the connection -------------------------------------------------------- */

/* Tells the owner and frees at the end of the turn. */
void grpc_stream_end(struct grpc_stream *stream, int status, const char *message);
/* Gives a waiting stream to nghttp2. */
void grpc_stream_submit(struct grpc_stream *stream);
/* The server's side has ended. */
void grpc_stream_stop_sending(nghttp2_session *session, int32_t id);
/* nghttp2's callbacks that belong to streams. */
void grpc_stream_set_callbacks(nghttp2_session_callbacks *callbacks);

/* --- grpc_conn.c, for streams ----------------------------------------------------------------- */

/* Sends what there is, unless inside nghttp2. */
void grpc_conn_pump(struct grpc_conn *conn);
