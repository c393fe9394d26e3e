/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh_pair.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "eastwest/balance.h"
#include "table/traffic.h"
#include "uplink/report.h"
#include "xds/message.h"
#include "xds/proto/report.pb-c.h"

static struct ew_table *table_of(struct mesh_pair *pair, struct ew_health_registry *registry)
{
	struct addr canary;
	struct err err;
	size_t left_out;
	assert_true(addr_parse(STR_LIT("127.0.0.1:1"), &canary));
	struct ew_mesh *mesh = ew_mesh_create(registry, &canary);
	struct ew_burst *burst = ew_burst_create(pair->client, true);
	ew_mesh_take(mesh, burst);
	struct ew_mesh_parts parts = {.burst = burst};
	struct ew_table *table = ew_mesh_table(mesh, &parts, &left_out, &err);
	ew_burst_destroy(burst);
	ew_mesh_destroy(mesh);
	return table;
}

static void both_halves_together_are_one_report(void **state)
{
	struct mesh_pair pair;
	struct ew_health_registry *registry = ew_health_registry_create();
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct err err;
	char bad[] = "bad";
	(void)state;
	mesh_pair_init(&pair);
	struct ew_table *table = table_of(&pair, registry);
	const struct ew_gateway *gateway = &ew_table_network_at(table, 0)->gateways[0];
	for (int i = 0; i < EW_HEALTH_MISSES; i++)
		ew_health_on_miss(registry, gateway->health, "no echo", 1000 * i);
	struct str garbage = STR_LIT("\xff");
	mesh_put(pair.set, xds_resource_create(XDS_CLUSTER, str_from(bad), garbage, &err));
	mesh_pump(&pair);
	buf_init(&bytes, EW_REPORT_MAX);
	ew_report_add_seen(table, 0, &bytes);
	ew_report_add_held(pair.client, &bytes);
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__report__v1__report__descriptor, buf_str(&bytes), &err);
	assert_non_null(base);
	const Fedway__Report__V1__Report *report = (const void *)base;
	assert_int_equal(report->n_addresses, 1);
	assert_string_equal(report->addresses[0]->network, "n2");
	assert_string_equal(report->addresses[0]->cluster, "c2");
	assert_string_equal(report->addresses[0]->address, "192.0.2.2");
	assert_int_equal(report->addresses[0]->port, 15443);
	assert_false(report->addresses[0]->live);
	assert_string_equal(report->addresses[0]->reason, "no echo");
	assert_string_equal(report->applied_version, xds_set_version(pair.set));
	assert_int_equal(report->n_refused, 1);
	assert_string_equal(report->refused[0]->name, "bad");
	assert_int_equal(report->n_routes, 0);
	xds_message_free(base);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
	mesh_pair_fini(&pair);
}

static void remote_endpoints_are_usable_while_a_gateway_lives(void **state)
{
	struct mesh_pair pair;
	struct ew_health_registry *registry = ew_health_registry_create();
	(void)state;
	mesh_pair_init(&pair);
	struct ew_table *table = table_of(&pair, registry);
	const struct ew_route *route = ew_table_find(table, STR_LIT(WEB));
	const struct ew_gateway *gateway = &ew_table_network_at(table, 0)->gateways[0];
	assert_int_equal(ew_report_usable(table, route, 0), 2);
	for (int i = 0; i < EW_HEALTH_MISSES; i++)
		ew_health_on_miss(registry, gateway->health, "no echo", 1000 * i);
	assert_int_equal(ew_report_usable(table, route, 0), 1);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
	mesh_pair_fini(&pair);
}

/* The routes of a report, as text: "sni usable opened failed own;", own - if not said. */
static void report_routes(const struct ew_table *table, int64_t now_ms, char *text, size_t size)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct err err;
	size_t len = 0;
	buf_init(&bytes, EW_REPORT_MAX);
	ew_report_add_seen(table, now_ms, &bytes);
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__report__v1__report__descriptor, buf_str(&bytes), &err);
	const Fedway__Report__V1__Report *report = (const void *)base;
	assert_non_null(base);
	text[0] = '\0';
	for (size_t i = 0; i < report->n_routes; i++) {
		const Fedway__Report__V1__RouteState *route = report->routes[i];
		char own[16] = "-";
		if (route->has_own_usable)
			snprintf(own, sizeof(own), "%u", route->own_usable);
		len += (size_t)snprintf(text + len, size - len, "%s %u %d %d %s;", route->sni,
		                        route->usable, (int)route->opened, (int)route->failed, own);
		assert_true(len < size);
	}
	xds_message_free(base);
}

