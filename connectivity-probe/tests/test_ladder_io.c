/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks against peers on loopback that behave as written in a row.
 */
#include "mesh.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "base/tls.h"
#include "base/wire.h"
#include "probe/ladder_io.h"
#include "probe/server_io.h"

enum {
	PATIENCE_MS = 10000,
	SHORT_MS = 400
};

struct world {
	struct loop *loop;
	struct cert_ca *root;
	struct cert_ca *other_root;
	struct buf roots;
	struct buf other_roots;
	struct mesh_leaf own;
	struct tls_ctx *client;
	struct probe_result result;
	size_t calls;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int64_t old_s = clock_wall_s() - 10 * MESH_DAY_S;
	struct err err;
	w->loop = loop_create();
	w->root = mesh_root(old_s);
	w->other_root = mesh_root(old_s);
	mesh_roots(w->root, &w->roots);
	mesh_roots(w->other_root, &w->other_roots);
	w->own = mesh_issue(w->root, CERT_PROBE, "c1", "probe-a", clock_wall_s());
	w->client = probe_run_tls(buf_str(&w->own.chain), buf_str(&w->own.key), buf_str(&w->roots),
	                          &err);
	assert_non_null(w->client);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	tls_ctx_unref(w->client);
	loop_destroy(w->loop);
	mesh_leaf_fini(&w->own);
	buf_fini(&w->roots);
	buf_fini(&w->other_roots);
	cert_ca_destroy(w->root);
	cert_ca_destroy(w->other_root);
	free(w);
	return 0;
}

static struct addr loopback(void)
{
	struct addr addr;
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &addr));
	return addr;
}

static void on_result(const struct probe_result *result, void *arg)
{
	struct world *w = arg;
	w->result = *result;
	w->calls++;
}

static struct probe_check check_of(uint16_t port)
{
	return (struct probe_check){.address = "127.0.0.1",
	                            .port = port,
	                            .sni = "_probe.c2.fedway.internal",
	                            .cluster = "c2",
	                            .deadline_ms = PATIENCE_MS};
}

static void run(struct world *w, const struct probe_check *check)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	w->calls = 0;
	probe_run_start(w->loop, check, w->client, on_result, w);
	assert_int_equal(w->calls, 0);
	while (w->calls == 0 && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	loop_run_once(w->loop, 0);
	assert_int_equal(w->calls, 1);
}

static void expect(const struct world *w, const char *name, const char *stages, const char *code)
{
	char text[N_PROBE_STAGES + 1] = "";
	for (size_t i = 0; i < w->result.n_steps; i++)
		text[i] = (w->result.steps[i].ok ? "ACTIRP" : "actirp")[w->result.steps[i].stage];
	if (strcmp(text, stages) != 0 || strcmp(w->result.code, code) != 0)
		fail_msg("%s: %s %s %s", name, text, w->result.code, w->result.evidence);
}

/* --- against the probe's own server ----------------------------------------------------------- */

struct server_row {
	const char *name;
	enum cert_kind kind;
	const char *cluster;
	int64_t issued_in_s; /* from now */
	bool other_root;     /* its certificate is of another mesh */
	bool refuses_us;     /* it trusts the other mesh alone */
	uint32_t payload;
	const char *stages;
	const char *code;
};

static const struct server_row server_rows[] = {
	{"answers", CERT_PROBE, "c2", 0, false, false, 0, "ACTIRP", ""},
	{"answers a payload", CERT_PROBE, "c2", 0, false, false, PROBE_PAYLOAD_MAX, "ACTIRP", ""},
	{"wrong root", CERT_PROBE, "c2", 0, true, false, 0, "ACTi", "FED-120"},
	{"expired is an alarm", CERT_PROBE, "c2", -2 * MESH_DAY_S, false, false, 0, "ACTIRP",
         "FED-121"},
	{"not valid yet", CERT_PROBE, "c2", 2 * MESH_DAY_S, false, false, 0, "ACTi", "FED-121"},
	{"another cluster", CERT_PROBE, "c3", 0, false, false, 0, "ACTi", "FED-122"},
	{"a gateway", CERT_GATEWAY, "c2", 0, false, false, 0, "ACTi", "FED-122"},
	{"it does not trust us", CERT_PROBE, "c2", 0, false, true, 0, "ACTi", "FED-120"},
};

static void check_server(struct world *w, const struct server_row *row)
{
	struct addr addr = loopback();
	struct err err;
	struct mesh_leaf leaf = mesh_issue(row->other_root ? w->other_root : w->root, row->kind,
	                                   row->cluster, "x", clock_wall_s() + row->issued_in_s);
	struct probe_server *server = probe_server_create(w->loop, &addr, &err);
	assert_non_null(server);
	assert_true(probe_server_set_certificate(
		server, buf_str(&leaf.chain), buf_str(&leaf.key),
		buf_str(row->refuses_us ? &w->other_roots : &w->roots), &err));
	struct probe_check check = check_of(probe_server_addr(server).port);
	check.payload = row->payload;
	run(w, &check);
	expect(w, row->name, row->stages, row->code);
	probe_server_destroy(server);
	loop_run_once(w->loop, 0);
	mesh_leaf_fini(&leaf);
}

