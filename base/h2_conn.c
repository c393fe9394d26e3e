/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream is an exchange, from its HEADERS to on_stream_close; only a lost connection ends an
 * exchange earlier. Frames are made (pump) after input was read and after a handler wrote, never
 * inside one of nghttp2's callbacks.
 */
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "h2.h"

struct h2 {
	nghttp2_session *session;
	bool busy;  /* inside mem_recv or mem_send */
	bool moved; /* some exchange's output has moved */
};

static void pump(struct http_conn *conn);

/* --- input ------------------------------------------------------------------------------------ */

static struct http_exchange *find(nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_conn *conn = arg;
	struct http_exchange *ex;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (conn->closed || conn->draining) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
		                          NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	ex = http_exchange_create(conn);
	ex->stream_id = frame->hd.stream_id;
	ex->request.version = 2;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, ex);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
	struct http_exchange *ex = find(session, frame->hd.stream_id);
	struct str n = str_make((const char *)name, name_len);
	struct str v = str_make((const char *)value, value_len);
	bool added;

	(void)flags, (void)arg;
	/* Trailers of a request mean nothing here. */
	if (ex == NULL || ex->dead || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (n.len > 0 && n.ptr[0] == ':')
		added = http_fields_add(&ex->pseudo, str_make(n.ptr + 1, n.len - 1), v);
	else
		added = http_fields_add(&ex->request.fields, n, v);
	if (!added || ex->pseudo.bytes + ex->request.fields.bytes > HTTP_FIELDS_BYTES_MAX)
		ex->bad_head = true;
	return 0;
}

static bool is_path(struct str path)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f || path.ptr[i] == '#')
			return false;
	}
	return path.len > 0 && path.ptr[0] == '/';
}

static bool fill_request(struct http_exchange *ex)
{
	struct http_request *request = &ex->request;
	struct str path = str_from(http_fields_find(&ex->pseudo, "path"));
	const char *authority = http_fields_find(&ex->pseudo, "authority");

	request->method = str_from(http_fields_find(&ex->pseudo, "method"));
	if (!is_path(path) || !http_is_token(request->method))
		return false;
	request->query = path;
	IGNORE(str_split(&request->query, '?', &request->path)); /* without '?': no query */
	if (authority == NULL)
		authority = http_fields_find(&request->fields, "host");
	request->authority = str_from(authority);
	return true;
}

static void on_request_head(struct http_exchange *ex)
{
	struct err err;

	http_conn_wait(ex->conn, HTTP_WAIT_NONE);
	if (ex->bad_head) {
		http_exchange_reply(ex, 431, "text/plain", STR_LIT("too many header fields\n"));
	} else if (!fill_request(ex)) {
		err_set(&err, ERR_BAD_REQUEST, "malformed :path or :method");
		http_exchange_reply_err(ex, &err);
	} else {
		http_exchange_on_head(ex);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_conn *conn = arg;
	struct http_exchange *ex = find(session, frame->hd.stream_id);
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (ex == NULL || conn->closed || ex->dead)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		ex->body_ended = is_end;
		on_request_head(ex);
	} else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
	           is_end) {
		http_exchange_on_body(ex, STR_NULL, true);
	}
	return 0;
}

