/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control plane, three whole probes and a gateway that routes by name, in one loop on loopback.
 *
 *   network n1: c1, c2 (their gateway's port is closed)      network n2: c3 behind the gateway
 */
#include "daemon.h"
#include "mesh.h"
#include "unit.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/net.h"
#include "base/tls.h"
#include "base/wire.h"
#include "certs/csr_service.h"
#include "certs/store.h"
#include "probe/service_io.h"
#include "probe/worker_io.h"

enum {
	PATIENCE_MS = 20000,
	N_PROBES = 3
};

struct world {
	struct loop *loop;
	char dir[64];
	char roots_path[128];
	char address[64];
	struct cert_store *store;
	struct http_server *http;
	struct grpc_server *grpc;
	struct cert_csr_service *csr;
	struct probe_service *service;
	struct probe_daemon *daemons[N_PROBES];
	struct addr probe_addrs[N_PROBES];
	uint16_t closed_port;
	/* the gateway */
	int gateway_fd;
	struct addr gateway_addr;
	struct loop_io gateway_io;
	bool promiscuous;
	size_t refused;
	size_t calls;
};

static const char *const clusters[N_PROBES] = {"c1", "c2", "c3"};

static struct addr loopback(void)
{
	struct addr addr;
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &addr));
	return addr;
}

/* --- the gateway ------------------------------------------------------------------------------ */

/* A connection and the one behind it; freed with the second of both. */
struct relay {
	struct world *world;
	struct wire *front;
	struct wire *back;
};

static void end_relay(struct relay *relay)
{
	wire_close(relay->front);
	wire_close(relay->back);
	loop_bury(relay->world->loop, free, relay);
}

static void on_wire_open(struct wire *wire, void *arg)
{
	(void)wire;
	(void)arg;
}

static void on_wire_close(struct wire *wire, const struct err *why, void *arg)
{
	struct relay *relay = arg;
	(void)why;
	if (wire == relay->front)
		relay->front = NULL;
	else
		relay->back = NULL;
	end_relay(relay);
}

static void on_back_data(struct wire *wire, struct str data, void *arg)
{
	struct relay *relay = arg;
	(void)wire;
	wire_write(relay->front, data);
}

static const struct wire_events back_events = {
	.on_open = on_wire_open, .on_data = on_back_data, .on_close = on_wire_close};

static void on_front_data(struct wire *wire, struct str data, void *arg)
{
	struct relay *relay = arg;
	struct world *w = relay->world;
	struct err err;
	if (relay->back == NULL) {
		const char *name = "_probe.c3.fedway.internal";
		if (!w->promiscuous && memmem(data.ptr, data.len, name, strlen(name)) == NULL) {
			w->refused++;
			wire_write(wire, STR_LIT("\x15\x03\x03\x00\x02\x02\x70"));
			wire_finish(wire);
			return;
		}
		relay->back =
			wire_connect(w->loop, &w->probe_addrs[2], NULL, &back_events, relay, &err);
		assert_non_null(relay->back);
	}
	wire_write(relay->back, data);
}

static const struct wire_events front_events = {
	.on_open = on_wire_open, .on_data = on_front_data, .on_close = on_wire_close};

static void on_gateway_accept(unsigned ready, void *arg)
{
	struct world *w = arg;
	int fd = net_accept(w->gateway_fd, NULL);
	(void)ready;
	if (fd < 0)
		return;
	struct relay *relay = xcalloc(1, sizeof(*relay));
	relay->world = w;
	relay->front = wire_accept(w->loop, fd, NULL, &front_events, relay);
}

static void start_gateway(struct world *w)
{
	struct addr addr = loopback();
	struct addr closed;
	struct err err;
	w->gateway_fd = net_listen(&addr, false, &w->gateway_addr, &err);
	loop_io_init(&w->gateway_io, w->loop, w->gateway_fd, on_gateway_accept, w);
	loop_io_set(&w->gateway_io, LOOP_READ);
	int fd = net_listen(&addr, false, &closed, &err);
	w->closed_port = closed.port;
	close(fd);
}

/* --- the control plane ------------------------------------------------------------------------ */