static void probes_are_judged_by_their_certificate(void **state)
{
	for (size_t i = 0; i < N_ELEMS(server_rows); i++)
		check_server(*state, &server_rows[i]);
}

static void a_server_without_certificate_closes(void **state)
{
	struct world *w = *state;
	struct addr addr = loopback();
	struct err err;
	struct probe_server *server = probe_server_create(w->loop, &addr, &err);
	struct probe_check check = check_of(probe_server_addr(server).port);
	run(w, &check);
	expect(w, "no certificate", "ACt", "FED-112");
	probe_server_destroy(server);
}

/* --- against scripts -------------------------------------------------------------------------- */

enum script {
	SCRIPT_SILENT,  /* accepts, says nothing */
	SCRIPT_CLOSE,   /* closes when the hello has come */
	SCRIPT_SAY,     /* says bytes when the hello has come, then closes */
	SCRIPT_SWALLOW, /* TLS, takes everything */
	SCRIPT_GARBLE,  /* TLS, answers other bytes */
	SCRIPT_FIRST,   /* TLS, answers the first bytes only */
	SCRIPT_HANG_UP, /* TLS, closes at the first byte */
};

struct script_row {
	const char *name;
	enum script script;
	struct str say;
	bool must_refuse;
	uint32_t payload;
	const char *stages;
	const char *code;
};

#define ALERT(n) STR_LIT("\x15\x03\x03\x00\x02\x02" n)

static const struct script_row script_rows[] = {
	{"silent", SCRIPT_SILENT, STR_NULL, false, 0, "ACt", "FED-112"},
	{"cut", SCRIPT_CLOSE, STR_NULL, false, 0, "ACt", "FED-112"},
	{"no TLS", SCRIPT_SAY, STR_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"), false, 0, "ACt",
         "FED-112"},
	{"alert 112", SCRIPT_SAY, ALERT("\x70"), false, 0, "ACTr", "FED-130"},
	{"alert 80", SCRIPT_SAY, ALERT("\x50"), false, 0, "ACTr", "FED-131"},
	{"alert 120", SCRIPT_SAY, ALERT("\x78"), false, 0, "ACt", "FED-112"},
	{"alert 48", SCRIPT_SAY, ALERT("\x30"), false, 0, "ACTi", "FED-120"},
	{"refused as it must", SCRIPT_SAY, ALERT("\x70"), true, 0, "ACTR", ""},
	{"refused otherwise", SCRIPT_SAY, ALERT("\x50"), true, 0, "ACr", "FED-112"},
	{"answered where it must refuse", SCRIPT_SWALLOW, STR_NULL, true, 0, "ACr", "FED-112"},
	{"no reply", SCRIPT_SWALLOW, STR_NULL, false, 0, "ACTIRp", "FED-140"},
	{"other bytes", SCRIPT_GARBLE, STR_NULL, false, 0, "ACTIRp", "FED-140"},
	{"small passes, large does not", SCRIPT_FIRST, STR_NULL, false, 4000, "ACTIRp", "FED-162"},
	{"hangs up", SCRIPT_HANG_UP, STR_NULL, false, 0, "ACTIRp", "FED-140"},
};

struct peer {
	const struct script_row *row;
	struct loop *loop;
	int fd;
	struct loop_io io;
	struct tls_ctx *tls;
	struct wire *wire;
	size_t received;
};

static void on_peer_open(struct wire *wire, void *arg)
{
	(void)wire;
	(void)arg;
}

static void on_peer_data(struct wire *wire, struct str data, void *arg)
{
	struct peer *peer = arg;
	bool first = peer->received == 0;
	peer->received += data.len;
	switch (peer->row->script) {
	case SCRIPT_SILENT:
	case SCRIPT_SWALLOW:
		return;
	case SCRIPT_SAY:
		wire_write(wire, peer->row->say);
		wire_finish(wire);
		return;
	case SCRIPT_GARBLE:
		wire_write(wire, STR_LIT("garbage!"));
		return;
	case SCRIPT_FIRST:
		if (first)
			wire_write(wire, data);
		return;
	case SCRIPT_CLOSE:
	case SCRIPT_HANG_UP:
		peer->wire = NULL;
		wire_close(wire);
		return;
	}
}

static void on_peer_close(struct wire *wire, const struct err *why, void *arg)
{
	struct peer *peer = arg;
	(void)wire;
	(void)why;
	peer->wire = NULL;
}

static const struct wire_events peer_events = {
	.on_open = on_peer_open, .on_data = on_peer_data, .on_close = on_peer_close};