static void routes_tell_what_they_did_and_who_is_ejected(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct ew_endpoint_spec endpoints[2] = {{.weight = 1, .healthy = true},
	                                        {.weight = 1, .healthy = true}};
	struct err err;
	char text[256];
	(void)state;
	for (size_t i = 0; i < 2; i++)
		endpoints[i].addr.port = (uint16_t)(i + 1);
	struct ew_route_spec spec = {.sni = STR_LIT("a"),
	                             .endpoints = endpoints,
	                             .n_endpoints = 2,
	                             .policy.outlier = {1, 1000, 1000, 100}};
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
	spec.sni = STR_LIT("b");
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
	struct ew_table *table = ew_table_builder_finish(builder);
	const struct ew_route *a = ew_table_find(table, STR_LIT("a"));

	report_routes(table, 0, text, sizeof(text));
	assert_string_equal(text, "");
	ew_route_on_opened(a);
	ew_route_on_opened(a);
	ew_route_on_lost(a);
	report_routes(table, 0, text, sizeof(text));
	assert_string_equal(text, "a 2 2 1 2;");
	report_routes(table, 0, text, sizeof(text));
	assert_string_equal(text, "");
	/* without a usable endpoint it is in every report, until time brings one back */
	for (size_t i = 0; i < 2; i++) {
		struct ew_choice choice = {.addr = endpoints[i].addr, .n_hosts = 2};
		assert_true(ew_route_on_failed(a, &choice, 0));
	}
	for (int i = 0; i < 2; i++) {
		report_routes(table, 999, text, sizeof(text));
		assert_string_equal(text, "a 0 2 1 0;");
	}
	/* said once more, so that nobody has to wait for it to be forgotten */
	report_routes(table, 1000, text, sizeof(text));
	assert_string_equal(text, "a 2 2 1 2;");
	report_routes(table, 1001, text, sizeof(text));
	assert_string_equal(text, "");
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

/* A table of n routes r0, r1, ... with one own endpoint each. */
static struct ew_table *table_of_routes(struct ew_health_registry *registry, size_t n)
{
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct ew_endpoint_spec endpoint = {.addr.port = 1, .weight = 1, .healthy = true};
	struct err err;
	char name[32];
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "r%zu", i);
		struct ew_route_spec spec = {
			.sni = str_from(name), .endpoints = &endpoint, .n_endpoints = 1};
		assert_true(ew_table_builder_set_route(builder, &spec, &err));
	}
	return ew_table_builder_finish(builder);
}

