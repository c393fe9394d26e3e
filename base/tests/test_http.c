/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/http_client.h"
#include "base/macros.h"
#include "base/net.h"

enum {
	PATIENCE_MS = 10000,
	BIG = 5 << 20
};

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct http_listener *listener;
	struct addr addr;
	char *big;
	struct pki_pair root, other_root, server_pair, client_pair;
	/* the server's side */
	struct http_exchange *open; /* of /watch, /later, /stream */
	int gone;
	enum err_code gone_code;
	int drains;
	struct buf streamed;
	bool stream_ended;
	void *tag;
	int version;
	bool stopped;
	/* the client's side */
	struct http_client *client;
	bool done;
	int status;
	int heads;
	struct buf body;
	char content_type[64];
	struct err err;
	bool failed;
};

/* --- handlers --------------------------------------------------------------------------------- */

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct fixture *f = arg;

	f->gone++;
	f->gone_code = why->code;
	if (f->open == ex)
		f->open = NULL;
}

static void on_drain(struct http_exchange *ex, void *arg)
{
	struct fixture *f = arg;

	(void)ex;
	f->drains++;
}

static void on_echo_body(struct http_exchange *ex, struct str body, void *arg)
{
	(void)arg;
	http_exchange_reply(ex, 200, "text/plain", body);
}

static void on_stream_data(struct http_exchange *ex, struct str data, bool is_end, void *arg)
{
	struct fixture *f = arg;

	buf_add_str(&f->streamed, data);
	if (!is_end)
		return;
	f->stream_ended = true;
	http_exchange_reply(ex, 200, NULL, STR_LIT("thanks"));
}

static void reply_peer(struct http_exchange *ex)
{
	STACK_OF(X509) *chain = http_exchange_peer_chain(ex);
	char name[64] = "nobody";

	if (chain != NULL)
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(chain, 0)),
		                          NID_commonName, name, sizeof(name));
	http_exchange_reply(ex, 200, "text/plain", str_from(name));
}

static void on_request(struct http_exchange *ex, void *arg)
{
	struct fixture *f = arg;
	const struct http_request *request = http_exchange_request(ex);
	struct err err;

	f->tag = http_exchange_tag(ex);
	f->version = request->version;
	http_exchange_on_gone(ex, on_gone, f);
	http_exchange_on_drain(ex, on_drain, f);
	if (str_is(request->path, "/hello")) {
		http_exchange_add_field(ex, "x-query", "q");
		http_exchange_reply(ex, 200, "text/plain", STR_LIT("hello\n"));
	} else if (str_is(request->path, "/big")) {
		http_exchange_reply(ex, 200, "text/plain", str_make(f->big, BIG));
	} else if (str_is(request->path, "/echo")) {
		http_exchange_read_whole(ex, 1000, on_echo_body, f);
	} else if (str_is(request->path, "/stream")) {
		http_exchange_read_stream(ex, on_stream_data, f);
	} else if (str_is(request->path, "/watch")) {
		http_exchange_begin(ex, 200, "application/json");
		f->open = ex;
	} else if (str_is(request->path, "/later")) {
		f->open = ex;
	} else if (str_is(request->path, "/peer")) {
		reply_peer(ex);
	} else if (str_is(request->path, "/token")) {
		const char *token = http_fields_find(&request->fields, "authorization");

		http_exchange_reply(ex, 200, NULL, str_from(token != NULL ? token : "none"));
	} else if (str_is(request->path, "/empty")) {
		http_exchange_reply(ex, 204, NULL, STR_NULL);
	} else {
		err_set(&err, ERR_NOT_FOUND, "no '%.*s'", STR_ARG(request->path));
		http_exchange_reply_err(ex, &err);
	}
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void start(struct fixture *f, struct tls_ctx *tls)
{
	struct addr any = {.port = 0};
	struct err err;
	int fd;

	*f = (struct fixture){.loop = loop_create()};
	f->big = xmalloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		f->big[i] = (char)('a' + i % 23);
	buf_init(&f->body, 64 << 20);
	buf_init(&f->streamed, 64 << 20);
	f->server = http_server_create(&(struct http_server_config){.loop = f->loop,
	                                                            .name = "test",
	                                                            .on_request = on_request,
	                                                            .arg = f,
	                                                            .header_ms = 200,
	                                                            .idle_ms = 400,
	                                                            .body_ms = 300,
	                                                            .queue_max = 1 << 20});
	assert_true(ip_parse(STR_LIT("127.0.0.1"), &any.ip));
	fd = net_listen(&any, false, &f->addr, &err);
	assert_true(fd >= 0);
	f->listener = http_server_listen(f->server, fd, tls);
}

static void stop(struct fixture *f)
{
	http_client_destroy(f->client);
	http_server_destroy(f->server);
	loop_run_once(f->loop, 0);
	loop_destroy(f->loop);
	buf_fini(&f->body);
	buf_fini(&f->streamed);
	free(f->big);
}

static void run_turns(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		loop_run_once(f->loop, 5);
}

static void run_until(struct fixture *f, const bool *flag)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!*flag) {
		assert_true(clock_now_ms() < end_ms);
		loop_run_once(f->loop, 100);
	}
}