static void on_review(struct cert_review *review, const char *cluster, const char *token, void *arg)
{
	static const char *const audiences[] = {"fedway"};
	char pod[80];
	(void)arg;
	snprintf(pod, sizeof(pod), "probe-%s", cluster);
	struct cert_token_review status = {
		.authenticated = strcmp(token, "good") == 0,
		.audiences = audiences,
		.n_audiences = 1,
		.username = "system:serviceaccount:fedway-system:fedway-probe",
		.pod_name = pod,
	};
	cert_review_done(review, &status);
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	(void)arg;
	return strcmp(cluster, "gone") != 0 ||
	       err_set(err, ERR_FORBIDDEN, "cluster '%s' has left", cluster);
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	(void)cluster;
	(void)name;
	(void)arg;
	return true;
}

static void start_control_plane(struct world *w)
{
	const char *names[] = {"127.0.0.1"};
	struct addr addr = loopback();
	struct addr real;
	struct err err;
	struct buf chain CLEANUP(buf_fini);
	struct buf key CLEANUP(buf_fini);
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	char dir[128];
	snprintf(dir, sizeof(dir), "%s/store", w->dir);
	struct cert_store_config store = {.dir = dir, .trust_domain = MESH_TD};
	w->store = cert_store_open(&store, clock_wall_s(), &err);
	assert_non_null(w->store);
	assert_true(
		cert_store_issue_server(w->store, names, 1, clock_wall_s(), &chain, &key, &err));
	assert_true(file_save(w->roots_path, cert_store_roots(w->store), 0600, &err));
	struct tls_config tls_config = {.cert_pem = buf_str(&chain),
	                                .key_pem = buf_str(&key),
	                                .roots_pem = cert_store_roots(w->store),
	                                .alpn = "h2",
	                                .peer = TLS_PEER_REQUESTED};
	struct tls_ctx *tls = tls_server_create(&tls_config, &err);
	assert_non_null(tls);
	int fd = net_listen(&addr, false, &real, &err);
	assert_true(fd >= 0);
	snprintf(w->address, sizeof(w->address), "127.0.0.1:%u", real.port);
	w->grpc = grpc_server_create(w->loop);
	struct http_server_config http = {.loop = w->loop,
	                                  .name = "test",
	                                  .on_request = grpc_server_on_request,
	                                  .arg = w->grpc};
	w->http = http_server_create(&http);
	http_server_listen(w->http, fd, tls);
	tls_ctx_unref(tls);
	struct cert_csr_service_config csr = {.grpc = w->grpc,
	                                      .store = w->store,
	                                      .review = on_review,
	                                      .cluster_may = cluster_may,
	                                      .gateway_exists = gateway_exists};
	w->csr = cert_csr_service_create(&csr);
	struct probe_service_config config = {.loop = w->loop,
	                                      .grpc = w->grpc,
	                                      .trust_domain = MESH_TD,
	                                      .interval_ms = -1,
	                                      .payload = 2000,
	                                      .check_deadline_ms = 4000,
	                                      .cluster_may = cluster_may};
	w->service = probe_service_create(&config);
}

/* --- the probes ------------------------------------------------------------------------------- */

static void start_probe(struct world *w, size_t i)
{
	char dir[128];
	char token[128];
	struct err err;
	snprintf(dir, sizeof(dir), "%s/%s", w->dir, clusters[i]);
	snprintf(token, sizeof(token), "%s/token", w->dir);
	assert_true(file_save(token, STR_LIT("good"), 0600, &err));
	struct probe_config config = {
		.listener = loopback(),
		.data_dir = xstrdup(dir),
		.address = xstrdup(w->address),
		.trust_file = xstrdup(w->roots_path),
		.token_file = xstrdup(token),
		.cluster = xstrdup(clusters[i]),
	};
	w->daemons[i] = probe_daemon_create(w->loop, &config, &err);
	if (w->daemons[i] == NULL)
		fail_msg("%s", err.msg);
	w->probe_addrs[i] = probe_daemon_addr(w->daemons[i]);
	probe_config_fini(&config);
}

