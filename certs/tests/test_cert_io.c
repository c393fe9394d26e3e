/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control plane that issues and a client that asks, in one loop, over TLS on loopback.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/net.h"
#include "base/tls.h"
#include "certs/cert_client_io.h"
#include "certs/csr_service.h"
#include "certs/key.h"
#include "certs/store.h"
#include "xds/uplink_io.h"

enum {
	PATIENCE_MS = 15000
};

struct fixture {
	struct loop *loop;
	char dir[64];
	char path[6][128]; /* store, client, roots, token, tls.pem, address */
	struct addr addr;
	struct cert_store *store;
	struct http_server *http;
	struct grpc_server *grpc;
	struct cert_csr_service *service;
	struct cert_client *client;
	struct cert_review *waiting;
	bool answer_later;
	bool left;
	bool review_fails;
	size_t reviews;
	size_t granted;
	size_t refused;
	size_t certs;
	size_t troubles;
	struct err trouble;
};

enum path {
	STORE,
	CLIENT,
	ROOTS,
	TOKEN,
	TLS_PEM,
	ADDRESS,
};

static const char *const audiences[] = {"fedway"};

/* --- the owner of the service ----------------------------------------------------------------- */

static void finish_review(struct fixture *f, struct cert_review *review, bool good)
{
	struct cert_token_review status = {
		.authenticated = good,
		.audiences = audiences,
		.n_audiences = 1,
		.username = "system:serviceaccount:fedway-system:fedway-gateway-gw-1",
	};
	struct err err;
	err_set(&err, ERR_TIMEOUT, "no answer");
	if (f->review_fails)
		cert_review_fail(review, &err);
	else
		cert_review_done(review, &status);
}

static void on_review(struct cert_review *review, const char *cluster, const char *token, void *arg)
{
	struct fixture *f = arg;
	assert_string_equal(cluster, "c1");
	f->reviews++;
	if (f->answer_later)
		f->waiting = review;
	else
		finish_review(f, review, strcmp(token, "good") == 0);
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	struct fixture *f = arg;
	return (strcmp(cluster, "c1") == 0 && !f->left) ||
	       err_set(err, ERR_FORBIDDEN, "cluster '%s' is not a member", cluster);
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	(void)cluster;
	(void)arg;
	return strcmp(name, "gw-1") == 0;
}

static void on_decided(const struct cert_identity *identity, const char *cluster,
                       const struct err *err, void *arg)
{
	struct fixture *f = arg;
	(void)cluster;
	(void)err;
	if (identity != NULL)
		f->granted++;
	else
		f->refused++;
}

static struct tls_ctx *server_tls(struct fixture *f)
{
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	const char *names[] = {"127.0.0.1"};
	assert_true(
		cert_store_issue_server(f->store, names, 1, clock_wall_s(), &chain, &key, &err));
	struct tls_config config = {.cert_pem = buf_str(&chain),
	                            .key_pem = buf_str(&key),
	                            .roots_pem = cert_store_roots(f->store),
	                            .alpn = "h2",
	                            .peer = TLS_PEER_REQUESTED};
	struct tls_ctx *tls = tls_server_create(&config, &err);
	assert_non_null(tls);
	return tls;
}

static void start_server(struct fixture *f, struct tls_ctx *tls)
{
	struct err err;
	struct addr addr = f->addr;
	int fd = net_listen(&addr, false, &f->addr, &err);
	assert_true(fd >= 0);
	f->grpc = grpc_server_create(f->loop);
	struct http_server_config http = {.loop = f->loop,
	                                  .name = "test",
	                                  .on_request = grpc_server_on_request,
	                                  .arg = f->grpc};
	f->http = http_server_create(&http);
	http_server_listen(f->http, fd, tls);
	tls_ctx_unref(tls);
	struct cert_csr_service_config config = {.grpc = f->grpc,
	                                         .store = f->store,
	                                         .review = on_review,
	                                         .cluster_may = cluster_may,
	                                         .gateway_exists = gateway_exists,
	                                         .on_decided = on_decided,
	                                         .arg = f};
	f->service = cert_csr_service_create(&config);
	snprintf(f->path[ADDRESS], sizeof(f->path[ADDRESS]), "127.0.0.1:%u", f->addr.port);
}