/*
 * RFC 9113 8.1: an answer that ends before its request may ask the client to stop sending. Done for
 * streamed bodies, whose client may have no end in mind (gRPC); others are let run out.
 */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_exchange *ex;

	(void)arg;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	ex = find(session, frame->hd.stream_id);
	if (ex != NULL && !ex->dead && !ex->body_ended && ex->on_data != NULL)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
		                          NGHTTP2_NO_ERROR);
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *arg)
{
	struct http_conn *conn = arg;
	struct http_exchange *ex = find(session, stream_id);

	(void)flags;
	/* The connection's window is never held back: one slow handler must not stop the others. */
	nghttp2_session_consume_connection(session, len);
	if (ex == NULL || conn->closed || ex->dead) {
		nghttp2_session_consume_stream(session, stream_id, len);
		return 0;
	}
	http_exchange_on_body(ex, str_make((const char *)data, len), false);
	if (ex->paused)
		ex->unconsumed += len;
	else
		nghttp2_session_consume_stream(session, stream_id, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *arg)
{
	struct http_conn *conn = arg;
	struct http_exchange *ex = find(session, stream_id);
	struct err err;

	if (ex == NULL || conn->closed || ex->dead)
		return 0;
	if (ex->answer == HTTP_ANSWER_ENDED) {
		http_exchange_done(ex);
	} else {
		err_set(&err, ERR_IO, "the client ended the request (%s)",
		        nghttp2_http2_strerror(code));
		http_exchange_gone(ex, &err);
	}
	if (conn->n_exchanges == 0 && !conn->draining)
		http_conn_wait(conn, HTTP_WAIT_IDLE);
	return 0;
}

static void h2_on_data(struct http_conn *conn, struct str data)
{
	struct h2 *h2 = conn->proto;
	struct err err;
	ssize_t n;

	h2->busy = true;
	n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data.ptr, data.len);
	h2->busy = false;
	if (conn->closed)
		return;
	if (n < 0) {
		err_set(&err, ERR_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)n));
		http_conn_close(conn, &err);
		return;
	}
	if (conn->n_exchanges == 0 && conn->wait == HTTP_WAIT_HEAD)
		http_conn_wait(conn, HTTP_WAIT_IDLE);
	pump(conn);
}

/* --- output ----------------------------------------------------------------------------------- */

static void look_at_output(struct http_conn *conn)
{
	struct h2 *h2 = conn->proto;

	if (!h2->moved)
		return;
	h2->moved = false;
	list_for_each (it, &conn->exchanges) {
		struct http_exchange *ex = LIST_ENTRY(it, struct http_exchange, link);

		if (!ex->moved || ex->dead)
			continue;
		ex->moved = false;
		http_exchange_on_output(ex);
		if (conn->closed)
			return;
	}
}

static void pump(struct http_conn *conn)
{
	struct h2 *h2 = conn->proto;
	struct err err;
	bool ok;

	if (h2->busy || conn->closed)
		return;
	h2->busy = true;
	ok = h2_pump(h2->session, conn->wire, &err);
	h2->busy = false;
	if (conn->closed)
		return;
	if (!ok) {
		http_conn_close(conn, &err);
		return;
	}
	look_at_output(conn);
	if (conn->closed || nghttp2_session_want_write(h2->session))
		return;
	if ((conn->draining && conn->n_exchanges == 0) || !nghttp2_session_want_read(h2->session))
		http_conn_finish(conn);
}

static void copy_fields(struct http_fields *to, const struct http_fields *from)
{
	for (size_t i = 0; i < from->n; i++)
		http_fields_add(to, from->v[i].name, from->v[i].value);
}

static ssize_t read_output(nghttp2_session *session, int32_t stream_id, uint8_t *frame, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http_exchange *ex = source->ptr;
	struct http_conn *conn = arg;
	struct h2 *h2 = conn->proto;
	struct h2_block trailers = {.n = 0};
	size_t n = h2_take(&ex->out, frame, len);

	if (n > 0) {
		ex->moved = true;
		h2->moved = true;
	}
	if (outq_len(&ex->out) == 0 && ex->out_ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (ex->trailers.n > 0) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			h2_block_add_fields(&trailers, &ex->trailers);
			nghttp2_submit_trailer(session, stream_id, trailers.nv, trailers.n);
		}
		return (ssize_t)n;
	}
	if (n > 0)
		return (ssize_t)n;
	ex->deferred = true;
	return NGHTTP2_ERR_DEFERRED;
}