static void set_topology(struct world *w)
{
	const struct probe_cluster list[] = {
		{"c1", "n1", true, "127.0.0.1", w->probe_addrs[0].port},
		{"c2", "n1", true, "127.0.0.1", w->probe_addrs[1].port},
		{"c3", "n2", true, "127.0.0.1", w->probe_addrs[2].port},
	};
	const struct probe_gateway gateways[] = {
		{"gw-1", "n1", "127.0.0.1", w->closed_port},
		{"gw-2", "n2", "127.0.0.1", w->gateway_addr.port},
	};
	const struct probe_topology topology = {list, 3, gateways, 2, 0};
	struct err err;
	assert_true(probe_service_set_topology(w->service, &topology, &err));
}

static bool all_here(const struct world *w)
{
	for (size_t i = 0; i < N_PROBES; i++) {
		if (probe_service_has_probe(w->service, clusters[i]) != (w->daemons[i] != NULL))
			return false;
	}
	return true;
}

static void wait_for_probes(struct world *w)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	while (!all_here(w) && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	assert_true(all_here(w));
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "/tmp/fedway-probe-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->roots_path, sizeof(w->roots_path), "%s/roots.pem", w->dir);
	w->loop = loop_create();
	start_control_plane(w);
	start_gateway(w);
	for (size_t i = 0; i < N_PROBES; i++)
		start_probe(w, i);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < N_PROBES; i++)
		probe_daemon_destroy(w->daemons[i]);
	http_server_destroy(w->http);
	grpc_server_destroy(w->grpc);
	probe_service_destroy(w->service);
	cert_csr_service_destroy(w->csr);
	cert_store_close(w->store);
	loop_io_fini(&w->gateway_io);
	close(w->gateway_fd);
	for (int i = 0; i < 20; i++)
		loop_run_once(w->loop, 5);
	loop_destroy(w->loop);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* --- what is asked ---------------------------------------------------------------------------- */

static void on_matrix(const struct probe_matrix *matrix, void *arg)
{
	struct world *w = arg;
	assert_ptr_equal(matrix, probe_service_matrix(w->service));
	w->calls++;
}

static void run(struct world *w)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	w->calls = 0;
	probe_service_run(w->service, on_matrix, w);
	assert_int_equal(w->calls, 0);
	while (w->calls == 0 && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	assert_int_equal(w->calls, 1);
}

static void expect(const struct world *w, size_t from, size_t to, enum probe_cell_state state,
                   const char *code)
{
	size_t n;
	const struct probe_cell *cells = probe_matrix_cells(probe_service_matrix(w->service), &n);
	for (size_t i = 0; i < n; i++) {
		if (cells[i].from != from || cells[i].to != to)
			continue;
		if (cells[i].state != state || strcmp(cells[i].code, code) != 0)
			fail_msg("%zu → %zu: %s %s %s", from, to,
			         probe_cell_state_name(cells[i].state), cells[i].code,
			         cells[i].result != NULL ? cells[i].result->evidence : "");
		return;
	}
	fail_msg("no cell %zu → %zu", from, to);
}

static const char *first_cause(const struct world *w, json_t **ret_answer)
{
	*ret_answer = probe_matrix_encode(probe_service_matrix(w->service), clock_now_ms(),
	                                  clock_wall_s());
	return json_string_value(json_object_get(
		json_array_get(json_object_get(*ret_answer, "causes"), 0), "message"));
}

static void a_run_fills_the_matrix(void **state)
{
	struct world *w = *state;
	json_t *answer;
	wait_for_probes(w);
	set_topology(w);
	run(w);
	expect(w, 0, 1, PROBE_CELL_OK, "");
	expect(w, 1, 0, PROBE_CELL_OK, "");
	expect(w, 0, 2, PROBE_CELL_OK, "");
	expect(w, 1, 2, PROBE_CELL_OK, "");
	expect(w, 2, 0, PROBE_CELL_FAILED, "FED-110");
	expect(w, 2, 1, PROBE_CELL_FAILED, "FED-110");
	assert_int_equal(w->refused, 2);
	assert_non_null(strstr(first_cause(w, &answer), "[n2 → n1] connection refused"));
	json_decref(answer);
}

static void a_gateway_that_answers_any_name_fails(void **state)
{
	struct world *w = *state;
	w->promiscuous = true;
	wait_for_probes(w);
	set_topology(w);
	run(w);
	expect(w, 0, 1, PROBE_CELL_OK, "");
	expect(w, 0, 2, PROBE_CELL_FAILED, "FED-112");
	expect(w, 1, 2, PROBE_CELL_FAILED, "FED-112");
}

