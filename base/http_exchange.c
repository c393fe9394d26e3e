/* SPDX-License-Identifier: Apache-2.0 */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"

enum {
	HELD_MAX = 256 << 10, /* body that came before the handler had chosen */
	ERROR_BODY_MAX = 64 << 10
};

/* --- life ------------------------------------------------------------------------------------- */

struct http_exchange *http_exchange_create(struct http_conn *conn)
{
	struct http_exchange *ex = xcalloc(1, sizeof(*ex));

	ex->conn = conn;
	list_init(&ex->link);
	list_append(&conn->exchanges, &ex->link);
	conn->n_exchanges++;
	buf_init(&ex->body, HELD_MAX);
	buf_init(&ex->texts, HTTP_FIELDS_BYTES_MAX);
	outq_init(&ex->out, WIRE_QUEUE_MAX);
	return ex;
}

static void free_exchange(void *arg)
{
	struct http_exchange *ex = arg;

	list_remove(&ex->link);
	http_fields_fini(&ex->request.fields);
	http_fields_fini(&ex->pseudo);
	http_fields_fini(&ex->answer_fields);
	http_fields_fini(&ex->trailers);
	buf_fini(&ex->texts);
	buf_fini(&ex->body);
	outq_fini(&ex->out);
	free(ex);
}

static void bury(struct http_exchange *ex)
{
	ex->dead = true;
	ex->conn->n_exchanges--;
	loop_bury(ex->conn->server->config.loop, free_exchange, ex);
}

void http_exchange_done(struct http_exchange *ex)
{
	if (ex->dead)
		return;
	ex->answer = HTTP_ANSWER_ENDED;
	bury(ex);
}

static void tell_gone(struct http_exchange *ex, const struct err *why)
{
	http_gone_cb on_gone = ex->on_gone;

	ex->on_gone = NULL;
	if (on_gone != NULL && ex->answer != HTTP_ANSWER_ENDED)
		on_gone(ex, why, ex->gone_arg);
}

void http_exchange_gone(struct http_exchange *ex, const struct err *why)
{
	if (ex->dead)
		return;
	bury(ex);
	tell_gone(ex, why);
	ex->answer = HTTP_ANSWER_ENDED;
}

static void reply_status(struct http_exchange *ex, int status, const struct err *err)
{
	struct buf CLEANUP(buf_fini) body;
	const char *content_type;

	buf_init(&body, ERROR_BODY_MAX);
	http_error_body(ex->conn->server, err, &body, &content_type);
	http_exchange_reply(ex, status, content_type, buf_str(&body));
}

static void refuse(struct http_exchange *ex, int status, const struct err *err)
{
	bool begun = ex->answer != HTTP_ANSWER_NONE;

	tell_gone(ex, err);
	if (ex->answer == HTTP_ANSWER_ENDED)
		return;
	ex->mode = HTTP_BODY_DISCARD;
	if (begun)
		http_exchange_reset(ex);
	else
		reply_status(ex, status, err);
}

void http_exchange_refuse(struct http_exchange *ex, const struct err *err)
{
	refuse(ex, err_http_status(err->code), err);
}

void http_error_body(const struct http_server *server, const struct err *err, struct buf *body,
                     const char **content_type)
{
	*content_type = "text/plain; charset=utf-8";
	if (server->config.on_error != NULL)
		server->config.on_error(err, body, content_type);
	else
		buf_printf(body, "%s\n", err->msg);
}

/* --- the request ------------------------------------------------------------------------------ */

const struct http_request *http_exchange_request(const struct http_exchange *ex)
{
	return &ex->request;
}

const struct addr *http_exchange_peer(const struct http_exchange *ex)
{
	return wire_peer(ex->conn->wire);
}

bool http_exchange_is_tls(const struct http_exchange *ex)
{
	return wire_tls(ex->conn->wire) != NULL;
}

STACK_OF(X509) * http_exchange_peer_chain(const struct http_exchange *ex)
{
	SSL *ssl = wire_tls(ex->conn->wire);

	return ssl != NULL ? tls_peer_chain(ssl) : NULL;
}

void *http_exchange_tag(const struct http_exchange *ex)
{
	return ex->conn->tag;
}

bool http_exchange_is_head(const struct http_exchange *ex)
{
	return str_is(ex->request.method, "HEAD");
}