static void h2_begin(struct http_exchange *ex, int status, const char *content_type,
                     const size_t *body_len)
{
	struct h2 *h2 = ex->conn->proto;
	nghttp2_data_provider provider = {.source = {.ptr = ex}, .read_callback = read_output};
	struct h2_block block = {.n = 0};
	char status_text[16];
	char len_text[24];
	bool no_body = status == 204 || status == 304 || http_exchange_is_head(ex) ||
	               (body_len != NULL && *body_len == 0);

	snprintf(status_text, sizeof(status_text), "%d", status);
	h2_block_add(&block, ":status", str_from(status_text));
	if (content_type != NULL)
		h2_block_add(&block, "content-type", str_from(content_type));
	h2_block_add_fields(&block, &ex->answer_fields);
	if (body_len != NULL && *body_len > 0) {
		snprintf(len_text, sizeof(len_text), "%zu", *body_len);
		h2_block_add(&block, "content-length", str_from(len_text));
	}
	nghttp2_submit_response(h2->session, ex->stream_id, block.nv, block.n,
	                        no_body ? NULL : &provider);
	pump(ex->conn);
}

static void resume(struct http_exchange *ex)
{
	struct h2 *h2 = ex->conn->proto;

	if (ex->deferred) {
		ex->deferred = false;
		nghttp2_session_resume_data(h2->session, ex->stream_id);
	}
	pump(ex->conn);
}

static bool h2_write(struct http_exchange *ex, struct str data, size_t limit)
{
	size_t queued = outq_len(&ex->out);

	if (limit < queued || data.len > limit - queued || !outq_add(&ex->out, data))
		return false;
	resume(ex);
	return true;
}

static size_t h2_queued(const struct http_exchange *ex)
{
	return outq_len(&ex->out);
}

static void h2_end(struct http_exchange *ex, const struct http_fields *trailers)
{
	ex->out_ended = true;
	if (trailers != NULL)
		copy_fields(&ex->trailers, trailers);
	resume(ex);
}

static void h2_reset(struct http_exchange *ex)
{
	struct h2 *h2 = ex->conn->proto;
	bool complete = ex->out_ended && outq_len(&ex->out) == 0;

	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, ex->stream_id,
	                          complete ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
	pump(ex->conn);
}

static void h2_set_paused(struct http_exchange *ex, bool paused)
{
	struct h2 *h2 = ex->conn->proto;

	if (paused || ex->unconsumed == 0)
		return;
	nghttp2_session_consume_stream(h2->session, ex->stream_id, ex->unconsumed);
	ex->unconsumed = 0;
	pump(ex->conn);
}

static void h2_want_body(struct http_exchange *ex)
{
	/* Clients of HTTP/2 do not wait for 100-continue; the window is open already. */
	(void)ex;
}

static void h2_goaway(struct http_conn *conn)
{
	struct h2 *h2 = conn->proto;

	if (conn->draining)
		return;
	conn->draining = true;
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
	                      nghttp2_session_get_last_proc_stream_id(h2->session),
	                      NGHTTP2_NO_ERROR, NULL, 0);
	pump(conn);
}

/* --- life ------------------------------------------------------------------------------------- */

static void h2_init(struct http_conn *conn)
{
	struct h2 *h2 = xcalloc(1, sizeof(*h2));
	nghttp2_option *option = h2_option_create();
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		UNREACHABLE("out of memory");
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_server_new2(&h2->session, callbacks, conn, option) != 0)
		UNREACHABLE("out of memory");
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	conn->proto = h2;
	h2_session_start(h2->session, conn->server->config.streams_max);
	pump(conn);
}

static void h2_fini(struct http_conn *conn)
{
	struct h2 *h2 = conn->proto;

	nghttp2_session_del(h2->session);
	free(h2);
}

const struct http_codec h2_codec = {
	.init = h2_init,
	.fini = h2_fini,
	.on_data = h2_on_data,
	.on_drain = pump,
	.goaway = h2_goaway,
	.on_head_timeout = h2_goaway,
	.begin = h2_begin,
	.write = h2_write,
	.queued = h2_queued,
	.end = h2_end,
	.reset = h2_reset,
	.set_paused = h2_set_paused,
	.want_body = h2_want_body,
};
