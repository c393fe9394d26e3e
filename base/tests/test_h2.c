/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's HTTP/2 against a client made of nghttp2 and a blocking-free socket: what curl and
 * our own gRPC client never do.
 */
#include "unit.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/macros.h"
#include "base/net.h"

enum {
	PATIENCE_MS = 5000,
	STREAMS_MAX = 1 << 16,
	BODY_MAX = 1000
};

/* What became of one stream. */
struct seen {
	int status;
	size_t body_len;
	char field[64]; /* x-query */
	bool closed;
	uint32_t code;
};

struct fixture {
	struct loop *loop;
	struct http_server *server;
	int fd;
	nghttp2_session *session;
	struct seen streams[STREAMS_MAX];
	bool goaway;
	int gone;
	struct http_exchange *open;
	struct buf trailer;
};

/* --- server ----------------------------------------------------------------------------------- */

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct fixture *f = arg;

	(void)ex, (void)why;
	f->gone++;
	f->open = NULL;
}

static void on_body(struct http_exchange *ex, struct str body, void *arg)
{
	(void)arg;
	http_exchange_reply(ex, 200, "text/plain", body);
}

static void on_request(struct http_exchange *ex, void *arg)
{
	struct fixture *f = arg;
	const struct http_request *request = http_exchange_request(ex);
	char *query = str_dup(request->query);

	http_exchange_on_gone(ex, on_gone, f);
	if (str_is(request->path, "/echo")) {
		http_exchange_read_whole(ex, BODY_MAX, on_body, f);
	} else if (str_is(request->path, "/hold")) {
		f->open = ex;
	} else {
		assert_true(http_exchange_add_field(ex, "x-query", query));
		http_exchange_reply(ex, 200, "text/plain", STR_LIT("hello\n"));
	}
	free(query);
}

/* --- client ----------------------------------------------------------------------------------- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
	struct fixture *f = arg;
	ssize_t n = send(f->fd, data, len, MSG_NOSIGNAL);

	(void)session, (void)flags;
	return n > 0 ? n : NGHTTP2_ERR_WOULDBLOCK;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
	struct fixture *f = arg;
	struct seen *seen = &f->streams[frame->hd.stream_id];
	struct str n = {(const char *)name, name_len};

	(void)session, (void)flags;
	if (str_is(n, ":status"))
		IGNORE(sscanf((const char *)value, "%3d", &seen->status) != 1);
	else if (str_is(n, "x-query"))
		snprintf(seen->field, sizeof(seen->field), "%.*s", (int)value_len, value);
	else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS)
		buf_printf(&f->trailer, "%.*s=%.*s", STR_ARG(n), (int)value_len, value);
	return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                    size_t len, void *arg)
{
	struct fixture *f = arg;

	(void)session, (void)flags, (void)data;
	f->streams[id].body_len += len;
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct fixture *f = arg;

	(void)session;
	f->streams[id].closed = true;
	f->streams[id].code = code;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct fixture *f = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		f->goaway = true;
	return 0;
}

static void turn(struct fixture *f)
{
	uint8_t chunk[16384];
	ssize_t n;

	assert_int_equal(nghttp2_session_send(f->session), 0);
	loop_run_once(f->loop, 5);
	for (n = recv(f->fd, chunk, sizeof(chunk), MSG_DONTWAIT); n > 0;
	     n = recv(f->fd, chunk, sizeof(chunk), MSG_DONTWAIT))
		assert_int_equal(nghttp2_session_mem_recv(f->session, chunk, (size_t)n), n);
}

static void run_until(struct fixture *f, const bool *flag)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!*flag) {
		assert_true(clock_now_ms() < end_ms);
		turn(f);
	}
}

static void start(struct fixture *f)
{
	struct addr addr = {.port = 0};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	struct err err;
	int listener;

	*f = (struct fixture){.loop = loop_create()};
	buf_init(&f->trailer, 4096);
	f->server = http_server_create(&(struct http_server_config){.loop = f->loop,
	                                                            .name = "test",
	                                                            .on_request = on_request,
	                                                            .arg = f,
	                                                            .streams_max = 4});
	assert_true(ip_parse(STR_LIT("127.0.0.1"), &addr.ip));
	listener = net_listen(&addr, false, &addr, &err);
	assert_true(listener >= 0);
	http_server_listen(f->server, listener, NULL);
	f->fd = net_connect(&addr, &err);
	assert_true(f->fd >= 0);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	/* Else our own library would keep heads that are too large from the server. */
	nghttp2_option_new(&option);
	nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
	nghttp2_session_client_new2(&f->session, callbacks, f, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(f->session, NGHTTP2_FLAG_NONE, NULL, 0);
	turn(f);
	turn(f);
}

static void stop(struct fixture *f)
{
	http_server_destroy(f->server);
	loop_destroy(f->loop);
	nghttp2_session_del(f->session);
	close(f->fd);
	buf_fini(&f->trailer);
}

