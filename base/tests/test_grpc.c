/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc_frame.h"
#include "pki.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/grpc.h"
#include "base/macros.h"
#include "base/net.h"

enum {
	PATIENCE_MS = 10000
};

/* --- a server with four methods --------------------------------------------------------------- */

struct fixture {
	struct loop *loop;
	struct http_server *http;
	struct grpc_server *grpc;
	struct addr addr;
	struct pki_pair root, server_pair, client_pair;
	struct tls_ctx *server_tls;
	int gone;
	enum err_code gone_code;
	char seen_peer[64];
	struct grpc_call *silent;
	/* client */
	struct grpc_conn *conn;
	bool opened;
	bool closed;
	struct err why;
	int status;
	char message[256];
	struct buf reply;
	int n_messages;
	bool done;
};

static void note_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	struct fixture *f = arg;

	(void)call;
	f->gone++;
	f->gone_code = why->code;
}

static void on_echo(struct grpc_call *call, struct str request, void *arg)
{
	struct fixture *f = arg;
	STACK_OF(X509) *chain = http_exchange_peer_chain(grpc_call_exchange(call));
	const char *token = grpc_call_metadata(call, "authorization");

	if (chain != NULL)
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(chain, 0)),
		                          NID_commonName, f->seen_peer, sizeof(f->seen_peer));
	if (token != NULL && strcmp(token, "Bearer bad") == 0)
		grpc_call_end(call, GRPC_UNAUTHENTICATED,
		              "token 'b\xc3\xa4"
		              "d' 100% refused");
	else
		grpc_call_reply(call, request);
}

static void on_silent(struct grpc_call *call, struct str request, void *arg)
{
	struct fixture *f = arg;

	(void)request;
	f->silent = call;
}

static void on_chat(struct grpc_call *call, struct str message, void *arg)
{
	(void)arg;
	if (str_is(message, "go away"))
		grpc_call_end(call, GRPC_ABORTED, "gone");
	else if (!grpc_call_send(call, message))
		grpc_call_end(call, GRPC_RESOURCE_EXHAUSTED, "too slow");
}

static void on_chat_half_close(struct grpc_call *call, void *arg)
{
	(void)arg;
	grpc_call_end(call, GRPC_OK, NULL);
}

/* --- client callbacks ------------------------------------------------------------------------- */

static void on_open(struct grpc_conn *conn, void *arg)
{
	struct fixture *f = arg;

	(void)conn;
	f->opened = true;
}

static void on_close(struct grpc_conn *conn, const struct err *why, void *arg)
{
	struct fixture *f = arg;

	(void)conn;
	f->closed = true;
	f->why = *why;
	f->conn = NULL;
}

static void on_reply(int status, const char *message, struct str reply, void *arg)
{
	struct fixture *f = arg;

	f->status = status;
	snprintf(f->message, sizeof(f->message), "%s", message);
	buf_clear(&f->reply);
	buf_add_str(&f->reply, reply);
	f->done = true;
}

static void on_stream_message(struct grpc_stream *stream, struct str message, void *arg)
{
	struct fixture *f = arg;

	(void)stream;
	f->n_messages++;
	buf_add_str(&f->reply, message);
}

static void on_stream_close(struct grpc_stream *stream, int status, const char *message, void *arg)
{
	(void)stream;
	on_reply(status, message, buf_str(&((struct fixture *)arg)->reply), arg);
}

static const struct grpc_stream_events stream_events = {
	.on_message = on_stream_message,
	.on_close = on_stream_close,
};

/* --- set-up ----------------------------------------------------------------------------------- */

static void run_until(struct fixture *f, const bool *flag)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!*flag) {
		assert_true(clock_now_ms() < end_ms);
		loop_run_once(f->loop, 100);
	}
}

static void run_turns(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		loop_run_once(f->loop, 5);
}

static struct grpc_method methods[] = {
	{.path = "/t.T/Echo", .on_call = on_echo, .on_gone = note_gone},
	{.path = "/t.T/Silent", .on_call = on_silent, .on_gone = note_gone},
	{.path = "/t.T/Chat",
         .on_message = on_chat,
         .on_half_close = on_chat_half_close,
         .on_gone = note_gone},
	{.path = "/t.T/Small", .message_max = 10, .on_call = on_echo, .on_gone = note_gone},
};