static void a_probe_that_is_gone_has_no_results(void **state)
{
	struct world *w = *state;
	json_t *answer;
	wait_for_probes(w);
	set_topology(w);
	run(w);
	probe_daemon_destroy(w->daemons[2]);
	w->daemons[2] = NULL;
	wait_for_probes(w);
	run(w);
	expect(w, 2, 0, PROBE_CELL_NO_RESULT, "");
	expect(w, 2, 1, PROBE_CELL_NO_RESULT, "");
	expect(w, 0, 2, PROBE_CELL_FAILED, "FED-112");
	expect(w, 0, 1, PROBE_CELL_OK, "");
	assert_non_null(strstr(first_cause(w, &answer), "[c3] nothing from it or to it works"));
	json_decref(answer);
}

static void a_probe_that_goes_during_a_run_does_not_hold_it(void **state)
{
	struct world *w = *state;
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	wait_for_probes(w);
	set_topology(w);
	w->calls = 0;
	probe_service_run(w->service, on_matrix, w);
	probe_service_run(w->service, on_matrix, w);
	probe_daemon_destroy(w->daemons[0]);
	w->daemons[0] = NULL;
	while (w->calls < 2 && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	assert_int_equal(w->calls, 2);
	expect(w, 0, 2, PROBE_CELL_NO_RESULT, "");
	expect(w, 1, 2, PROBE_CELL_OK, "");
}

static void a_change_during_a_run_begins_it_anew(void **state)
{
	struct world *w = *state;
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	wait_for_probes(w);
	w->calls = 0;
	probe_service_run(w->service, on_matrix, w);
	set_topology(w);
	set_topology(w);
	while (w->calls == 0 && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	assert_int_equal(w->calls, 1);
	expect(w, 0, 2, PROBE_CELL_OK, "");
}

static void who_cancels_is_not_called(void **state)
{
	struct world *w = *state;
	wait_for_probes(w);
	set_topology(w);
	w->calls = 0;
	probe_service_run(w->service, on_matrix, &w->calls);
	probe_service_cancel(w->service, &w->calls);
	run(w);
}

/* --- who may work ----------------------------------------------------------------------------- */

static void try_to_work(struct world *w, enum cert_kind kind, const char *cluster, bool welcome)
{
	struct err err;
	int64_t until_ms = clock_now_ms() + (welcome ? PATIENCE_MS : 1000);
	struct mesh_leaf leaf =
		mesh_issue(cert_store_root(w->store), kind, cluster, "x", clock_wall_s());
	struct tls_config config = {.cert_pem = buf_str(&leaf.chain),
	                            .key_pem = buf_str(&leaf.key),
	                            .roots_pem = cert_store_roots(w->store),
	                            .alpn = "h2"};
	struct tls_ctx *tls = tls_client_create(&config, &err);
	struct xds_uplink_config uplink_config = {
		.loop = w->loop, .address = w->address, .tls = tls, .stagger_ms = -1};
	struct xds_uplink *uplink = xds_uplink_create(&uplink_config, &err);
	struct probe_worker *worker = probe_worker_create(w->loop, uplink);
	while (!probe_service_has_probe(w->service, cluster) && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 50);
	assert_int_equal(probe_service_has_probe(w->service, cluster), welcome);
	probe_worker_destroy(worker);
	xds_uplink_destroy(uplink);
	tls_ctx_unref(tls);
	mesh_leaf_fini(&leaf);
}

static void only_probes_of_members_may_work(void **state)
{
	struct world *w = *state;
	try_to_work(w, CERT_PROBE, "c9", true);
	try_to_work(w, CERT_GATEWAY, "c8", false);
	try_to_work(w, CERT_PROBE, "gone", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_run_fills_the_matrix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_gateway_that_answers_any_name_fails, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_probe_that_is_gone_has_no_results, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_probe_that_goes_during_a_run_does_not_hold_it,
	                                        set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_change_during_a_run_begins_it_anew, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(who_cancels_is_not_called, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_probes_of_members_may_work, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