static void renew_deadline(struct http_exchange *ex)
{
	const struct http_server *server = ex->conn->server;
	bool awaits_body = ex->mode == HTTP_BODY_WHOLE && !ex->delivered;
	bool awaits_peer = ex->answer == HTTP_ANSWER_ENDED &&
	                   (!ex->body_ended || ex->conn->codec->queued(ex) > 0);

	ex->deadline_ms = awaits_body || awaits_peer
	                          ? loop_now_ms(server->config.loop) + server->config.body_ms
	                          : 0;
}

static void set_paused(struct http_exchange *ex, bool paused)
{
	if (ex->paused == paused || ex->dead)
		return;
	ex->paused = paused;
	ex->conn->codec->set_paused(ex, paused);
}

void http_exchange_on_head(struct http_exchange *ex)
{
	struct http_server *server = ex->conn->server;

	server->config.on_request(ex, server->config.arg);
}

static void refuse_body(struct http_exchange *ex, size_t max)
{
	struct err err;

	err_set(&err, ERR_TOO_LARGE, "the request body is over %zu bytes", max);
	http_exchange_refuse(ex, &err);
}

static void deliver_whole(struct http_exchange *ex)
{
	renew_deadline(ex);
	if (!ex->body_ended || ex->delivered)
		return;
	ex->delivered = true;
	ex->deadline_ms = 0;
	ex->on_body(ex, buf_str(&ex->body), ex->read_arg);
}

static void discard(struct http_exchange *ex, size_t n)
{
	ex->discarded += n;
	if (ex->discarded > HTTP_BODY_DISCARD_MAX && !ex->body_ended)
		ex->conn->codec->reset(ex);
}

void http_exchange_on_body(struct http_exchange *ex, struct str data, bool is_end)
{
	if (ex->dead)
		return;
	ex->body_ended = ex->body_ended || is_end;
	switch (ex->mode) {
	case HTTP_BODY_HELD:
		if (!buf_add_str(&ex->body, data)) {
			refuse_body(ex, HELD_MAX);
			return;
		}
		if (!is_end)
			set_paused(ex, true);
		return;
	case HTTP_BODY_WHOLE:
		if (!buf_add_str(&ex->body, data))
			refuse_body(ex, ex->body_max);
		else
			deliver_whole(ex);
		return;
	case HTTP_BODY_STREAM:
		ex->delivered = ex->delivered || is_end;
		ex->on_data(ex, data, is_end, ex->read_arg);
		return;
	case HTTP_BODY_DISCARD:
		discard(ex, data.len);
		return;
	}
}

void http_exchange_read_whole(struct http_exchange *ex, size_t max, http_body_cb cb, void *arg)
{
	if (ex->dead || ex->mode != HTTP_BODY_HELD)
		return;
	ex->mode = HTTP_BODY_WHOLE;
	ex->on_body = cb;
	ex->read_arg = arg;
	ex->body_max = max;
	if (ex->body.len > max) {
		refuse_body(ex, max);
		return;
	}
	ex->body.max = max;
	if (!ex->body_ended)
		ex->conn->codec->want_body(ex);
	set_paused(ex, false);
	deliver_whole(ex);
}

void http_exchange_read_stream(struct http_exchange *ex, http_data_cb cb, void *arg)
{
	struct buf CLEANUP(buf_fini) held = {0};

	if (ex->dead || ex->mode != HTTP_BODY_HELD)
		return;
	ex->mode = HTTP_BODY_STREAM;
	ex->on_data = cb;
	ex->read_arg = arg;
	if (!ex->body_ended)
		ex->conn->codec->want_body(ex);
	held = ex->body;
	buf_init(&ex->body, HELD_MAX);
	set_paused(ex, false);
	if (held.len > 0 || ex->body_ended) {
		ex->delivered = ex->body_ended;
		cb(ex, buf_str(&held), ex->body_ended, arg);
	}
}

void http_exchange_set_paused(struct http_exchange *ex, bool paused)
{
	if (ex->mode == HTTP_BODY_STREAM)
		set_paused(ex, paused);
}

/* --- the answer ------------------------------------------------------------------------------- */

void http_exchange_on_gone(struct http_exchange *ex, http_gone_cb cb, void *arg)
{
	ex->on_gone = cb;
	ex->gone_arg = arg;
}

void http_exchange_on_drain(struct http_exchange *ex, http_drain_cb cb, void *arg)
{
	ex->on_drain = cb;
	ex->drain_arg = arg;
}