static void start(struct fixture *f, bool tls)
{
	struct addr any = {.port = 0};
	struct err err;
	int fd;

	*f = (struct fixture){.loop = loop_create()};
	buf_init(&f->reply, 64 << 20);
	f->root = pki_make(NULL, "root", NULL, 3600);
	f->server_pair = pki_make(&f->root, "server", "DNS:server.test", 3600);
	f->client_pair = pki_make(&f->root, "client", "DNS:client.test", 3600);
	f->grpc = grpc_server_create(f->loop);
	for (size_t i = 0; i < N_ELEMS(methods); i++) {
		methods[i].arg = f;
		grpc_server_add(f->grpc, &methods[i]);
	}
	f->http = http_server_create(&(struct http_server_config){
		.loop = f->loop,
		.name = "test",
		.on_request = grpc_server_on_request,
		.arg = f->grpc,
	});
	if (tls) {
		f->server_tls = tls_server_create(
			&(struct tls_config){.cert_pem = str_from(f->server_pair.cert_pem),
		                             .key_pem = str_from(f->server_pair.key_pem),
		                             .roots_pem = str_from(f->root.cert_pem),
		                             .alpn = "h2,http/1.1",
		                             .peer = TLS_PEER_REQUESTED},
			&err);
		assert_non_null(f->server_tls);
	}
	assert_true(ip_parse(STR_LIT("127.0.0.1"), &any.ip));
	fd = net_listen(&any, false, &f->addr, &err);
	assert_true(fd >= 0);
	http_server_listen(f->http, fd, f->server_tls);
}

static void stop(struct fixture *f)
{
	grpc_conn_close(f->conn);
	http_server_destroy(f->http);
	loop_run_once(f->loop, 0);
	grpc_server_destroy(f->grpc);
	tls_ctx_unref(f->server_tls);
	loop_destroy(f->loop);
	pki_free(&f->root);
	pki_free(&f->server_pair);
	pki_free(&f->client_pair);
	buf_fini(&f->reply);
}

static void dial(struct fixture *f, struct tls_ctx *tls, const char *name)
{
	struct err err;

	f->opened = f->closed = false;
	f->conn = grpc_conn_open(&(struct grpc_conn_config){.loop = f->loop,
	                                                    .addr = f->addr,
	                                                    .tls = tls,
	                                                    .server_name = name,
	                                                    .check_name = name != NULL,
	                                                    .on_open = on_open,
	                                                    .on_close = on_close,
	                                                    .open_ms = 3000,
	                                                    .keepalive_ms = 50,
	                                                    .ping_ms = 50,
	                                                    .arg = f},
	                         &err);
	assert_non_null(f->conn);
}

static struct grpc_stream *ask(struct fixture *f, const char *path, const char *text)
{
	f->done = false;
	return grpc_unary_start(f->conn, &(struct grpc_unary){.path = path,
	                                                      .request = str_from(text),
	                                                      .cb = on_reply,
	                                                      .arg = f});
}

/* --- tests ------------------------------------------------------------------------------------ */

static void answers_a_unary_call(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Echo", "hello");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	assert_string_equal(buf_text(&f.reply), "hello");
	assert_true(f.opened);
	ask(&f, "/t.T/Echo", "");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	stop(&f);
}

static void carries_status_message_and_metadata(void **state)
{
	struct fixture f;
	struct http_fields metadata = HTTP_FIELDS_EMPTY;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	assert_true(http_fields_add_text(&metadata, "authorization", "Bearer bad"));
	grpc_unary_start(f.conn, &(struct grpc_unary){.path = "/t.T/Echo",
	                                              .metadata = &metadata,
	                                              .request = STR_LIT("x"),
	                                              .cb = on_reply,
	                                              .arg = &f});
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_UNAUTHENTICATED);
	assert_string_equal(f.message, "token 'b\xc3\xa4"
	                               "d' 100% refused");
	http_fields_fini(&metadata);
	ask(&f, "/t.T/None", "x");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_UNIMPLEMENTED);
	assert_string_equal(f.message, "no method '/t.T/None'");
	stop(&f);
}

