/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange at a time. Requests that a client sends ahead wait in `ahead`, so that reading can
 * go on and a client that leaves is noticed while its answer is still being made.
 */
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "http1.h"

enum {
	AHEAD_MAX = 64 << 10,
	ANSWER_HEAD_MAX = 128 << 10
};

struct h1 {
	struct http1_parser parser;
	struct http_exchange *ex; /* the one that is not over; NULL between requests */
	struct buf ahead;
	bool running;
	bool ahead_full;
};

static void h1_init(struct http_conn *conn)
{
	struct h1 *h1 = xcalloc(1, sizeof(*h1));

	http1_parser_init(&h1->parser);
	buf_init(&h1->ahead, AHEAD_MAX);
	conn->proto = h1;
}

static void h1_fini(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;

	http1_parser_fini(&h1->parser);
	buf_fini(&h1->ahead);
	free(h1);
}

static void update_paused(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;

	wire_set_paused(conn->wire, h1->ahead_full || (h1->ex != NULL && h1->ex->paused));
}

/* --- answers ---------------------------------------------------------------------------------- */

static void write_head(struct http_conn *conn, const struct http1_answer *answer)
{
	struct buf CLEANUP(buf_fini) head;

	buf_init(&head, ANSWER_HEAD_MAX);
	http1_format_head(&head, answer);
	wire_write(conn->wire, buf_str(&head));
}

/* For bytes that never became an exchange. */
static void answer_bad(struct http_conn *conn, int status, const struct err *err)
{
	struct http_fields none = HTTP_FIELDS_EMPTY;
	struct buf CLEANUP(buf_fini) body;
	struct http1_answer answer = {
		.status = status,
		.fields = &none,
		.framing = HTTP1_LENGTH,
		.now_wall_s = clock_wall_s(),
	};

	buf_init(&body, 64 << 10);
	http_error_body(conn->server, err, &body, &answer.content_type);
	answer.body_len = body.len;
	write_head(conn, &answer);
	wire_write(conn->wire, buf_str(&body));
	http_conn_finish(conn);
}

static void h1_begin(struct http_exchange *ex, int status, const char *content_type,
                     const size_t *body_len)
{
	struct http1_answer answer = {
		.status = status,
		.content_type = content_type,
		.fields = &ex->answer_fields,
		.now_wall_s = clock_wall_s(),
	};

	if (status == 204 || status == 304)
		answer.framing = HTTP1_NO_BODY;
	else if (body_len != NULL)
		answer.framing = HTTP1_LENGTH;
	else
		answer.framing = ex->request.version == 0 ? HTTP1_UNTIL_CLOSE : HTTP1_CHUNKED;
	if (body_len != NULL)
		answer.body_len = *body_len;
	/* A client that still waits for 100-continue may send the body or not: no way to go on. */
	if (answer.framing == HTTP1_UNTIL_CLOSE || ex->conn->draining || ex->expects_continue)
		ex->keep_alive = false;
	answer.keep_alive = ex->keep_alive;
	ex->framing = (int)answer.framing;
	write_head(ex->conn, &answer);
}

static bool h1_write(struct http_exchange *ex, struct str data, size_t limit)
{
	struct wire *wire = ex->conn->wire;
	size_t queued = wire_queued(wire);
	char size[24];

	if (ex->framing == HTTP1_NO_BODY)
		return true;
	if (limit < queued || data.len > limit - queued)
		return false;
	if (ex->framing != HTTP1_CHUNKED)
		return wire_write(wire, data);
	snprintf(size, sizeof(size), "%zx\r\n", data.len);
	return wire_write(wire, str_from(size)) && wire_write(wire, data) &&
	       wire_write(wire, STR_LIT("\r\n"));
}

static size_t h1_queued(const struct http_exchange *ex)
{
	return wire_queued(ex->conn->wire);
}

static void h1_run(struct http_conn *conn, struct str input);

/* Both halves over: make room for the next request. */
static void try_complete(struct http_exchange *ex)
{
	struct http_conn *conn = ex->conn;
	struct h1 *h1 = conn->proto;

	if (ex->dead || ex->answer != HTTP_ANSWER_ENDED || (ex->keep_alive && !ex->body_ended))
		return;
	http_exchange_done(ex);
	h1->ex = NULL;
	if (!ex->keep_alive || conn->draining) {
		http_conn_finish(conn);
		return;
	}
	http_conn_wait(conn, HTTP_WAIT_IDLE);
	update_paused(conn);
	if (!h1->running && h1->ahead.len > 0)
		h1_run(conn, STR_NULL);
}

static void h1_end(struct http_exchange *ex, const struct http_fields *trailers)
{
	struct buf CLEANUP(buf_fini) last;

	buf_init(&last, ANSWER_HEAD_MAX);
	if (ex->framing == HTTP1_CHUNKED && !http_exchange_is_head(ex)) {
		buf_add_text(&last, "0\r\n");
		for (size_t i = 0; trailers != NULL && i < trailers->n; i++)
			buf_printf(&last, "%s: %s\r\n", trailers->v[i].name.ptr,
			           trailers->v[i].value.ptr);
		buf_add_text(&last, "\r\n");
		wire_write(ex->conn->wire, buf_str(&last));
	}
	try_complete(ex);
}

static void h1_reset(struct http_exchange *ex)
{
	struct err err;

	err_set(&err, ERR_IO, "the answer was broken off");
	http_conn_close(ex->conn, &err);
}

static void h1_set_paused(struct http_exchange *ex, bool paused)
{
	(void)paused;
	update_paused(ex->conn);
}