bool http_exchange_add_field(struct http_exchange *ex, const char *name, const char *value)
{
	return http_fields_add_text(&ex->answer_fields, name, value);
}

static void begin(struct http_exchange *ex, int status, const char *content_type,
                  const size_t *body_len)
{
	ex->answer = HTTP_ANSWER_BEGUN;
	ex->conn->codec->begin(ex, status, content_type, body_len);
}

void http_exchange_begin(struct http_exchange *ex, int status, const char *content_type)
{
	if (!ex->dead && ex->answer == HTTP_ANSWER_NONE)
		begin(ex, status, content_type, NULL);
}

static bool write_limited(struct http_exchange *ex, struct str data, size_t limit)
{
	if (ex->dead || ex->answer != HTTP_ANSWER_BEGUN)
		return false;
	if (data.len == 0 || http_exchange_is_head(ex))
		return true;
	if (!ex->conn->codec->write(ex, data, limit))
		return false;
	ex->drain_due = true;
	return true;
}

bool http_exchange_write(struct http_exchange *ex, struct str data)
{
	return write_limited(ex, data, ex->conn->server->config.queue_max);
}

bool http_exchange_write2(struct http_exchange *ex, struct str first, struct str second,
                          size_t limit)
{
	struct buf CLEANUP(buf_fini) joined;

	buf_init(&joined, limit);
	return buf_add_str(&joined, first) && buf_add_str(&joined, second) &&
	       write_limited(ex, buf_str(&joined), limit);
}

size_t http_exchange_queued(const struct http_exchange *ex)
{
	return ex->dead ? 0 : ex->conn->codec->queued(ex);
}

void http_exchange_on_output(struct http_exchange *ex)
{
	size_t queued = ex->conn->codec->queued(ex);

	if (ex->deadline_ms != 0)
		renew_deadline(ex);
	if (!ex->drain_due || queued > ex->conn->server->config.queue_max / 4)
		return;
	ex->drain_due = false;
	if (ex->on_drain != NULL && ex->answer == HTTP_ANSWER_BEGUN)
		ex->on_drain(ex, ex->drain_arg);
}

/* The handler lets go. What still comes of the body is thrown away. */
static void let_go(struct http_exchange *ex)
{
	ex->answer = HTTP_ANSWER_ENDED;
	ex->on_gone = NULL;
	ex->mode = HTTP_BODY_DISCARD;
	renew_deadline(ex);
	set_paused(ex, false);
}

void http_exchange_end(struct http_exchange *ex, const struct http_fields *trailers)
{
	if (ex->dead || ex->answer != HTTP_ANSWER_BEGUN)
		return;
	let_go(ex);
	ex->conn->codec->end(ex, trailers);
}

void http_exchange_reply(struct http_exchange *ex, int status, const char *content_type,
                         struct str body)
{
	if (ex->dead || ex->answer != HTTP_ANSWER_NONE)
		return;
	begin(ex, status, content_type, &body.len);
	if (ex->dead)
		return;
	if (body.len > 0 && !http_exchange_is_head(ex) &&
	    !ex->conn->codec->write(ex, body, SIZE_MAX)) {
		http_exchange_reset(ex);
		return;
	}
	http_exchange_end(ex, NULL);
}

void http_exchange_reply_err(struct http_exchange *ex, const struct err *err)
{
	reply_status(ex, err_http_status(err->code), err);
}

void http_exchange_reset(struct http_exchange *ex)
{
	if (ex->dead || ex->answer == HTTP_ANSWER_ENDED)
		return;
	let_go(ex);
	ex->conn->codec->reset(ex);
}

void http_exchange_check_deadline(struct http_exchange *ex, int64_t now_ms)
{
	struct err err;

	if (ex->dead || ex->deadline_ms == 0 || now_ms < ex->deadline_ms)
		return;
	ex->deadline_ms = 0;
	if (ex->answer == HTTP_ANSWER_ENDED) {
		ex->conn->codec->reset(ex);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "the request body stopped coming");
	refuse(ex, 408, &err);
}

void http_exchange_set_data(struct http_exchange *ex, void *data)
{
	ex->data = data;
}

void *http_exchange_data(const struct http_exchange *ex)
{
	return ex->data;
}

/* --- status ----------------------------------------------------------------------------------- */

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{100, "Continue"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "";
}