static void shows_both_ends_their_certificates(void **state)
{
	struct fixture f;
	struct err err;
	struct tls_ctx *tls;

	(void)state;
	start(&f, true);
	tls = tls_client_create(&(struct tls_config){.cert_pem = str_from(f.client_pair.cert_pem),
	                                             .key_pem = str_from(f.client_pair.key_pem),
	                                             .roots_pem = str_from(f.root.cert_pem),
	                                             .alpn = "h2"},
	                        &err);
	assert_non_null(tls);
	dial(&f, tls, "server.test");
	ask(&f, "/t.T/Echo", "over tls");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	assert_string_equal(buf_text(&f.reply), "over tls");
	assert_string_equal(f.seen_peer, "client");
	assert_int_equal(sk_X509_num(grpc_conn_peer_chain(f.conn)), 2);
	grpc_conn_close(f.conn);
	dial(&f, tls, "other.test");
	ask(&f, "/t.T/Echo", "x");
	run_until(&f, &f.closed);
	assert_true(f.done);
	assert_int_equal(f.status, GRPC_UNAVAILABLE);
	assert_int_equal(f.why.code, ERR_FORBIDDEN);
	tls_ctx_unref(tls);
	stop(&f);
}

static void streams_both_ways_with_backpressure(void **state)
{
	struct fixture f;
	struct grpc_stream *stream;
	char *big = xcalloc(1, 1 << 20);
	size_t total = 0;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	stream = grpc_stream_open(f.conn, "/t.T/Chat", NULL, &stream_events, &f);
	for (int i = 0; i < 8; i++) {
		memset(big, 'a' + i, 1 << 20);
		assert_true(grpc_stream_send(stream, str_make(big, (size_t)(1 << 20) - i)));
		total += (size_t)(1 << 20) - i;
	}
	grpc_stream_set_paused(stream, true);
	run_turns(&f, 50);
	assert_int_equal(f.n_messages, 0);
	grpc_stream_set_paused(stream, false);
	grpc_stream_finish(stream);
	assert_false(grpc_stream_send(stream, STR_LIT("late")));
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	assert_int_equal(f.n_messages, 8);
	assert_int_equal(f.reply.len, total);
	assert_int_equal(f.reply.ptr[total - 1], 'a' + 7);
	free(big);
	stop(&f);
}

static void hears_of_the_end_before_it_has_finished_itself(void **state)
{
	struct fixture f;
	struct grpc_stream *stream;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		f.done = false;
		stream = grpc_stream_open(f.conn, "/t.T/Chat", NULL, &stream_events, &f);
		if (i == 1)
			assert_true(grpc_stream_send(stream, STR_LIT("hello")));
		assert_true(grpc_stream_send(stream, STR_LIT("go away")));
		run_until(&f, &f.done);
		assert_int_equal(f.status, GRPC_ABORTED);
		assert_string_equal(f.message, "gone");
		assert_int_equal(f.n_messages, i);
	}
	stop(&f);
}

static void refuses_what_is_too_large(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Small", "12345678901");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(f.gone, 1);
	ask(&f, "/t.T/Small", "1234567890");
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	stop(&f);
}

static void keeps_deadlines_on_both_sides(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	grpc_unary_start(f.conn, &(struct grpc_unary){.path = "/t.T/Silent",
	                                              .request = STR_LIT("x"),
	                                              .deadline_ms = 40,
	                                              .cb = on_reply,
	                                              .arg = &f});
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_DEADLINE_EXCEEDED);
	run_turns(&f, 20);
	assert_int_equal(f.gone, 1);
	stop(&f);
}

static void tells_the_handler_of_a_cancelled_call(void **state)
{
	struct fixture f;
	struct grpc_stream *stream;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	stream = ask(&f, "/t.T/Silent", "x");
	while (f.silent == NULL)
		loop_run_once(f.loop, 100);
	grpc_stream_cancel(stream);
	while (f.gone == 0)
		loop_run_once(f.loop, 100);
	assert_false(f.done);
	stop(&f);
}

static void tells_the_client_of_a_lost_server(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Silent", "x");
	while (f.silent == NULL)
		loop_run_once(f.loop, 100);
	http_server_destroy(f.http);
	f.http = NULL;
	run_until(&f, &f.closed);
	assert_int_equal(f.gone, 1);
	assert_int_equal(f.status, GRPC_UNAVAILABLE);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Echo", "x");
	run_until(&f, &f.closed);
	assert_int_equal(f.status, GRPC_UNAVAILABLE);
	assert_int_equal(f.why.code, ERR_IO);
	stop(&f);
}

