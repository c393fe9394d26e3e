/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/net.h"
#include "base/tls.h"
#include "base/wire.h"

enum {
	PATIENCE_MS = 5000
};

static struct pki_pair root, stranger, server_pair, client_pair, expired_pair, early_pair,
	foreign_pair;

/* One end of a connection, and what became of it. */
struct end {
	struct wire *wire;
	bool opened;
	bool closed;
	struct err why;
	struct buf got;
};

static struct loop *loop;
static struct end server_end, client_end;

static void on_open(struct wire *wire, void *arg)
{
	struct end *end = arg;

	(void)wire;
	end->opened = true;
}

static void on_data(struct wire *wire, struct str data, void *arg)
{
	struct end *end = arg;

	(void)wire;
	buf_add_str(&end->got, data);
}

static void on_close(struct wire *wire, const struct err *why, void *arg)
{
	struct end *end = arg;

	(void)wire;
	end->closed = true;
	end->why = *why;
	end->wire = NULL;
}

static const struct wire_events events = {
	.on_open = on_open, .on_data = on_data, .on_close = on_close};

static void reset_end(struct end *end)
{
	wire_close(end->wire);
	buf_fini(&end->got);
	*end = (struct end){.wire = NULL};
	buf_init(&end->got, 1 << 20);
}

/* A connection between the two contexts (NULL: plain), not yet shaken hands. */
static void join(struct tls_ctx *server, struct tls_ctx *client, const char *name)
{
	struct addr addr = {.port = 0};
	struct err err;
	int listener, fd;

	reset_end(&server_end);
	reset_end(&client_end);
	assert_true(ip_parse(STR_LIT("127.0.0.1"), &addr.ip));
	listener = net_listen(&addr, false, &addr, &err);
	assert_true(listener >= 0);
	client_end.wire = wire_connect(
		loop, &addr, client != NULL ? tls_client_open(client, name, name != NULL) : NULL,
		&events, &client_end, &err);
	assert_non_null(client_end.wire);
	do {
		loop_run_once(loop, 5);
		fd = net_accept(listener, NULL);
	} while (fd < 0);
	close(listener);
	server_end.wire = wire_accept(loop, fd, server != NULL ? tls_server_open(server) : NULL,
	                              &events, &server_end);
}

static void run_until(const bool *flag)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!*flag) {
		assert_true(clock_now_ms() < end_ms);
		loop_run_once(loop, 50);
	}
}

/* In TLS 1.3 a client is open before the server has judged its certificate. */
static void run_until_judged(void)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!(server_end.opened && client_end.opened) &&
	       !(server_end.closed && client_end.closed)) {
		assert_true(clock_now_ms() < end_ms);
		loop_run_once(loop, 50);
	}
}

static struct tls_config config_of(const struct pki_pair *own, const struct pki_pair *roots)
{
	return (struct tls_config){
		.cert_pem = own != NULL ? str_from(own->cert_pem) : STR_NULL,
		.key_pem = own != NULL ? str_from(own->key_pem) : STR_NULL,
		.roots_pem = roots != NULL ? str_from(roots->cert_pem) : STR_NULL,
	};
}

/* Joins contexts made of the configs and lets them shake hands. */
static void shake(const struct tls_config *server, const struct tls_config *client,
                  const char *name)
{
	struct err err;
	struct tls_ctx *s = tls_server_create(server, &err);
	struct tls_ctx *c = tls_client_create(client, &err);

	assert_non_null(s);
	assert_non_null(c);
	join(s, c, name);
	/* Connections keep what they need. */
	tls_ctx_unref(s);
	tls_ctx_unref(c);
	run_until_judged();
}

static void shows_the_verified_chain_and_the_protocol(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&client_pair, &root);

	(void)state;
	server.alpn = "h2,http/1.1";
	client.alpn = "http/1.1,x";
	shake(&server, &client, "server.test");
	assert_true(server_end.opened && client_end.opened);
	assert_int_equal(sk_X509_num(tls_peer_chain(wire_tls(server_end.wire))), 2);
	assert_int_equal(sk_X509_num(tls_peer_chain(wire_tls(client_end.wire))), 2);
	assert_true(str_is(tls_alpn(wire_tls(server_end.wire)), "http/1.1"));
	assert_true(str_is(tls_alpn(wire_tls(client_end.wire)), "http/1.1"));
	assert_false(SSL_session_reused(wire_tls(client_end.wire)));
	wire_write(client_end.wire, STR_LIT("last words"));
	wire_finish(client_end.wire);
	run_until(&server_end.closed);
	assert_string_equal(buf_text(&server_end.got), "last words");
	assert_string_equal(server_end.why.msg, "closed by the peer");
}