/* --- raw HTTP/1.1 ----------------------------------------------------------------------------- */

static int dial_raw(struct fixture *f)
{
	struct err err;
	int fd = net_connect(&f->addr, &err);

	assert_true(fd >= 0);
	run_turns(f, 2);
	return fd;
}

static void send_raw(struct fixture *f, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run_turns(f, 2);
}

/* Everything up to and with `end`, or (end NULL) up to the close. */
static char *read_raw(struct fixture *f, int fd, const char *end)
{
	struct buf out;
	int64_t limit_ms = clock_now_ms() + PATIENCE_MS;
	char chunk[4096];

	buf_init(&out, 64 << 20);
	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		assert_true(clock_now_ms() < limit_ms);
		if (n > 0)
			buf_add(&out, chunk, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			break;
		else
			loop_run_once(f->loop, 5);
		if (end != NULL && strstr(buf_text(&out), end) != NULL)
			break;
	}
	return out.len > 0 ? buf_take(&out) : xstrdup("");
}

static void expect_raw(struct fixture *f, int fd, const char *end, const char *const *parts)
{
	char *text = read_raw(f, fd, end);

	for (; *parts != NULL; parts++) {
		if (strstr(text, *parts) == NULL)
			fail_msg("no '%s' in '%s'", *parts, text);
	}
	free(text);
}

#define EXPECT(f, fd, end, ...) expect_raw(f, fd, end, (const char *const[]){__VA_ARGS__, NULL})