static void endpoints_that_refuse_one_after_the_other_are_not_usable_without_any_policy(
	void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table *table = table_of_routes(registry, 1);
	const struct ew_route *route = ew_table_find(table, STR_LIT("r0"));
	struct ew_choice own = {.network = EW_NAME_NONE, .n_hosts = 1};
	struct ew_choice remote = {.network = 1, .n_hosts = 1};
	char text[256];
	(void)state;
	report_routes(table, 0, text, sizeof(text));
	for (int i = 0; i < EW_OWN_FAILURES; i++) {
		assert_false(ew_route_on_failed(route, &remote, 0));
		assert_false(ew_route_on_failed(route, &own, 100 * i));
		report_routes(table, 100 * i, text, sizeof(text));
		assert_string_equal(text, i < EW_OWN_FAILURES - 1 ? "r0 1 0 0 1;" : "r0 0 0 0 0;");
	}
	/* another network's answer says nothing of them */
	ew_route_on_connected(route, &remote, 500);
	report_routes(table, 500, text, sizeof(text));
	assert_string_equal(text, "r0 0 0 0 0;");
	/* one that accepts does, at once */
	ew_route_on_connected(route, &own, 600);
	report_routes(table, 600, text, sizeof(text));
	assert_string_equal(text, "r0 1 0 0 1;");
	/* and if nobody calls, somebody must try */
	for (int i = 0; i < EW_OWN_FAILURES; i++)
		assert_false(ew_route_on_failed(route, &own, 1000));
	report_routes(table, 999 + EW_OWN_FAILING_MS, text, sizeof(text));
	assert_string_equal(text, "r0 0 0 0 0;");
	report_routes(table, 1000 + EW_OWN_FAILING_MS, text, sizeof(text));
	assert_string_equal(text, "r0 1 0 0 1;");
	/* counted anew then, and held longer if they still refuse */
	for (int i = 0; i < EW_OWN_FAILURES; i++) {
		assert_false(ew_route_on_failed(route, &own, 20000));
		report_routes(table, 20000, text, sizeof(text));
		assert_string_equal(text, i < EW_OWN_FAILURES - 1 ? "r0 1 0 0 1;" : "r0 0 0 0 0;");
	}
	report_routes(table, 19999 + 2 * EW_OWN_FAILING_MS, text, sizeof(text));
	assert_string_equal(text, "r0 0 0 0 0;");
	report_routes(table, 20000 + 2 * EW_OWN_FAILING_MS, text, sizeof(text));
	assert_string_equal(text, "r0 1 0 0 1;");
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static size_t n_routes_of(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += *text == ';';
	return n;
}

static void what_does_not_fit_waits_and_what_is_gone_is_not_told(void **state)
{
	static char text[64 * EW_REPORT_ROUTES_MAX];
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table *table = table_of_routes(registry, EW_REPORT_ROUTES_MAX + 10);
	(void)state;
	report_routes(table, 0, text, sizeof(text));
	for (uint32_t i = 0; i < ew_table_n_routes(table); i++)
		ew_route_on_opened(ew_table_route_at(table, i));
	report_routes(table, 0, text, sizeof(text));
	assert_int_equal(n_routes_of(text), EW_REPORT_ROUTES_MAX);
	report_routes(table, 0, text, sizeof(text));
	assert_int_equal(n_routes_of(text), 10);
	/* a table of the same names, but other routes */
	for (uint32_t i = 0; i < 3; i++)
		ew_route_on_opened(ew_table_route_at(table, i));
	struct ew_table *other = table_of_routes(registry, 10);
	report_routes(other, 0, text, sizeof(text));
	assert_string_equal(text, "");
	ew_table_unref(other);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

enum {
	BUSY_ROUTES = 8,
	BUSY_OPENS = 20000 /* of each thread */
};

static void *open_and_open(void *arg)
{
	const struct ew_table *table = arg;
	for (uint32_t i = 0; i < BUSY_OPENS; i++)
		ew_route_on_opened(ew_table_route_at(table, i % BUSY_ROUTES));
	return NULL;
}

/* The last number that reports told of each route, added up. */
static uint64_t hear(const struct ew_table *table, uint64_t told[BUSY_ROUTES])
{
	static char text[64 * BUSY_ROUTES];
	uint64_t sum = 0;
	report_routes(table, 0, text, sizeof(text));
	for (char *rest = text, *route; (route = strsep(&rest, ";")) != NULL;) {
		unsigned n, opened;
		if (sscanf(route, "r%u %*u %u", &n, &opened) == 2)
			told[n] = opened;
	}
	for (size_t i = 0; i < BUSY_ROUTES; i++)
		sum += told[i];
	return sum;
}

static void no_news_is_lost_between_workers_and_reports(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table *table = table_of_routes(registry, BUSY_ROUTES);
	uint64_t told[BUSY_ROUTES] = {0};
	pthread_t workers[2];
	(void)state;
	hear(table, told);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&workers[i], NULL, open_and_open, table), 0);
	for (int i = 0; i < 100; i++)
		hear(table, told);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(workers[i], NULL), 0);
	assert_int_equal(hear(table, told), 2 * BUSY_OPENS);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void a_report_costs_what_happened_and_not_what_there_is(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table *table = table_of_routes(registry, 100 * 1000);
	struct buf bytes CLEANUP(buf_fini) = {0};
	(void)state;
	buf_init(&bytes, EW_REPORT_MAX);
	ew_report_add_seen(table, 0, &bytes);
	for (uint32_t i = 0; i < 100; i++)
		ew_route_on_opened(ew_table_route_at(table, i * 997));
	double start = now_ms();
	ew_report_add_seen(table, 0, &bytes);
	double spent = now_ms() - start;
	print_message("100 routes with news among 100,000 cost %.3f ms\n", spent);
	assert_true(spent < 10);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_halves_together_are_one_report),
		cmocka_unit_test(routes_tell_what_they_did_and_who_is_ejected),
		cmocka_unit_test(remote_endpoints_are_usable_while_a_gateway_lives),
		cmocka_unit_test(
			endpoints_that_refuse_one_after_the_other_are_not_usable_without_any_policy),
		cmocka_unit_test(what_does_not_fit_waits_and_what_is_gone_is_not_told),
		cmocka_unit_test(no_news_is_lost_between_workers_and_reports),
		cmocka_unit_test(a_report_costs_what_happened_and_not_what_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
