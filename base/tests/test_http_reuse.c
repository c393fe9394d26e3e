/* SPDX-License-Identifier: Apache-2.0 */
/* What the client does with connections that are free again. */
#include "unit.h"

#include <stdio.h>

#include "base/http.h"
#include "base/http_client.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/net.h"

enum {
	AT_ONCE = 100,
	AGAIN = 30, /* of them, each round */
	ROUNDS = 10,
	KEPT_MAX = 33, /* as http_client_io.c says, and the last one */
	PATIENCE_MS = 20000
};

struct rig {
	struct loop *loop;
	struct http_server *server;
	struct http_client *client;
	struct addr addr;
	char url[64];
	struct map peers; /* each connection that was seen */
	struct http_exchange *held[AT_ONCE];
	size_t n_held;
	size_t n_sent;
	size_t n_done;
};

static void on_request(struct http_exchange *ex, void *arg)
{
	static const char seen;
	struct rig *rig = arg;
	char text[ADDR_TEXT_MAX];

	addr_format(http_exchange_peer(ex), text);
	map_set(&rig->peers, str_from(text), (void *)(uintptr_t)&seen);
	rig->held[rig->n_held++] = ex;
}

static void rig_init(struct rig *rig)
{
	struct err err;

	*rig = (struct rig){.loop = loop_create()};
	const struct http_server_config server = {
		.loop = rig->loop, .name = "test", .on_request = on_request, .arg = rig};
	const struct http_client_config client = {.loop = rig->loop};

	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &rig->addr));
	int fd = net_listen(&rig->addr, false, &rig->addr, &err);

	assert_true(fd >= 0);
	rig->server = http_server_create(&server);
	http_server_listen(rig->server, fd, NULL);
	rig->client = http_client_create(&client, &err);
	assert_non_null(rig->client);
	snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%u/", rig->addr.port);
}

static void rig_fini(struct rig *rig)
{
	http_client_destroy(rig->client);
	http_server_destroy(rig->server);
	map_fini(&rig->peers, NULL);
	loop_destroy(rig->loop);
}

static void on_done(struct http_call *call, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct rig *rig = arg;

	(void)call;
	(void)err;
	assert_non_null(response);
	rig->n_done++;
}

static void send_some(struct rig *rig, size_t n)
{
	const struct http_call_config call = {
		.method = "GET", .url = rig->url, .on_done = on_done, .arg = rig};

	for (size_t i = 0; i < n; i++)
		http_client_send(rig->client, &call);
	rig->n_sent += n;
}

static void wait_for(struct rig *rig, const size_t *count, size_t n)
{
	int64_t end_ms = loop_now_ms(rig->loop) + PATIENCE_MS;

	while (*count < n && loop_now_ms(rig->loop) < end_ms)
		loop_run_once(rig->loop, 1000);
	assert_int_equal(*count, n);
}

static void answer_all(struct rig *rig)
{
	size_t n = rig->n_held;

	rig->n_held = 0;
	for (size_t i = 0; i < n; i++)
		http_exchange_reply(rig->held[i], 200, "text/plain", STR_LIT("ok"));
	wait_for(rig, &rig->n_done, rig->n_sent);
}

static void a_flood_of_calls_needs_as_many_connections_as_are_out_at_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	/* some of them are answered and followed by others, over and over */
	send_some(&rig, AT_ONCE);
	for (int round = 0; round < ROUNDS; round++) {
		wait_for(&rig, &rig.n_held, AT_ONCE);
		for (size_t i = 0; i < AGAIN; i++)
			http_exchange_reply(rig.held[--rig.n_held], 200, NULL, STR_LIT("ok"));
		wait_for(&rig, &rig.n_done, rig.n_done + AGAIN);
		send_some(&rig, AGAIN);
	}
	wait_for(&rig, &rig.n_held, AT_ONCE);
	assert_int_equal(map_len(&rig.peers), AT_ONCE);
	answer_all(&rig);
	rig_fini(&rig);
}

static void after_a_flood_few_connections_stay(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	send_some(&rig, AT_ONCE);
	wait_for(&rig, &rig.n_held, AT_ONCE);
	answer_all(&rig);
	for (int i = 0; i < 1000 && http_server_connections(rig.server) > KEPT_MAX; i++)
		loop_run_once(rig.loop, 10);
	assert_in_range(http_server_connections(rig.server), 1, KEPT_MAX);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_calls_needs_as_many_connections_as_are_out_at_once),
		cmocka_unit_test(after_a_flood_few_connections_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