static void refuses_certificates_and_says_why_on_both_sides(void **state)
{
	const struct {
		const struct pki_pair *server, *client;
		enum err_code server_says, client_says;
	} rows[] = {
		{&server_pair, &foreign_pair, ERR_FORBIDDEN, ERR_UNAUTHORIZED},
		{&server_pair, &expired_pair, ERR_FORBIDDEN, ERR_UNAUTHORIZED},
		{&server_pair, NULL, ERR_FORBIDDEN, ERR_UNAUTHORIZED},
		{&foreign_pair, &client_pair, ERR_UNAUTHORIZED, ERR_FORBIDDEN},
		{&expired_pair, &client_pair, ERR_UNAUTHORIZED, ERR_FORBIDDEN},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct tls_config server = config_of(rows[i].server, &root);
		struct tls_config client = config_of(rows[i].client, &root);

		shake(&server, &client, NULL);
		assert_true(server_end.closed && client_end.closed);
		assert_int_equal(server_end.why.code, rows[i].server_says);
		assert_int_equal(client_end.why.code, rows[i].client_says);
	}
}

static void asks_without_insisting(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(NULL, &root);

	(void)state;
	server.peer = TLS_PEER_REQUESTED;
	shake(&server, &client, NULL);
	assert_true(server_end.opened);
	assert_null(tls_peer_chain(wire_tls(server_end.wire)));
	client = config_of(&expired_pair, &root);
	shake(&server, &client, NULL);
	assert_int_equal(server_end.why.code, ERR_FORBIDDEN);
	assert_int_equal(client_end.why.code, ERR_UNAUTHORIZED);
	client = (struct tls_config){.peer = TLS_PEER_NONE};
	shake(&server, &client, "whatever.test");
	assert_true(client_end.opened);
	assert_null(tls_peer_chain(wire_tls(client_end.wire)));
}

static void passes_expired_ones_only_when_told_to(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&expired_pair, &root);

	(void)state;
	server.accept_expired = true;
	shake(&server, &client, NULL);
	assert_true(server_end.opened);
	assert_non_null(tls_peer_chain(wire_tls(server_end.wire)));
	client = config_of(&foreign_pair, &root);
	shake(&server, &client, NULL);
	assert_int_equal(server_end.why.code, ERR_FORBIDDEN);
}

static void passes_early_ones_only_when_told_to(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&early_pair, &root);

	(void)state;
	server.accept_expired = true;
	shake(&server, &client, NULL);
	assert_int_equal(server_end.why.code, ERR_FORBIDDEN);
	assert_non_null(strstr(server_end.why.msg, "not yet valid"));
	server.accept_early = true;
	shake(&server, &client, NULL);
	assert_true(server_end.opened);
	assert_non_null(tls_peer_chain(wire_tls(server_end.wire)));
}

static bool refuse_all(STACK_OF(X509) * chain, void *arg, struct err *err)
{
	*(int *)arg = sk_X509_num(chain);
	return err_set(err, ERR_FORBIDDEN, "identity 'x' is not of cluster 'y'");
}

static void lets_a_hook_refuse_an_identity(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&client_pair, &root);
	int seen = 0;

	(void)state;
	server.verify = refuse_all;
	server.verify_arg = &seen;
	shake(&server, &client, NULL);
	assert_int_equal(seen, 2);
	assert_non_null(strstr(server_end.why.msg, "identity 'x' is not of cluster 'y'"));
	assert_int_equal(client_end.why.code, ERR_UNAUTHORIZED);
}

