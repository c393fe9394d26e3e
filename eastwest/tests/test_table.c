/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/macros.h"
#include "eastwest/table.h"

static struct ew_endpoint_spec own(const char *ip, const char *locality, uint32_t priority)
{
	struct ew_endpoint_spec spec = {.addr = {.port = 80},
	                                .locality = str_from(locality),
	                                .cluster = STR_LIT("c1"),
	                                .priority = priority,
	                                .weight = 1,
	                                .healthy = true};
	assert_true(ip_parse(str_from(ip), &spec.addr.ip));
	return spec;
}

static void add_route(struct ew_table_builder *builder, const char *sni)
{
	struct err err;
	const struct ew_endpoint_spec endpoints[] = {own("10.0.0.1", "z1", 0),
	                                             own("10.0.0.2", "z2", 0)};
	struct ew_route_spec spec = {.sni = str_from(sni),
	                             .exposed = true,
	                             .endpoints = endpoints,
	                             .n_endpoints = N_ELEMS(endpoints)};
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
}

static void finds_exact_names_among_many(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	char sni[64];
	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(sni, sizeof(sni), "outbound_.80_._.s%d.ns.svc.cluster.local", i);
		add_route(builder, sni);
	}
	struct ew_table *table = ew_table_builder_finish(builder);
	assert_int_equal(ew_table_n_routes(table), 10000);
	for (int i = 0; i < 10000; i++) {
		snprintf(sni, sizeof(sni), "outbound_.80_._.s%d.ns.svc.cluster.local", i);
		const struct ew_route *route = ew_table_find(table, str_from(sni));
		assert_non_null(route);
		assert_string_equal(route->sni, sni);
	}
	assert_null(ew_table_find(table, STR_LIT("outbound_.80_._.s10000.ns.svc.cluster.local")));
	assert_null(ew_table_find(table, STR_LIT("")));
	/* the bar is 1 KB a route with two endpoints */
	assert_in_range(ew_table_memory(table) / 10000, 1, 400);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static void groups_endpoints_by_priority_and_locality(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	const struct ew_endpoint_spec endpoints[] = {
		own("10.0.0.1", "z2", 1), own("10.0.0.2", "z1", 0), own("10.0.0.3", "z2", 1),
		own("10.0.0.4", "z1", 0), own("10.0.0.5", "z2", 0)};
	const struct ew_group_weight weights[] = {{STR_LIT("z2"), 1, 7}, {STR_LIT("zz"), 0, 9}};
	struct ew_route_spec spec = {.sni = STR_LIT("R."),
	                             .endpoints = endpoints,
	                             .n_endpoints = N_ELEMS(endpoints),
	                             .weighted = true,
	                             .weights = weights,
	                             .n_weights = N_ELEMS(weights)};
	struct err err;
	(void)state;
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
	struct ew_table *table = ew_table_builder_finish(builder);
	const struct ew_route *route = ew_table_find(table, STR_LIT("r"));
	assert_non_null(route);
	assert_int_equal(route->n_priorities, 2);
	assert_int_equal(route->n_groups, 3);
	static const struct {
		uint8_t priority;
		uint32_t n;
		uint32_t weight;
		uint8_t first_ip;
	} want[] = {{0, 1, 0, 5}, {0, 2, 0, 2}, {1, 2, 7, 1}};
	for (uint32_t i = 0; i < 3; i++) {
		const struct ew_group *group = &route->groups[i];
		assert_int_equal(group->priority, want[i].priority);
		assert_int_equal(group->n, want[i].n);
		assert_int_equal(group->weight, want[i].weight);
		assert_int_equal(route->endpoints[group->first].ip.b[15], want[i].first_ip);
	}
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static void a_successor_shares_what_did_not_change(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct err err;
	(void)state;
	assert_true(ew_table_builder_set_self(builder, STR_LIT("n1"), STR_LIT("c1"), &err));
	add_route(builder, "a");
	add_route(builder, "b");
	add_route(builder, "c");
	struct ew_table *old = ew_table_builder_finish(builder);
	builder = ew_table_builder_create(old, registry);
	add_route(builder, "b");
	ew_table_builder_remove_route(builder, STR_LIT("c"));
	assert_true(ew_table_builder_has_route(builder, STR_LIT("a")));
	struct ew_table *next = ew_table_builder_finish(builder);
	assert_ptr_equal(ew_table_find(old, STR_LIT("a")), ew_table_find(next, STR_LIT("a")));
	assert_ptr_not_equal(ew_table_find(old, STR_LIT("b")), ew_table_find(next, STR_LIT("b")));
	assert_non_null(ew_table_find(old, STR_LIT("c")));
	assert_null(ew_table_find(next, STR_LIT("c")));
	assert_string_equal(ew_table_own_network(next), "n1");
	assert_true(ew_table_version(next) != ew_table_version(old));
	ew_table_unref(old);
	assert_string_equal(ew_table_find(next, STR_LIT("a"))->sni, "a");
	ew_table_unref(next);
	ew_health_registry_destroy(registry);
}

static void refuses_what_is_out_of_range_and_stays_as_it_was(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct err err;
	(void)state;
	add_route(builder, "a");
	struct ew_endpoint_spec bad[3] = {own("10.0.0.1", "z1", EW_PRIORITIES_MAX),
	                                  own("10.0.0.1", "z1", 0), own("10.0.0.1", "z1", 0)};
	bad[1].weight = 0;
	bad[2].addr.port = 0;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct ew_route_spec spec = {
			.sni = STR_LIT("a"), .endpoints = &bad[i], .n_endpoints = 1};
		assert_false(ew_table_builder_set_route(builder, &spec, &err));
		assert_true(str_starts_with(str_from(err.msg), STR_LIT("endpoints[0]: ")));
	}
	struct ew_route_spec nameless = {.sni = STR_LIT("")};
	assert_false(ew_table_builder_set_route(builder, &nameless, &err));
	struct ew_gateway_spec no_port = {.weight = 1};
	assert_false(ew_table_builder_set_network(builder, STR_LIT("n2"), &no_port, 1, &err));
	struct ew_table *table = ew_table_builder_finish(builder);
	assert_int_equal(ew_table_find(table, STR_LIT("a"))->n_endpoints, 2);
	assert_int_equal(ew_table_n_networks(table), 0);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static void knows_other_subsets_of_a_host(void **state)
{
	static const struct {
		const char *sni;
		bool want;
	} cases[] = {
		{"outbound_.80_.v1_.web.shop", true},
		{"outbound_.81_.v1_.web.shop", false},
		{"outbound_.80_._.web.shop", false},
		{"outbound_.80_.v1_.web.shop2", false},
		{"outbound_.80_.v1", false},
		{"outbound_.80", false},
		{"web.shop", false},
		{"", false},
	};
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	(void)state;
	add_route(builder, "outbound_.80_._.web.shop");
	struct ew_table *table = ew_table_builder_finish(builder);
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_int_equal(ew_table_has_other_subset(table, str_from(cases[i].sni)),
		                 cases[i].want);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_exact_names_among_many),
		cmocka_unit_test(groups_endpoints_by_priority_and_locality),
		cmocka_unit_test(a_successor_shares_what_did_not_change),
		cmocka_unit_test(refuses_what_is_out_of_range_and_stays_as_it_was),
		cmocka_unit_test(knows_other_subsets_of_a_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