static void on_peer_accept(unsigned ready, void *arg)
{
	struct peer *peer = arg;
	int fd = net_accept(peer->fd, NULL);
	(void)ready;
	if (fd < 0)
		return;
	bool plain = peer->row->script <= SCRIPT_SAY;
	peer->wire = wire_accept(peer->loop, fd, plain ? NULL : tls_server_open(peer->tls),
	                         &peer_events, peer);
}

static void check_script(struct world *w, const struct script_row *row)
{
	struct addr addr = loopback();
	struct addr real;
	struct err err;
	struct mesh_leaf leaf = mesh_issue(w->root, CERT_PROBE, "c2", "x", clock_wall_s());
	struct tls_config tls = {.cert_pem = buf_str(&leaf.chain),
	                         .key_pem = buf_str(&leaf.key),
	                         .roots_pem = buf_str(&w->roots)};
	struct peer peer = {.row = row, .loop = w->loop};
	peer.tls = tls_server_create(&tls, &err);
	peer.fd = net_listen(&addr, false, &real, &err);
	loop_io_init(&peer.io, w->loop, peer.fd, on_peer_accept, &peer);
	loop_io_set(&peer.io, LOOP_READ);
	struct probe_check check = check_of(real.port);
	bool waits = row->script == SCRIPT_SILENT || row->script == SCRIPT_FIRST ||
	             (row->script == SCRIPT_SWALLOW && !row->must_refuse);
	check.deadline_ms = waits ? SHORT_MS : PATIENCE_MS;
	check.must_refuse = row->must_refuse;
	check.payload = row->payload;
	run(w, &check);
	expect(w, row->name, row->stages, row->code);
	wire_close(peer.wire);
	loop_io_fini(&peer.io);
	close(peer.fd);
	loop_run_once(w->loop, 0);
	tls_ctx_unref(peer.tls);
	mesh_leaf_fini(&leaf);
}

static void scripted_peers_are_told_apart(void **state)
{
	for (size_t i = 0; i < N_ELEMS(script_rows); i++)
		check_script(*state, &script_rows[i]);
}

static void a_closed_port_is_refused(void **state)
{
	struct addr addr = loopback();
	struct addr real;
	struct err err;
	int fd = net_listen(&addr, false, &real, &err);
	close(fd);
	struct probe_check check = check_of(real.port);
	run(*state, &check);
	expect(*state, "closed port", "Ac", "FED-110");
	check.direct = true;
	run(*state, &check);
	expect(*state, "closed port, direct", "Ac", "FED-161");
}

static void a_name_that_is_none_does_not_resolve(void **state)
{
	struct probe_check check = check_of(1);
	check.address = "a..b";
	run(*state, &check);
	expect(*state, "name", "a", "FED-102");
}

static void a_name_may_have_an_address_that_is_dead(void **state)
{
	struct world *w = *state;
	struct addr addr = loopback();
	struct err err;
	struct mesh_leaf leaf = mesh_issue(w->root, CERT_PROBE, "c2", "x", clock_wall_s());
	struct probe_server *server = probe_server_create(w->loop, &addr, &err);
	assert_true(probe_server_set_certificate(server, buf_str(&leaf.chain), buf_str(&leaf.key),
	                                         buf_str(&w->roots), &err));
	/* often [::1] first, where nobody listens */
	struct probe_check check = check_of(probe_server_addr(server).port);
	check.address = "localhost";
	run(w, &check);
	expect(w, "localhost", "ACTIRP", "");
	probe_server_destroy(server);
	mesh_leaf_fini(&leaf);
}

static void many_at_a_time_and_some_cancelled(void **state)
{
	struct world *w = *state;
	struct addr addr = loopback();
	struct err err;
	struct probe_run *runs[60];
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	struct mesh_leaf leaf = mesh_issue(w->root, CERT_PROBE, "c2", "x", clock_wall_s());
	struct probe_server *server = probe_server_create(w->loop, &addr, &err);
	assert_true(probe_server_set_certificate(server, buf_str(&leaf.chain), buf_str(&leaf.key),
	                                         buf_str(&w->roots), &err));
	struct probe_check check = check_of(probe_server_addr(server).port);
	w->calls = 0;
	for (size_t i = 0; i < N_ELEMS(runs); i++)
		runs[i] = probe_run_start(w->loop, &check, w->client, on_result, w);
	for (size_t i = 0; i < N_ELEMS(runs); i += 3)
		probe_run_cancel(runs[i]);
	while (w->calls < 40 && clock_now_ms() < until_ms)
		loop_run_once(w->loop, 100);
	assert_int_equal(w->calls, 40);
	assert_true(w->result.ok);
	assert_in_range(probe_server_accepted(server), 39, 40);
	probe_server_destroy(server);
	mesh_leaf_fini(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(probes_are_judged_by_their_certificate, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_server_without_certificate_closes, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(scripted_peers_are_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_closed_port_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_that_is_none_does_not_resolve, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_name_may_have_an_address_that_is_dead, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(many_at_a_time_and_some_cancelled, set_up,
	                                        tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