static void checks_the_name_when_asked(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&client_pair, &root);
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{"server.test", true}, {"127.0.0.1", true}, {"other.test", false}, {"::1", false}};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		shake(&server, &client, rows[i].name);
		assert_int_equal(!client_end.closed, rows[i].ok);
	}
}

static void refuses_bad_material_at_birth(void **state)
{
	struct tls_config rows[6];
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		rows[i] = config_of(&server_pair, &root);
	rows[0].cert_pem = STR_LIT("junk");
	rows[1].key_pem = STR_LIT("junk");
	rows[2].key_pem = str_from(client_pair.key_pem);
	rows[3].roots_pem = STR_NULL;
	rows[4].roots_pem =
		STR_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	rows[5].alpn = "h2,,x";
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		assert_null(tls_server_create(&rows[i], &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void tells_plain_text_from_tls(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct err err;
	struct tls_ctx *ctx = tls_server_create(&server, &err);

	(void)state;
	join(ctx, NULL, NULL);
	tls_ctx_unref(ctx);
	run_until(&client_end.opened);
	wire_write(client_end.wire, STR_LIT("GET / HTTP/1.1\r\n\r\n"));
	run_until(&server_end.closed);
	assert_string_equal(server_end.why.msg, "the peer does not speak TLS");
}

static void a_paused_wire_reads_nothing_and_loses_nothing(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct tls_config client = config_of(&client_pair, &root);
	char block[10000];
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	(void)state;
	memset(block, 'b', sizeof(block));
	shake(&server, &client, NULL);
	wire_set_paused(server_end.wire, true);
	for (int i = 0; i < 50; i++)
		assert_true(wire_write(client_end.wire, str_make(block, sizeof(block))));
	for (int i = 0; i < 10; i++)
		loop_run_once(loop, 2);
	assert_int_equal(server_end.got.len, 0);
	wire_set_paused(server_end.wire, false);
	while (server_end.got.len < 50 * sizeof(block)) {
		assert_true(clock_now_ms() < end_ms);
		loop_run_once(loop, 50);
	}
	assert_int_equal(wire_queued(client_end.wire), 0);
}

static void gives_up_on_a_handshake_that_never_ends(void **state)
{
	struct tls_config server = config_of(&server_pair, &root);
	struct err err;
	struct tls_ctx *ctx = tls_server_create(&server, &err);

	(void)state;
	join(ctx, NULL, NULL);
	tls_ctx_unref(ctx);
	wire_set_open_timeout(server_end.wire, 30);
	run_until(&server_end.closed);
	assert_int_equal(server_end.why.code, ERR_TIMEOUT);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_create();
	root = pki_make(NULL, "root", NULL, 3600);
	stranger = pki_make(NULL, "stranger", NULL, 3600);
	server_pair = pki_make(&root, "server", "DNS:server.test,IP:127.0.0.1", 3600);
	client_pair = pki_make(&root, "client", NULL, 3600);
	expired_pair = pki_make(&root, "expired", NULL, -60);
	early_pair = pki_make_early(&root, "early");
	foreign_pair = pki_make(&stranger, "foreign", NULL, 3600);
	return 0;
}

static int tear_down(void **state)
{
	struct pki_pair *pairs[] = {&root,         &stranger,   &server_pair, &client_pair,
	                            &expired_pair, &early_pair, &foreign_pair};

	(void)state;
	reset_end(&server_end);
	reset_end(&client_end);
	loop_destroy(loop);
	for (size_t i = 0; i < N_ELEMS(pairs); i++)
		pki_free(pairs[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_verified_chain_and_the_protocol),
		cmocka_unit_test(refuses_certificates_and_says_why_on_both_sides),
		cmocka_unit_test(asks_without_insisting),
		cmocka_unit_test(passes_expired_ones_only_when_told_to),
		cmocka_unit_test(passes_early_ones_only_when_told_to),
		cmocka_unit_test(lets_a_hook_refuse_an_identity),
		cmocka_unit_test(checks_the_name_when_asked),
		cmocka_unit_test(refuses_bad_material_at_birth),
		cmocka_unit_test(tells_plain_text_from_tls),
		cmocka_unit_test(a_paused_wire_reads_nothing_and_loses_nothing),
		cmocka_unit_test(gives_up_on_a_handshake_that_never_ends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
