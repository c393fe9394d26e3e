/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of delta ADS in one loop, over loopback.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/net.h"
#include "xds/ads_client_io.h"
#include "xds/ads_server_io.h"
#include "xds/delta_stream_io.h"

enum {
	PATIENCE_MS = 10000
};

struct fixture {
	struct loop *loop;
	struct addr addr;
	struct http_server *http;
	struct grpc_server *grpc;
	struct xds_ads_server *server;
	struct xds_set *set;
	struct xds_uplink *uplink;
	struct xds_delta_client *state;
	struct xds_ads_client *client;
	struct xds_ads_stream *stream;
	bool refuse;
	size_t opened;
	size_t closed;
	size_t outcomes;
	size_t applied;
	size_t downs;
	char gateway[64];
	struct err why;
};

/* --- the owner of the server ------------------------------------------------------------------ */

static bool on_open(struct xds_ads_stream *stream, void *arg, struct err *err)
{
	struct fixture *f = arg;
	if (f->refuse)
		return err_set(err, ERR_UNAVAILABLE, "not yet");
	f->opened++;
	f->stream = stream;
	return true;
}

static bool on_node(struct xds_ads_stream *stream, const struct xds_node *node, void *arg,
                    struct err *err)
{
	struct fixture *f = arg;
	(void)err;
	snprintf(f->gateway, sizeof(f->gateway), "%s", node->name);
	xds_ads_stream_set_set(stream, f->set);
	return true;
}

static void on_outcome(struct xds_ads_stream *stream, const struct xds_outcome *outcome, void *arg)
{
	struct fixture *f = arg;
	(void)stream;
	assert_true(outcome->accepted);
	f->outcomes++;
}

static void on_stream_close(struct xds_ads_stream *stream, void *arg)
{
	struct fixture *f = arg;
	f->closed++;
	if (f->stream == stream)
		f->stream = NULL;
}

static void start_server(struct fixture *f)
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
	http_server_listen(f->http, fd, NULL);
	struct xds_ads_server_config config = {.grpc = f->grpc,
	                                       .on_open = on_open,
	                                       .on_node = on_node,
	                                       .on_outcome = on_outcome,
	                                       .on_close = on_stream_close,
	                                       .arg = f};
	f->server = xds_ads_server_create(&config);
}

static void stop_server(struct fixture *f)
{
	http_server_destroy(f->http);
	grpc_server_destroy(f->grpc);
	xds_ads_server_destroy(f->server);
	f->server = NULL;
}

/* --- the owner of the client ------------------------------------------------------------------ */

static bool check(const struct xds_resource *resource, void *arg, struct err *err)
{
	(void)resource;
	(void)arg;
	(void)err;
	return true;
}

static void on_event(enum xds_client_event event, void *arg)
{
	struct fixture *f = arg;
	if (event == XDS_CLIENT_APPLIED)
		f->applied++;
}

static void on_down(const struct err *why, void *arg)
{
	struct fixture *f = arg;
	f->downs++;
	f->why = *why;
}

static void start_client(struct fixture *f, const char *host)
{
	static char id[] = "gw-1/a";
	static char name[] = "gw-1";
	char address[64];
	struct err err;
	struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY, .name = name};
	snprintf(address, sizeof(address), "%s:%u", host, f->addr.port);
	struct xds_uplink_config uplink = {.loop = f->loop,
	                                   .address = address,
	                                   .plain = true,
	                                   .backoff_min_ms = 10,
	                                   .backoff_max_ms = 50,
	                                   .stagger_ms = -1,
	                                   .on_down = on_down,
	                                   .arg = f};
	f->uplink = xds_uplink_create(&uplink, &err);
	assert_non_null(f->uplink);
	f->state = xds_delta_client_create(&node, check, NULL);
	struct xds_ads_client_config config = {.loop = f->loop,
	                                       .uplink = f->uplink,
	                                       .client = f->state,
	                                       .on_event = on_event,
	                                       .arg = f};
	f->client = xds_ads_client_create(&config);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->loop = loop_create();
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &f->addr));
	f->set = xds_set_create();
	xds_set_set_complete(f->set, true);
	struct xds_set_info info = {.network = "n1", .cluster = "c1"};
	xds_set_describe(f->set, &info);
	start_server(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	xds_ads_client_destroy(f->client);
	xds_uplink_destroy(f->uplink);
	xds_delta_client_destroy(f->state);
	stop_server(f);
	xds_set_unref(f->set);
	loop_destroy(f->loop);
	free(f);
	return 0;
}

static void put(struct fixture *f, const char *name, const char *content, size_t len)
{
	struct err err;
	struct xds_resource *resource =
		xds_resource_create(XDS_CLUSTER, str_from(name), str_make(content, len), &err);
	assert_non_null(resource);
	xds_set_put(f->set, resource, false);
	xds_resource_unref(resource);
}