static void serves_several_requests_on_one_connection(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start(&f, NULL);
	fd = dial_raw(&f);
	send_raw(&f, fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(&f, fd, "hello\n", "HTTP/1.1 200 OK\r\n", "content-type: text/plain\r\n",
	       "content-length: 6\r\n", "x-query: q\r\n", "date: ");
	send_raw(&f, fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	EXPECT(&f, fd, "abc", "200 OK");
	send_raw(&f, fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(&f, fd, "\r\n\r\n", "200 OK", "content-length: 6\r\n");
	send_raw(&f, fd, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(&f, fd, "\r\n\r\n", "204 No Content");
	send_raw(&f, fd, "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	EXPECT(&f, fd, NULL, "404 Not Found", "connection: close\r\n", "no '/none'\n");
	close(fd);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static void answers_requests_sent_ahead_in_order(void **state)
{
	struct fixture f;
	char *text;
	int fd;

	(void)state;
	start(&f, NULL);
	fd = dial_raw(&f);
	send_raw(&f, fd,
	         "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
	         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
	         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
	         "two");
	assert_non_null(f.open);
	http_exchange_reply(f.open, 200, NULL, STR_LIT("zero"));
	text = read_raw(&f, fd, NULL);
	assert_non_null(strstr(text, "zero"));
	assert_true(strstr(text, "zero") < strstr(text, "one"));
	assert_true(strstr(text, "one") < strstr(text, "two"));
	free(text);
	close(fd);
	stop(&f);
}

static void refuses_bad_large_and_slow_requests(void **state)
{
	static const struct {
		const char *bytes;
		const char *status;
	} rows[] = {
		{"BAD\r\n\r\n", "400 Bad Request"},
		{"GET /hello HTTP/1.1\r\n\r\n", "400 Bad Request"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "408 Request"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	         "400 Bad Request"},
		{"GET /hello HT", "408 Request Timeout"},
	};
	struct fixture f;
	char *text;

	(void)state;
	start(&f, NULL);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		int fd = dial_raw(&f);

		send_raw(&f, fd, rows[i].bytes);
		text = read_raw(&f, fd, NULL);
		assert_non_null(strstr(text, rows[i].status));
		free(text);
		close(fd);
	}
	stop(&f);
}

static void limits_bodies(void **state)
{
	struct fixture f;
	char *body = xcalloc(1, 1002);
	char *request;
	int fd;

	(void)state;
	start(&f, NULL);
	memset(body, 'x', 1001);
	fd = dial_raw(&f);
	request =
		xasprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n%s", body);
	send_raw(&f, fd, request);
	EXPECT(&f, fd, "bytes\n", "413 Content Too Large", "over 1000 bytes");
	assert_int_equal(f.gone, 1);
	send_raw(&f, fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(&f, fd, "hello\n", "200 OK");
	free(request);
	free(body);
	close(fd);
	stop(&f);
}

static void asks_for_a_body_only_when_it_is_wanted(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start(&f, NULL);
	fd = dial_raw(&f);
	send_raw(&f, fd,
	         "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
	         "Content-Length: 2\r\n\r\n");
	EXPECT(&f, fd, "\r\n\r\n", "100 Continue");
	send_raw(&f, fd, "ok");
	EXPECT(&f, fd, "ok", "200 OK");
	send_raw(&f, fd,
	         "POST /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
	         "Content-Length: 2\r\n\r\n");
	EXPECT(&f, fd, NULL, "200 OK", "connection: close");
	close(fd);
	stop(&f);
}

static void streams_an_answer_and_notices_that_the_client_left(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start(&f, NULL);
	fd = dial_raw(&f);
	send_raw(&f, fd, "GET /watch HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(f.open);
	assert_true(http_exchange_write(f.open, STR_LIT("{1}\n")));
	EXPECT(&f, fd, "{1}\n", "transfer-encoding: chunked\r\n", "\r\n4\r\n{1}\n");
	assert_true(http_exchange_write(f.open, STR_LIT("{22}\n")));
	EXPECT(&f, fd, "{22}\n\r\n", "5\r\n{22}\n");
	close(fd);
	run_turns(&f, 5);
	assert_int_equal(f.gone, 1);
	fd = dial_raw(&f);
	send_raw(&f, fd, "GET /watch HTTP/1.0\r\n\r\n");
	assert_true(http_exchange_write(f.open, STR_LIT("plain")));
	http_exchange_end(f.open, NULL);
	EXPECT(&f, fd, NULL, "connection: close", "\r\n\r\nplain");
	close(fd);
	stop(&f);
}

static void limits_the_queue_of_a_streamed_answer(void **state)
{
	struct fixture f;
	char chunk[65536];
	size_t taken = 0;
	int fd;

	(void)state;
	start(&f, NULL);
	memset(chunk, 'x', sizeof(chunk));
	fd = dial_raw(&f);
	send_raw(&f, fd, "GET /watch HTTP/1.1\r\nHost: a\r\n\r\n");
	while (http_exchange_write(f.open, str_make(chunk, sizeof(chunk))))
		taken += sizeof(chunk);
	assert_true(taken <= 1 << 20 && taken >= (1 << 20) - 2 * sizeof(chunk));
	while (f.drains == 0) {
		IGNORE(recv(fd, chunk, sizeof(chunk), 0) < 0);
		loop_run_once(f.loop, 5);
	}
	http_exchange_reset(f.open);
	close(fd);
	run_turns(&f, 3);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static void closes_idle_connections_and_stops_gracefully(void **state)
{
	struct fixture f;
	char *text;
	int idle, busy;

	(void)state;
	start(&f, NULL);
	idle = dial_raw(&f);
	text = read_raw(&f, idle, NULL);
	assert_string_equal(text, "");
	free(text);
	close(idle);
	busy = dial_raw(&f);
	send_raw(&f, busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	http_server_stop(f.server, 5000, NULL, NULL);
	run_turns(&f, 3);
	assert_int_equal(http_server_connections(f.server), 1);
	http_exchange_reply(f.open, 200, NULL, STR_LIT("done"));
	EXPECT(&f, busy, NULL, "connection: close", "done");
	close(busy);
	run_turns(&f, 3);
	assert_int_equal(http_server_connections(f.server), 0);
	stop(&f);
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

static void cuts_what_is_open_after_the_grace(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	start(&f, NULL);
	fd = dial_raw(&f);
	send_raw(&f, fd, "GET /watch HTTP/1.1\r\nHost: a\r\n\r\n");
	http_server_stop(f.server, 50, mark, &f.stopped);
	run_until(&f, &f.stopped);
	assert_int_equal(f.gone, 1);
	assert_int_equal(f.gone_code, ERR_UNAVAILABLE);
	close(fd);
	stop(&f);
}

/* --- with the client -------------------------------------------------------------------------- */

static void on_done(struct http_call *call, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct fixture *f = arg;

	(void)call;
	f->done = true;
	f->failed = response == NULL;
	if (response == NULL) {
		f->err = *err;
		return;
	}
	f->status = response->status;
	if (http_fields_find(&response->fields, "content-type") != NULL)
		snprintf(f->content_type, sizeof(f->content_type), "%s",
		         http_fields_find(&response->fields, "content-type"));
	if (response->body.len > 0) {
		buf_clear(&f->body);
		buf_add_str(&f->body, response->body);
	}
}

static void on_data(struct http_call *call, struct str data, void *arg)
{
	struct fixture *f = arg;

	buf_add_str(&f->body, data);
	if (str_is(data, "cancel me"))
		http_call_cancel(call);
}

static void on_head(struct http_call *call, const struct http_response *response, void *arg)
{
	struct fixture *f = arg;

	(void)call;
	f->heads++;
	f->status = response->status;
}

static struct http_call *send_call(struct fixture *f, const char *method, const char *path,
                                   struct str body, bool streamed)
{
	char text[ADDR_TEXT_MAX];
	char *url = xasprintf("%s://%s%s", f->root.cert != NULL ? "https" : "http",
	                      addr_format(&f->addr, text), path);
	struct http_call *call;

	f->done = false;
	buf_clear(&f->body);
	call = http_client_send(f->client,
	                        &(struct http_call_config){.method = method,
	                                                   .url = url,
	                                                   .body = body,
	                                                   .on_data = streamed ? on_data : NULL,
	                                                   .on_head = streamed ? on_head : NULL,
	                                                   .on_done = on_done,
	                                                   .idle_ms = 300,
	                                                   .timeout_ms = 2000,
	                                                   .arg = f});
	free(url);
	return call;
}

static void ask(struct fixture *f, const char *method, const char *path, struct str body)
{
	send_call(f, method, path, body, false);
	run_until(f, &f->done);
}

static void check_client(struct fixture *f)
{
	ask(f, "GET", "/hello", STR_NULL);
	if (f->failed)
		fail_msg("%s", f->err.msg);
	assert_int_equal(f->status, 200);
	assert_string_equal(buf_text(&f->body), "hello\n");
	assert_string_equal(f->content_type, "text/plain");
	ask(f, "POST", "/echo", STR_LIT("some body"));
	assert_string_equal(buf_text(&f->body), "some body");
	ask(f, "POST", "/echo", STR_NULL);
	assert_int_equal(f->status, 200);
	ask(f, "PUT", "/stream", str_make(f->big, BIG));
	assert_string_equal(buf_text(&f->body), "thanks");
	assert_int_equal(f->streamed.len, BIG);
	assert_memory_equal(f->streamed.ptr, f->big, BIG);
	ask(f, "GET", "/big", STR_NULL);
	assert_int_equal(f->body.len, BIG);
	assert_memory_equal(f->body.ptr, f->big, BIG);
	ask(f, "HEAD", "/hello", STR_NULL);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->body.len, 0);
	ask(f, "DELETE", "/none", STR_NULL);
	assert_int_equal(f->status, 404);
	ask(f, "GET", "/empty", STR_NULL);
	assert_int_equal(f->status, 204);
	ask(f, "POST", "/echo", str_make(f->big, 2000));
	assert_int_equal(f->status, 413);
}

/* A watch: pieces as they come, then silence. */
static void check_watch(struct fixture *f)
{
	struct http_call *call = send_call(f, "GET", "/watch", STR_NULL, true);

	while (f->open == NULL)
		loop_run_once(f->loop, 100);
	while (f->heads == 0)
		loop_run_once(f->loop, 100);
	assert_int_equal(f->body.len, 0);
	assert_true(http_exchange_write(f->open, STR_LIT("{1}\n")));
	while (f->body.len == 0)
		loop_run_once(f->loop, 100);
	assert_string_equal(buf_text(&f->body), "{1}\n");
	assert_int_equal(f->heads, 1);
	http_exchange_end(f->open, NULL);
	run_until(f, &f->done);
	assert_false(f->failed);
	f->open = NULL;
	send_call(f, "GET", "/watch", STR_NULL, true);
	run_until(f, &f->done);
	assert_true(f->failed);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	while (f->gone < 2) /* one was check_client's 413 */
		loop_run_once(f->loop, 100);
	call = send_call(f, "GET", "/watch", STR_NULL, true);
	while (f->open == NULL)
		loop_run_once(f->loop, 100);
	assert_true(http_exchange_write(f->open, STR_LIT("cancel me")));
	while (f->gone < 3)
		loop_run_once(f->loop, 100);
	assert_false(f->done);
	(void)call;
}

static void make_client(struct fixture *f, const struct http_client_config *config)
{
	struct http_client_config mine = *config;
	struct err err;

	http_client_destroy(f->client);
	mine.loop = f->loop;
	f->client = http_client_create(&mine, &err);
	assert_non_null(f->client);
}

static void talks_to_the_client_in_plain_http_1(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NULL);
	make_client(&f, &(struct http_client_config){.insecure = false});
	check_client(&f);
	assert_int_equal(f.version, 1);
	check_watch(&f);
	stop(&f);
}

static int dial_inside(void *arg)
{
	struct fixture *f = arg;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	                 0);
	http_server_adopt(f->server, fds[0], f);
	return fds[1];
}

static void talks_to_the_client_inside_the_process(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NULL);
	make_client(&f, &(struct http_client_config){.dial = dial_inside, .dial_arg = &f});
	check_client(&f);
	assert_int_equal(f.version, 1);
	assert_ptr_equal(f.tag, &f);
	check_watch(&f);
	stop(&f);
}

static struct tls_ctx *make_server_tls(const struct pki_pair *root, const struct pki_pair *pair)
{
	struct err err;
	struct tls_ctx *tls =
		tls_server_create(&(struct tls_config){.cert_pem = str_from(pair->cert_pem),
	                                               .key_pem = str_from(pair->key_pem),
	                                               .roots_pem = str_from(root->cert_pem),
	                                               .alpn = "h2,http/1.1",
	                                               .peer = TLS_PEER_REQUESTED},
	                          &err);

	assert_non_null(tls);
	return tls;
}

static void talks_to_the_client_over_tls(void **state)
{
	struct fixture f;
	struct pki_pair root = pki_make(NULL, "root", NULL, 3600);
	struct pki_pair server = pki_make(&root, "server", "IP:127.0.0.1,DNS:api.test", 3600);
	struct pki_pair client = pki_make(&root, "user", NULL, 3600);
	struct pki_pair stranger = pki_make(NULL, "stranger", NULL, 3600);
	struct tls_ctx *tls = make_server_tls(&root, &server);

	(void)state;
	start(&f, tls);
	f.root = root;
	make_client(&f, &(struct http_client_config){.roots_pem = str_from(root.cert_pem)});
	check_client(&f);
	assert_int_equal(f.version, 1);
	check_watch(&f);
	ask(&f, "GET", "/peer", STR_NULL);
	assert_string_equal(buf_text(&f.body), "nobody");
	make_client(&f, &(struct http_client_config){.roots_pem = str_from(root.cert_pem),
	                                             .cert_pem = str_from(client.cert_pem),
	                                             .key_pem = str_from(client.key_pem),
	                                             .server_name = "api.test"});
	ask(&f, "GET", "/peer", STR_NULL);
	assert_string_equal(buf_text(&f.body), "user");
	make_client(&f, &(struct http_client_config){.roots_pem = str_from(stranger.cert_pem)});
	ask(&f, "GET", "/peer", STR_NULL);
	assert_true(f.failed);
	assert_int_equal(f.err.code, ERR_FORBIDDEN);
	make_client(&f, &(struct http_client_config){.roots_pem = str_from(root.cert_pem),
	                                             .server_name = "other.test"});
	ask(&f, "GET", "/peer", STR_NULL);
	assert_int_equal(f.err.code, ERR_FORBIDDEN);
	make_client(&f, &(struct http_client_config){.insecure = true});
	ask(&f, "GET", "/peer", STR_NULL);
	assert_string_equal(buf_text(&f.body), "nobody");
	stop(&f);
	tls_ctx_unref(tls);
	pki_free(&root);
	pki_free(&server);
	pki_free(&client);
	pki_free(&stranger);
}

static void sends_the_bearer_token_of_the_moment(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NULL);
	make_client(&f, &(struct http_client_config){.bearer_token = "first"});
	ask(&f, "GET", "/token", STR_NULL);
	assert_string_equal(buf_text(&f.body), "Bearer first");
	http_client_set_token(f.client, "second\n");
	ask(&f, "GET", "/token", STR_NULL);
	assert_string_equal(buf_text(&f.body), "Bearer second");
	http_client_set_token(f.client, "a\r\nx-evil: 1");
	ask(&f, "GET", "/token", STR_NULL);
	assert_string_equal(buf_text(&f.body), "none");
	stop(&f);
}

static void tells_the_client_of_refused_and_slow_servers(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	start(&f, NULL);
	make_client(&f, &(struct http_client_config){.insecure = false});
	ask(&f, "GET", "/later", STR_NULL);
	assert_int_equal(f.err.code, ERR_TIMEOUT);
	f.addr.port = 1;
	ask(&f, "GET", "/", STR_NULL);
	assert_int_equal(f.err.code, ERR_IO);
	http_call_cancel(send_call(&f, "GET", "/", STR_NULL, false));
	run_turns(&f, 3);
	assert_false(f.done);
	send_call(&f, "GET", "/", STR_NULL, false);
	assert_null(http_client_create(
		&(struct http_client_config){.loop = f.loop, .cert_pem = STR_LIT("junk")}, &err));
	stop(&f);
	assert_false(f.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_several_requests_on_one_connection),
		cmocka_unit_test(answers_requests_sent_ahead_in_order),
		cmocka_unit_test(refuses_bad_large_and_slow_requests),
		cmocka_unit_test(limits_bodies),
		cmocka_unit_test(asks_for_a_body_only_when_it_is_wanted),
		cmocka_unit_test(streams_an_answer_and_notices_that_the_client_left),
		cmocka_unit_test(limits_the_queue_of_a_streamed_answer),
		cmocka_unit_test(closes_idle_connections_and_stops_gracefully),
		cmocka_unit_test(cuts_what_is_open_after_the_grace),
		cmocka_unit_test(talks_to_the_client_in_plain_http_1),
		cmocka_unit_test(talks_to_the_client_inside_the_process),
		cmocka_unit_test(talks_to_the_client_over_tls),
		cmocka_unit_test(sends_the_bearer_token_of_the_moment),
		cmocka_unit_test(tells_the_client_of_refused_and_slow_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