static void h1_want_body(struct http_exchange *ex)
{
	if (!ex->expects_continue || ex->answer != HTTP_ANSWER_NONE)
		return;
	ex->expects_continue = false;
	wire_write(ex->conn->wire, STR_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* --- requests --------------------------------------------------------------------------------- */

static void on_head(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;
	struct http_exchange *ex = http_exchange_create(conn);
	struct http1_head head;

	http1_take_head(&h1->parser, &head);
	ex->request = head.request;
	/* 0 stands for HTTP/1.0 until the answer's framing is chosen. */
	ex->request.version = head.is_1_0 ? 0 : 1;
	ex->texts = head.texts;
	ex->keep_alive = head.keep_alive;
	ex->expects_continue = head.expects_continue && (head.chunked || head.body_len > 0);
	h1->ex = ex;
	http_conn_wait(conn, HTTP_WAIT_NONE);
	http_exchange_on_head(ex);
}

static void on_bad(struct http_conn *conn, const struct err *err)
{
	struct h1 *h1 = conn->proto;
	struct http_exchange *ex = h1->ex;

	if (ex == NULL) {
		answer_bad(conn, err->code == ERR_TOO_LARGE ? 431 : 400, err);
		return;
	}
	ex->keep_alive = false;
	http_exchange_refuse(ex, err);
	if (!conn->closed && !ex->dead)
		http_conn_close(conn, err);
}

static void on_end(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;
	struct http_exchange *ex = h1->ex;

	ex->expects_continue = false;
	http_exchange_on_body(ex, STR_NULL, true);
	if (!conn->closed && !ex->dead)
		try_complete(ex);
}

/* False: this input is not to be read further. */
static bool run_event(struct http_conn *conn, struct str *input)
{
	struct h1 *h1 = conn->proto;
	struct str data = STR_NULL;
	struct err err;

	switch (http1_step(&h1->parser, input, &data, &err)) {
	case HTTP1_MORE:
		return false;
	case HTTP1_ON_HEAD:
		on_head(conn);
		return true;
	case HTTP1_ON_DATA:
		/* The body has begun, with or without our 100-continue. */
		h1->ex->expects_continue = false;
		http_exchange_on_body(h1->ex, data, false);
		return true;
	case HTTP1_ON_END:
		on_end(conn);
		return true;
	case HTTP1_BAD:
		on_bad(conn, &err);
		return false;
	}
	return false;
}

/* Is the present request whole, with its answer still to come? */
static bool must_wait(const struct h1 *h1)
{
	return h1->ex != NULL && h1->ex->body_ended;
}

static void run_input(struct http_conn *conn, struct str *input)
{
	struct h1 *h1 = conn->proto;

	while (!conn->closed && !conn->draining && !must_wait(h1)) {
		if (!run_event(conn, input))
			return;
	}
	/* A stop in the middle of a body still lets the request finish. */
	while (!conn->closed && conn->draining && h1->ex != NULL && !must_wait(h1)) {
		if (!run_event(conn, input))
			return;
	}
}

static void h1_run(struct http_conn *conn, struct str input)
{
	struct h1 *h1 = conn->proto;
	struct buf CLEANUP(buf_fini) ahead = h1->ahead;

	/* What waited comes first; what is left over waits again. */
	buf_init(&h1->ahead, AHEAD_MAX);
	h1->running = true;
	if (ahead.len > 0) {
		ahead.max += input.len;
		buf_add_str(&ahead, input);
		input = buf_str(&ahead);
	}
	run_input(conn, &input);
	h1->running = false;
	if (conn->closed)
		return;
	h1->ahead.max = input.len > AHEAD_MAX ? input.len : AHEAD_MAX;
	buf_add_str(&h1->ahead, input);
	h1->ahead_full = h1->ahead.len >= AHEAD_MAX;
	update_paused(conn);
	if (h1->ex == NULL && !conn->draining && http1_is_busy(&h1->parser))
		http_conn_wait(conn, HTTP_WAIT_HEAD);
}

static void h1_on_data(struct http_conn *conn, struct str data)
{
	struct h1 *h1 = conn->proto;

	if (must_wait(h1)) {
		h1->ahead.max = AHEAD_MAX + data.len;
		buf_add_str(&h1->ahead, data);
		h1->ahead_full = h1->ahead.len >= AHEAD_MAX;
		update_paused(conn);
		return;
	}
	h1_run(conn, data);
}

static void h1_on_drain(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;

	if (h1->ex != NULL)
		http_exchange_on_output(h1->ex);
}

static void h1_goaway(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;

	conn->draining = true;
	if (h1->ex == NULL)
		http_conn_finish(conn);
}

static void h1_on_head_timeout(struct http_conn *conn)
{
	struct h1 *h1 = conn->proto;
	struct err err;

	err_set(&err, ERR_TIMEOUT, "the request head did not come in time");
	if (http1_is_busy(&h1->parser))
		answer_bad(conn, 408, &err);
	else
		http_conn_close(conn, &err);
}

const struct http_codec http1_codec = {
	.init = h1_init,
	.fini = h1_fini,
	.on_data = h1_on_data,
	.on_drain = h1_on_drain,
	.goaway = h1_goaway,
	.on_head_timeout = h1_on_head_timeout,
	.begin = h1_begin,
	.write = h1_write,
	.queued = h1_queued,
	.end = h1_end,
	.reset = h1_reset,
	.set_paused = h1_set_paused,
	.want_body = h1_want_body,
};