#define RUN_UNTIL(f, condition)                                                                    \
	do {                                                                                       \
		int64_t until_ms = clock_now_ms() + PATIENCE_MS;                                   \
		while (!(condition)) {                                                             \
			if (clock_now_ms() > until_ms)                                             \
				fail_msg("still not: %s", #condition);                             \
			loop_run_once((f)->loop, 100);                                             \
		}                                                                                  \
	} while (0)

/* --- tests ------------------------------------------------------------------------------------ */

static void table_reaches_the_gateway_and_follows(void **state)
{
	struct fixture *f = *state;
	put(f, "a", "1", 1);
	start_client(f, "127.0.0.1");
	RUN_UNTIL(f, f->applied == 1);
	assert_string_equal(f->gateway, "gw-1");
	assert_int_equal(xds_delta_client_len(f->state, XDS_CLUSTER), 1);
	put(f, "b", "1", 1);
	xds_ads_server_flush(f->server);
	RUN_UNTIL(f, f->applied == 2);
	assert_int_equal(xds_delta_client_len(f->state, XDS_CLUSTER), 2);
	RUN_UNTIL(f, f->outcomes == 4); /* cluster and snapshot, twice */
	struct xds_delta_stats stats;
	xds_delta_server_stats(xds_ads_stream_state(f->stream), &stats);
	assert_string_equal(stats.acked_version, xds_set_version(f->set));
}

static void name_is_looked_up_off_the_loop(void **state)
{
	struct fixture *f = *state;
	start_client(f, "localhost");
	RUN_UNTIL(f, f->applied == 1);
}

static void comes_back_after_the_server_did(void **state)
{
	struct fixture *f = *state;
	put(f, "a", "1", 1);
	start_client(f, "127.0.0.1");
	RUN_UNTIL(f, f->applied == 1);
	stop_server(f);
	assert_int_equal(f->closed, 1);
	RUN_UNTIL(f, f->downs >= 2);
	assert_int_equal(xds_delta_client_len(f->state, XDS_CLUSTER), 1);
	start_server(f);
	RUN_UNTIL(f, f->applied == 2);
	struct xds_delta_stats stats;
	xds_delta_server_stats(xds_ads_stream_state(f->stream), &stats);
	assert_int_equal(stats.sent[XDS_CLUSTER], 0);
}

static void tries_again_when_the_stream_is_refused(void **state)
{
	struct fixture *f = *state;
	f->refuse = true;
	start_client(f, "127.0.0.1");
	RUN_UNTIL(f, xds_uplink_conn(f->uplink) != NULL);
	for (int i = 0; i < 10; i++)
		loop_run_once(f->loop, 20);
	assert_int_equal(f->opened, 0);
	f->refuse = false;
	RUN_UNTIL(f, f->applied == 1);
}

static void large_table_passes_the_queue(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 << 20;
	char *content = malloc(len);
	memset(content, 'x', len);
	for (int i = 0; i < 16; i++) {
		char name[16];
		snprintf(name, sizeof(name), "big-%d", i);
		content[0] = (char)('a' + i);
		put(f, name, content, len);
	}
	free(content);
	start_client(f, "127.0.0.1");
	RUN_UNTIL(f, f->applied == 1);
	assert_int_equal(xds_delta_client_len(f->state, XDS_CLUSTER), 16);
}

static void owner_may_end_a_stream_inside_a_callback(void **state)
{
	struct fixture *f = *state;
	start_client(f, "127.0.0.1");
	RUN_UNTIL(f, f->applied == 1);
	xds_ads_stream_close(f->stream, GRPC_PERMISSION_DENIED, "left");
	assert_int_equal(f->closed, 1);
	assert_int_equal(xds_ads_server_streams(f->server), 0);
	RUN_UNTIL(f, f->applied == 2); /* it comes again, as the owner lets it */
}

/* Says too much on its first stream, and nothing on the others. */
struct talker {
	size_t starts;
	size_t ups;
	size_t downs;
	struct err why;
};

static void talker_start(struct http_fields *fields, void *arg)
{
	struct talker *talker = arg;
	(void)fields;
	talker->starts++;
}

static bool talker_next(struct buf *out, void *arg)
{
	const struct talker *talker = arg;
	if (talker->starts > 1)
		return false;
	while (buf_add_str(out, STR_LIT("and so on, ")))
		;
	return true;
}

static bool talker_feed(struct str message, struct err *err, void *arg)
{
	(void)message;
	(void)err;
	(void)arg;
	return true;
}

static void talker_on_stream(bool up, const struct err *why, void *arg)
{
	struct talker *talker = arg;
	if (up) {
		talker->ups++;
		return;
	}
	talker->downs++;
	talker->why = *why;
}

static void a_request_over_its_limit_ends_the_stream_and_another_one_begins(void **state)
{
	static const struct xds_speaker speaker = {talker_start, talker_next, talker_feed,
	                                           talker_on_stream};
	struct fixture *f = *state;
	struct talker talker = {0};
	start_client(f, "127.0.0.1");
	const struct xds_delta_stream_config config = {
		.loop = f->loop,
		.uplink = f->uplink,
		.speaker = &speaker,
		.arg = &talker,
		.request_max = 1000,
		.retry_min_ms = 10,
		.retry_max_ms = 50,
	};
	struct xds_delta_stream *stream = xds_delta_stream_create(&config);
	RUN_UNTIL(f, talker.ups == 2);
	assert_int_equal(talker.downs, 1);
	assert_int_equal(talker.why.code, ERR_TOO_LARGE);
	assert_true(xds_delta_stream_is_up(stream));
	xds_delta_stream_destroy(stream);
}

static void refuses_an_address_without_port(void **state)
{
	struct fixture *f = *state;
	struct err err;
	const char *rows[] = {"", "host", ":15012", "host:", "host:0", "host:65536", "host:x"};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct xds_uplink_config config = {
			.loop = f->loop, .address = rows[i], .plain = true};
		assert_null(xds_uplink_create(&config, &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_reaches_the_gateway_and_follows, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(name_is_looked_up_off_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(comes_back_after_the_server_did, setup, teardown),
		cmocka_unit_test_setup_teardown(tries_again_when_the_stream_is_refused, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(large_table_passes_the_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_may_end_a_stream_inside_a_callback, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(
			a_request_over_its_limit_ends_the_stream_and_another_one_begins, setup,
			teardown),
		cmocka_unit_test_setup_teardown(refuses_an_address_without_port, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