#define NV(name, value)                                                                            \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name),         \
			strlen(value), NGHTTP2_NV_FLAG_NONE                                        \
	}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *frame, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	size_t *left = source->ptr;
	size_t n = *left < len ? *left : len;

	(void)session, (void)id, (void)arg;
	memset(frame, 'b', n);
	*left -= n;
	if (*left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* body: bytes to send, or NULL. It counts down. */
static int32_t ask(struct fixture *f, const char *method, const char *path, size_t *body)
{
	nghttp2_nv nv[] = {NV(":method", method), NV(":scheme", "http"), NV(":path", path),
	                   NV(":authority", "a")};
	nghttp2_data_provider provider = {.source = {.ptr = body}, .read_callback = read_body};

	return nghttp2_submit_request(f->session, NULL, nv, N_ELEMS(nv),
	                              body != NULL ? &provider : NULL, NULL);
}

static struct seen *await(struct fixture *f, int32_t id)
{
	run_until(f, &f->streams[id].closed);
	return &f->streams[id];
}

/* --- tests ------------------------------------------------------------------------------------ */

static void answers_over_h2_without_tls(void **state)
{
	static struct fixture f;
	struct seen *seen;
	size_t body = 700;

	(void)state;
	start(&f);
	seen = await(&f, ask(&f, "GET", "/hello?a=1&b", NULL));
	assert_int_equal(seen->status, 200);
	assert_int_equal(seen->body_len, 6);
	assert_string_equal(seen->field, "a=1&b");
	seen = await(&f, ask(&f, "HEAD", "/hello", NULL));
	assert_int_equal(seen->status, 200);
	assert_int_equal(seen->body_len, 0);
	seen = await(&f, ask(&f, "POST", "/echo", &body));
	assert_int_equal(seen->body_len, 700);
	stop(&f);
}

static void limits_bodies_and_paths(void **state)
{
	static struct fixture f;
	struct seen *seen;
	size_t body = BODY_MAX + 1, huge = 2 << 20;

	(void)state;
	start(&f);
	seen = await(&f, ask(&f, "POST", "/echo", &body));
	assert_int_equal(seen->status, 413);
	/* Broken off long before its end, and the connection lives on. */
	seen = await(&f, ask(&f, "POST", "/echo", &huge));
	assert_int_equal(seen->status, 413);
	assert_true(huge > 0);
	seen = await(&f, ask(&f, "GET", "/a#b", NULL));
	assert_int_equal(seen->status, 400);
	seen = await(&f, ask(&f, "GET", "/hello", NULL));
	assert_int_equal(seen->status, 200);
	stop(&f);
}

static void limits_the_head(void **state)
{
	static struct fixture f;
	char *big = xmalloc(40001);
	nghttp2_nv nv[] = {NV(":method", "GET"),  NV(":scheme", "http"), NV(":path", "/hello"),
	                   NV(":authority", "a"), NV("x-a", ""),         NV("x-b", "")};

	(void)state;
	memset(big, 'a', 40000);
	big[40000] = '\0';
	nv[4].value = nv[5].value = (uint8_t *)big;
	nv[4].valuelen = nv[5].valuelen = 30000;
	start(&f);
	assert_int_equal(
		await(&f, nghttp2_submit_request(f.session, NULL, nv, 6, NULL, NULL))->status, 200);
	nv[4].valuelen = nv[5].valuelen = 40000;
	assert_int_equal(
		await(&f, nghttp2_submit_request(f.session, NULL, nv, 6, NULL, NULL))->status, 431);
	free(big);
	stop(&f);
}

static void sends_trailers_and_survives_resets(void **state)
{
	struct http_fields trailers = HTTP_FIELDS_EMPTY;
	static struct fixture f;
	int32_t id;

	(void)state;
	start(&f);
	id = ask(&f, "GET", "/hold", NULL);
	while (f.open == NULL)
		turn(&f);
	nghttp2_submit_rst_stream(f.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	while (f.gone == 0)
		turn(&f);
	id = ask(&f, "GET", "/hold", NULL);
	while (f.open == NULL)
		turn(&f);
	http_exchange_begin(f.open, 200, NULL);
	assert_true(http_exchange_write(f.open, STR_LIT("part")));
	assert_true(http_fields_add_text(&trailers, "x-end", "good"));
	http_exchange_end(f.open, &trailers);
	assert_int_equal(await(&f, id)->body_len, 4);
	assert_string_equal(buf_text(&f.trailer), "x-end=good");
	http_fields_fini(&trailers);
	f.open = NULL;
	id = ask(&f, "GET", "/hold", NULL);
	while (f.open == NULL)
		turn(&f);
	http_exchange_begin(f.open, 200, NULL);
	http_exchange_reset(f.open);
	assert_int_equal(await(&f, id)->code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(f.gone, 1);
	stop(&f);
}

static void announces_how_many_streams_it_takes(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f);
	for (int32_t i = 0; i < 8; i++)
		ask(&f, "GET", "/hold", NULL);
	for (int i = 0; i < 20; i++)
		turn(&f);
	/* nghttp2 keeps the rest back; the server holds four. */
	assert_int_equal(nghttp2_session_get_remote_settings(
				 f.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
	                 4);
	close(f.fd);
	f.fd = -1;
	while (f.gone < 4)
		loop_run_once(f.loop, 5);
	assert_int_equal(f.gone, 4);
	stop(&f);
}

static void ends_the_connection_of_a_client_that_opens_and_resets(void **state)
{
	static struct fixture f;
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	(void)state;
	start(&f);
	while (!f.goaway) {
		int32_t id = ask(&f, "GET", "/hold", NULL);

		assert_true(clock_now_ms() < end_ms);
		assert_true(id > 0 && id + 2 < STREAMS_MAX);
		assert_int_equal(nghttp2_session_send(f.session), 0);
		nghttp2_submit_rst_stream(f.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
		turn(&f);
	}
	/* The burst of H2_RESETS_BURST, and few more. */
	assert_in_range(f.gone, 900, 1500);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_over_h2_without_tls),
		cmocka_unit_test(limits_bodies_and_paths),
		cmocka_unit_test(limits_the_head),
		cmocka_unit_test(sends_trailers_and_survives_resets),
		cmocka_unit_test(announces_how_many_streams_it_takes),
		cmocka_unit_test(ends_the_connection_of_a_client_that_opens_and_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
