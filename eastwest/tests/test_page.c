/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "eastwest/table.h"

enum {
	MANY = 100000,
	CHANGES = 200
};

static void set_route(struct ew_table_builder *builder, unsigned i, uint32_t weight)
{
	char sni[64];
	struct err err;
	snprintf(sni, sizeof(sni), "outbound_.80_._.s%u.ns.svc.cluster.local", i);
	struct ew_endpoint_spec endpoints[2] = {{.addr = {.port = 80}, .weight = weight},
	                                        {.addr = {.port = 81}, .weight = 1}};
	struct ew_route_spec spec = {
		.sni = str_from(sni), .endpoints = endpoints, .n_endpoints = 2};
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
}

static const struct ew_route *find(const struct ew_table *table, unsigned i)
{
	char sni[64];
	snprintf(sni, sizeof(sni), "outbound_.80_._.s%u.ns.svc.cluster.local", i);
	return ew_table_find(table, str_from(sni));
}

static double cpu_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct ew_table *make(struct ew_health_registry *registry, unsigned n)
{
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	for (unsigned i = 0; i < n; i++)
		set_route(builder, i, 1);
	return ew_table_builder_finish(builder);
}

static void every_route_is_found_and_walked_once(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	static unsigned char seen[5000];
	(void)state;
	struct ew_table *table = make(registry, sizeof(seen));
	assert_int_equal(ew_table_n_routes(table), sizeof(seen));
	for (uint32_t i = 0; i < ew_table_n_routes(table); i++) {
		unsigned number;
		const struct ew_route *route = ew_table_route_at(table, i);
		assert_int_equal(sscanf(route->sni, "outbound_.80_._.s%u.", &number), 1);
		assert_int_equal(seen[number]++, 0);
		assert_ptr_equal(find(table, number), route);
	}
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static void routes_that_go_are_gone_and_the_others_stay(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	(void)state;
	struct ew_table *old = make(registry, 1000);
	struct ew_table_builder *builder = ew_table_builder_create(old, registry);
	for (unsigned i = 0; i < 1000; i += 3)
		ew_table_builder_remove_route(builder, str_from(find(old, i)->sni));
	struct ew_table *next = ew_table_builder_finish(builder);
	assert_int_equal(ew_table_n_routes(next), 666);
	assert_true(ew_table_removals_version(next) != ew_table_removals_version(old));
	for (unsigned i = 0; i < 1000; i++) {
		assert_non_null(find(old, i));
		assert_ptr_equal(find(next, i), i % 3 == 0 ? NULL : find(old, i));
	}
	ew_table_unref(old);
	ew_table_unref(next);
	ew_health_registry_destroy(registry);
}

/* The bound is 1 ms; sanitizers and a busy machine are allowed for. */
static void one_route_of_a_hundred_thousand_changes_in_less_than_a_millisecond(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	(void)state;
	struct ew_table *table = make(registry, MANY);
	double began = cpu_ms();
	for (unsigned i = 0; i < CHANGES; i++) {
		struct ew_table_builder *builder = ew_table_builder_create(table, registry);
		set_route(builder, i * (MANY / CHANGES), i + 2);
		struct ew_table *next = ew_table_builder_finish(builder);
		assert_true(ew_table_memory(next) > 0);
		assert_true(ew_table_removals_version(next) == ew_table_removals_version(table));
		ew_table_unref(table);
		table = next;
	}
	double each = (cpu_ms() - began) / CHANGES;
	print_message("one of %d routes changed: %.3f ms CPU; %zu bytes a route\n", MANY, each,
	              ew_table_memory(table) / MANY);
	assert_true(each < 3);
	assert_int_equal(find(table, MANY / CHANGES)->endpoints[0].weight, 3);
	assert_int_equal(ew_table_n_routes(table), MANY);
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_found_and_walked_once),
		cmocka_unit_test(routes_that_go_are_gone_and_the_others_stay),
		cmocka_unit_test(
			one_route_of_a_hundred_thousand_changes_in_less_than_a_millisecond),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