static void stop_server(struct fixture *f)
{
	http_server_destroy(f->http);
	grpc_server_destroy(f->grpc);
	cert_csr_service_destroy(f->service);
}

/* --- the owner of the client ------------------------------------------------------------------ */

static void on_cert(struct cert_client *client, void *arg)
{
	struct fixture *f = arg;
	assert_true(cert_client_has_cert(client));
	f->certs++;
}

static void on_trouble(const struct err *why, void *arg)
{
	struct fixture *f = arg;
	f->troubles++;
	f->trouble = *why;
}

static void start_client_of(struct fixture *f, int64_t ttl_s, const char *foreign_uri)
{
	struct err err;
	struct cert_client_config config = {.loop = f->loop,
	                                    .address = f->path[ADDRESS],
	                                    .trust_file = f->path[ROOTS],
	                                    .token_file = f->path[TOKEN],
	                                    .cluster = "c1",
	                                    .foreign_uri = foreign_uri,
	                                    .dir = f->path[CLIENT],
	                                    .ttl_s = ttl_s,
	                                    .retry_min_ms = 50,
	                                    .retry_max_ms = 200,
	                                    .on_cert = on_cert,
	                                    .on_trouble = on_trouble,
	                                    .arg = f};
	f->client = cert_client_create(&config, &err);
	if (f->client == NULL)
		fail_msg("%s", err.msg);
}

static void start_client(struct fixture *f, int64_t ttl_s)
{
	start_client_of(f, ttl_s, NULL);
}

static void stop_client(struct fixture *f)
{
	cert_client_destroy(f->client);
	f->client = NULL;
}

static void write_token(struct fixture *f, const char *token)
{
	struct err err;
	assert_true(file_save(f->path[TOKEN], str_from(token), 0600, &err));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static const char *const names[] = {"store", "client", "roots.pem", "token",
	                                    "client/tls.pem"};
	struct err err;
	snprintf(f->dir, sizeof(f->dir), "/tmp/fedway-certio-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (size_t i = 0; i < N_ELEMS(names); i++)
		snprintf(f->path[i], sizeof(f->path[i]), "%s/%s", f->dir, names[i]);
	f->loop = loop_create();
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &f->addr));
	struct cert_store_config config = {.dir = f->path[STORE], .trust_domain = "td"};
	f->store = cert_store_open(&config, clock_wall_s(), &err);
	assert_non_null(f->store);
	assert_true(file_save(f->path[ROOTS], cert_store_roots(f->store), 0600, &err));
	write_token(f, "good\n");
	start_server(f, server_tls(f));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command_dir[128];
	static const char *const files[] = {"store/root.pem",
	                                    "store/roots.pem",
	                                    "store/control-plane.pem",
	                                    "store/api-client.pem",
	                                    "store/api-serving.pem",
	                                    "store/clusters/c1.pem",
	                                    "client/tls.pem",
	                                    "roots.pem",
	                                    "token"};
	static const char *const dirs[] = {"store/clusters", "store", "client"};
	stop_client(f);
	stop_server(f);
	cert_store_close(f->store);
	loop_destroy(f->loop);
	for (size_t i = 0; i < N_ELEMS(files); i++) {
		snprintf(command_dir, sizeof(command_dir), "%s/%s", f->dir, files[i]);
		unlink(command_dir);
	}
	for (size_t i = 0; i < N_ELEMS(dirs); i++) {
		snprintf(command_dir, sizeof(command_dir), "%s/%s", f->dir, dirs[i]);
		rmdir(command_dir);
	}
	int rc = rmdir(f->dir);
	free(f);
	return rc;
}

#define RUN_UNTIL(f, condition)                                                                    \
	do {                                                                                       \
		int64_t until_ms = clock_now_ms() + PATIENCE_MS;                                   \
		while (!(condition)) {                                                             \
			if (clock_now_ms() > until_ms)                                             \
				fail_msg("still not: %s; last trouble: %s", #condition,            \
				         (f)->trouble.msg);                                        \
			loop_run_once((f)->loop, 50);                                              \
		}                                                                                  \
	} while (0)

/* --- tests ------------------------------------------------------------------------------------ */