static void stops_gracefully(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Silent", "x");
	while (f.silent == NULL)
		loop_run_once(f.loop, 100);
	http_server_stop(f.http, 5000, NULL, NULL);
	run_turns(&f, 10);
	assert_false(f.closed);
	/* A new call is refused at once, the old one may finish. */
	grpc_unary_start(f.conn, &(struct grpc_unary){.path = "/t.T/Echo",
	                                              .request = STR_LIT("y"),
	                                              .cb = on_reply,
	                                              .arg = &f});
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_UNAVAILABLE);
	f.done = false;
	grpc_call_reply(f.silent, STR_LIT("last"));
	run_until(&f, &f.done);
	assert_int_equal(f.status, GRPC_OK);
	assert_string_equal(buf_text(&f.reply), "last");
	run_until(&f, &f.closed);
	run_turns(&f, 3);
	assert_int_equal(http_server_connections(f.http), 0);
	stop(&f);
}

/* A far end that speaks just enough HTTP/2 to be taken for alive, and then is silent. */
static void notices_a_silent_server_by_ping(void **state)
{
	static const char settings[] = "\0\0\0\4\0\0\0\0\0";
	struct fixture f;
	struct err err;
	struct addr any = {.port = 0};
	int listener, fd;

	(void)state;
	start(&f, false);
	assert_true(ip_parse(STR_LIT("127.0.0.1"), &any.ip));
	listener = net_listen(&any, false, &f.addr, &err);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Echo", "x");
	do {
		loop_run_once(f.loop, 5);
		fd = net_accept(listener, NULL);
	} while (fd < 0);
	assert_int_equal(send(fd, settings, 9, 0), 9);
	run_until(&f, &f.closed);
	assert_true(f.opened);
	assert_int_equal(f.why.code, ERR_TIMEOUT);
	close(fd);
	close(listener);
	stop(&f);
}

static void ends_every_call_when_the_client_closes(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	dial(&f, NULL, NULL);
	ask(&f, "/t.T/Echo", "x");
	grpc_conn_close(f.conn);
	f.conn = NULL;
	assert_true(f.done);
	assert_int_equal(f.status, GRPC_CANCELLED);
	stop(&f);
}

static void deframes_however_split(void **state)
{
	static const char bytes[] = "\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\1z";
	size_t len = sizeof(bytes) - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct grpc_deframer d;
		struct str pieces[] = {{bytes, cut}, {bytes + cut, len - cut}};
		struct str message;
		struct buf out;
		struct err err;

		grpc_deframer_init(&d, 3);
		buf_init(&out, 100);
		for (size_t i = 0; i < 2; i++) {
			while (grpc_deframe(&d, &pieces[i], &message, &err) ==
			       GRPC_DEFRAME_MESSAGE) {
				buf_add_str(&out, message);
				buf_add_char(&out, '|');
			}
		}
		assert_string_equal(buf_text(&out), "abc||z|");
		assert_false(grpc_deframer_is_busy(&d));
		buf_fini(&out);
		grpc_deframer_fini(&d);
	}
}

static void reads_timeouts(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {{"100m", 100}, {"2S", 2000},      {"1H", 3600000}, {"5u", 1}, {"x", 0},
	            {"1", 0},      {"123456789m", 0}, {"-1S", 0},      {"0m", 1}, {"", 0}};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_int_equal(grpc_parse_timeout(rows[i].text), rows[i].ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_a_unary_call),
		cmocka_unit_test(carries_status_message_and_metadata),
		cmocka_unit_test(shows_both_ends_their_certificates),
		cmocka_unit_test(streams_both_ways_with_backpressure),
		cmocka_unit_test(hears_of_the_end_before_it_has_finished_itself),
		cmocka_unit_test(refuses_what_is_too_large),
		cmocka_unit_test(keeps_deadlines_on_both_sides),
		cmocka_unit_test(tells_the_handler_of_a_cancelled_call),
		cmocka_unit_test(tells_the_client_of_a_lost_server),
		cmocka_unit_test(stops_gracefully),
		cmocka_unit_test(notices_a_silent_server_by_ping),
		cmocka_unit_test(ends_every_call_when_the_client_closes),
		cmocka_unit_test(deframes_however_split),
		cmocka_unit_test(reads_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