static void token_buys_a_certificate(void **state)
{
	struct fixture *f = *state;
	char text[CERT_URI_MAX];
	struct stat st;
	struct err err;
	start_client(f, 0);
	assert_false(cert_client_has_cert(f->client));
	RUN_UNTIL(f, f->certs == 1);
	assert_string_equal(cert_identity_format(cert_client_identity(f->client), text),
	                    "spiffe://td/fedway/cluster/c1/gateway/gw-1");
	assert_int_equal(f->reviews, 1);
	assert_int_equal(f->granted, 1);
	assert_int_equal(f->troubles, 0);
	assert_int_equal(stat(f->path[TLS_PEM], &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(cert_chain_verify(cert_client_chain(f->client), cert_store_roots(f->store),
	                              clock_wall_s(), NULL, &err));
	struct tls_ctx *tls = cert_client_tls(f->client, &err);
	assert_non_null(tls);
	tls_ctx_unref(tls);
}

static void a_foreign_service_is_known_by_its_host_name(void **state)
{
	static const char uri[] = "spiffe://td/fedway/cluster/c1/gateway/gw-1";
	struct fixture *f = *state;
	start_client_of(f, 0, uri);
	RUN_UNTIL(f, f->certs == 1);
	stop_client(f);
	unlink(f->path[TLS_PEM]);
	/* its certificate carries 127.0.0.1 alone */
	snprintf(f->path[ADDRESS], sizeof(f->path[ADDRESS]), "localhost:%u", f->addr.port);
	start_client_of(f, 0, uri);
	RUN_UNTIL(f, f->troubles > 0);
	assert_int_equal(f->trouble.code, ERR_FORBIDDEN);
	assert_int_equal(f->certs, 1);
}

static void certificate_renews_itself_without_the_token(void **state)
{
	struct fixture *f = *state;
	start_client(f, 3);
	RUN_UNTIL(f, f->certs == 1);
	int64_t first = cert_client_not_after(f->client);
	unlink(f->path[TOKEN]);
	RUN_UNTIL(f, f->certs == 3);
	assert_int_equal(f->reviews, 1);
	assert_true(cert_client_not_after(f->client) > first);
	assert_int_equal(f->troubles, 0);
}

static void stored_certificate_is_used_after_a_restart(void **state)
{
	struct fixture *f = *state;
	start_client(f, 0);
	RUN_UNTIL(f, f->certs == 1);
	int64_t first = cert_client_not_after(f->client);
	stop_client(f);
	start_client(f, 0);
	RUN_UNTIL(f, f->certs == 2);
	assert_int_equal(cert_client_not_after(f->client), first);
	assert_int_equal(f->granted, 1);
}

static void expired_certificate_falls_back_to_the_token(void **state)
{
	struct fixture *f = *state;
	start_client(f, 1);
	RUN_UNTIL(f, f->certs == 1);
	int64_t end = cert_client_not_after(f->client);
	stop_client(f);
	while (clock_wall_s() <= end)
		loop_run_once(f->loop, 100);
	start_client(f, 0);
	RUN_UNTIL(f, f->certs == 2); /* the expired one: better than none */
	assert_int_equal(cert_client_not_after(f->client), end);
	RUN_UNTIL(f, f->certs == 3);
	assert_int_equal(f->reviews, 2);
	assert_true(cert_client_not_after(f->client) > end);
}

/* The server no longer trusts whoever signed our certificate. */
static void refused_certificate_falls_back_to_the_token(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start_client(f, 2);
	RUN_UNTIL(f, f->certs == 1);
	stop_server(f);
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	struct buf roots CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	buf_init(&roots, CERT_PEM_MAX);
	struct cert_ca *foreign = cert_ca_create_root("td", CERT_ROOT_TTL_S, clock_wall_s());
	cert_x509_encode(cert_ca_x509(foreign), &roots);
	cert_ca_destroy(foreign);
	assert_true(cert_store_issue_server(f->store, NULL, 0, clock_wall_s(), &chain, &key, &err));
	struct tls_config config = {.cert_pem = buf_str(&chain),
	                            .key_pem = buf_str(&key),
	                            .roots_pem = buf_str(&roots),
	                            .alpn = "h2",
	                            .peer = TLS_PEER_REQUESTED};
	struct tls_ctx *tls = tls_server_create(&config, &err);
	start_server(f, tls);
	RUN_UNTIL(f, f->certs == 2);
	assert_int_equal(f->reviews, 2);
	assert_true(f->troubles >= 1);
	assert_int_equal(f->trouble.code, ERR_UNAUTHORIZED);
}

static void told_of_a_refusal_it_gets_another_with_the_token(void **state)
{
	struct fixture *f = *state;
	start_client(f, 0);
	RUN_UNTIL(f, f->certs == 1);
	cert_client_refused(f->client);
	cert_client_refused(f->client);
	RUN_UNTIL(f, f->certs == 2);
	assert_int_equal(f->reviews, 2);
}

static void bad_token_is_refused_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;
	write_token(f, "bad");
	start_client(f, 0);
	RUN_UNTIL(f, f->troubles >= 2);
	assert_int_equal(f->trouble.code, ERR_UNAUTHORIZED);
	assert_null(strstr(f->trouble.msg, "bad"));
	assert_false(cert_client_has_cert(f->client));
	write_token(f, "good");
	RUN_UNTIL(f, f->certs == 1);
}

static void missing_token_is_named(void **state)
{
	struct fixture *f = *state;
	unlink(f->path[TOKEN]);
	start_client(f, 0);
	RUN_UNTIL(f, f->troubles >= 1);
	assert_non_null(strstr(f->trouble.msg, "token"));
	write_token(f, "good");
	RUN_UNTIL(f, f->certs == 1);
}

static void cluster_that_left_gets_nothing(void **state)
{
	struct fixture *f = *state;
	f->answer_later = true;
	start_client(f, 0);
	RUN_UNTIL(f, f->waiting != NULL);
	f->left = true; /* while its API server is asked */
	finish_review(f, f->waiting, true);
	RUN_UNTIL(f, f->troubles >= 2);
	assert_int_equal(f->trouble.code, ERR_FORBIDDEN);
	assert_int_equal(f->granted, 0);
}

static void caller_may_go_while_its_token_is_reviewed(void **state)
{
	struct fixture *f = *state;
	f->answer_later = true;
	start_client(f, 0);
	RUN_UNTIL(f, f->waiting != NULL);
	stop_client(f);
	for (int i = 0; i < 10; i++)
		loop_run_once(f->loop, 10);
	finish_review(f, f->waiting, true);
	assert_int_equal(f->granted, 1);
}

static void member_that_does_not_answer_is_worth_a_retry(void **state)
{
	struct fixture *f = *state;
	f->review_fails = true;
	start_client(f, 0);
	RUN_UNTIL(f, f->troubles >= 1);
	assert_int_equal(f->trouble.code, ERR_UNAVAILABLE);
	f->review_fails = false;
	RUN_UNTIL(f, f->certs == 1);
}

/* Whoever holds a certificate of a cluster is not the control plane. */
static void server_that_is_not_the_control_plane_gets_no_token(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	struct cert_identity who = {.kind = CERT_CONTROL_PLANE, .trust_domain = "td"};
	struct cert_own_request request = {.identity = &who, .now_wall_s = clock_wall_s()};
	const struct cert_ca *c1 = cert_store_cluster(f->store, "c1", clock_wall_s(), &err);
	assert_true(cert_ca_issue_own(c1, &request, &chain, &key, &err));
	struct tls_config config = {.cert_pem = buf_str(&chain),
	                            .key_pem = buf_str(&key),
	                            .roots_pem = cert_store_roots(f->store),
	                            .alpn = "h2",
	                            .peer = TLS_PEER_REQUESTED};
	stop_server(f);
	start_server(f, tls_server_create(&config, &err));
	start_client(f, 0);
	RUN_UNTIL(f, f->troubles >= 1);
	assert_int_equal(f->trouble.code, ERR_FORBIDDEN);
	assert_int_equal(f->reviews, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(token_buys_a_certificate),
		TEST(a_foreign_service_is_known_by_its_host_name),
		TEST(certificate_renews_itself_without_the_token),
		TEST(stored_certificate_is_used_after_a_restart),
		TEST(expired_certificate_falls_back_to_the_token),
		TEST(refused_certificate_falls_back_to_the_token),
		TEST(told_of_a_refusal_it_gets_another_with_the_token),
		TEST(bad_token_is_refused_until_it_is_replaced),
		TEST(missing_token_is_named),
		TEST(cluster_that_left_gets_nothing),
		TEST(caller_may_go_while_its_token_is_reviewed),
		TEST(member_that_does_not_answer_is_worth_a_retry),
		TEST(server_that_is_not_the_control_plane_gets_no_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
