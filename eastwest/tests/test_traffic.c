/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/macros.h"
#include "eastwest/balance.h"
#include "table/traffic.h"

enum {
	HOSTS = 4
};

static struct addr at_port(uint16_t port)
{
	struct addr addr = {.port = port};
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &addr.ip));
	return addr;
}

struct world {
	struct ew_health_registry *registry;
	struct ew_table *table;
	struct ew_balance balance;
	struct ew_ask ask;
};

/* A route with n endpoints at ports 1, 2, ..., in a table that follows the world's. */
static void set_route(struct world *world, uint16_t n, const struct ew_policy *policy)
{
	struct err err;
	struct ew_endpoint_spec endpoints[HOSTS];
	for (uint16_t i = 0; i < n; i++)
		endpoints[i] = (struct ew_endpoint_spec){
			.addr = at_port((uint16_t)(i + 1)), .weight = 1, .healthy = true};
	struct ew_route_spec spec = {
		.sni = STR_LIT("r"), .endpoints = endpoints, .n_endpoints = n, .policy = *policy};
	struct ew_table_builder *builder = ew_table_builder_create(world->table, world->registry);
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
	ew_table_unref(world->table);
	world->table = ew_table_builder_finish(builder);
	world->ask.table = world->table;
	world->ask.route = ew_table_find(world->table, STR_LIT("r"));
}

static void open_world(struct world *world, uint16_t n, const struct ew_policy *policy)
{
	*world = (struct world){.registry = ew_health_registry_create()};
	ew_balance_init(&world->balance, 0);
	set_route(world, n, policy);
}

static void close_world(struct world *world)
{
	ew_balance_fini(&world->balance);
	ew_table_unref(world->table);
	ew_health_registry_destroy(world->registry);
}

static bool choose(struct world *world, struct ew_seat *seat, struct ew_choice *ret_choice,
                   bool *ret_full)
{
	struct ew_tries tries = {.n = 0};
	world->ask.seat = seat;
	bool ok = ew_balance_choose(&world->balance, &world->ask, &tries, ret_choice);
	*ret_full = tries.full;
	return ok;
}

static void a_route_takes_no_more_than_its_connections(void **state)
{
	static const struct ew_policy policy = {.max_connections = 3};
	struct ew_seat seats[4] = {{NULL, NULL}};
	struct ew_choice choice;
	struct world world;
	bool full;
	(void)state;
	open_world(&world, 2, &policy);
	for (int i = 0; i < 3; i++)
		assert_true(choose(&world, &seats[i], &choice, &full));
	assert_false(choose(&world, &seats[3], &choice, &full));
	assert_true(full);
	assert_int_equal(ew_route_counts(world.ask.route).connections, 3);
	ew_seat_release(&seats[1]);
	ew_seat_release(&seats[1]);
	assert_true(choose(&world, &seats[3], &choice, &full));
	/* a successor of the route knows of them */
	set_route(&world, 1, &policy);
	assert_false(choose(&world, &seats[1], &choice, &full));
	assert_true(full);
	for (size_t i = 0; i < N_ELEMS(seats); i++)
		ew_seat_release(&seats[i]);
	assert_int_equal(ew_route_counts(world.ask.route).connections, 0);
	close_world(&world);
}

static void a_connection_outlives_its_route_and_worker(void **state)
{
	static const struct ew_policy policy = {.lb = EW_LB_LEAST_CONNECTIONS,
	                                        .max_connections = 9};
	struct ew_seat seat = {NULL, NULL};
	struct ew_choice choice;
	struct world world;
	bool full;
	(void)state;
	open_world(&world, 2, &policy);
	assert_true(choose(&world, &seat, &choice, &full));
	close_world(&world);
	ew_seat_release(&seat);
}

static void fail_at(struct world *world, uint16_t port, unsigned times, int64_t now_ms)
{
	struct ew_choice choice = {.addr = at_port(port), .n_hosts = HOSTS};
	for (unsigned i = 0; i < times; i++)
		ew_route_on_failed(world->ask.route, &choice, now_ms);
}

/* Which ports are chosen in many calls, as bits. */
static unsigned chosen(struct world *world)
{
	unsigned ports = 0;
	bool full;
	for (int i = 0; i < 100; i++) {
		struct ew_choice choice;
		assert_true(choose(world, NULL, &choice, &full));
		assert_int_equal(choice.n_hosts, world->ask.route->policy.outlier.consecutive > 0
		                                         ? world->ask.route->n_endpoints
		                                         : 0);
		ports |= 1u << choice.addr.port;
	}
	return ports;
}

static void an_ejected_endpoint_is_not_chosen_until_its_time_is_over(void **state)
{
	static const struct ew_policy policy = {.outlier = {3, 1000, 5000, 50}};
	struct addr two = at_port(2);
	struct world world;
	(void)state;
	open_world(&world, HOSTS, &policy);
	assert_int_equal(chosen(&world), 0x1e);
	fail_at(&world, 2, 2, 0);
	assert_int_equal(chosen(&world), 0x1e);
	fail_at(&world, 2, 1, 0);
	assert_int_equal(chosen(&world), 0x1a);
	assert_true(ew_route_has_ejected(world.ask.route, &two, 0));
	/* no more than half */
	fail_at(&world, 3, 3, 0);
	fail_at(&world, 4, 3, 0);
	assert_int_equal(chosen(&world), 0x12);
	world.ask.now_ms = 4999;
	assert_int_equal(chosen(&world), 0x12);
	world.ask.now_ms = 5000;
	assert_int_equal(chosen(&world), 0x1e);
	assert_false(ew_route_has_ejected(world.ask.route, &two, 5000));
	close_world(&world);
}

static void ejections_survive_a_change_of_the_route_but_not_of_the_address(void **state)
{
	static const struct ew_policy policy = {.outlier = {1, 1000, 5000, 100}};
	static const struct ew_policy off = {.lb = EW_LB_RANDOM};
	struct world world;
	(void)state;
	open_world(&world, HOSTS, &policy);
	fail_at(&world, 1, 1, 0);
	fail_at(&world, 4, 1, 0);
	assert_int_equal(chosen(&world), 0x0c);
	set_route(&world, 3, &policy);
	assert_int_equal(chosen(&world), 0x0c);
	set_route(&world, HOSTS, &policy);
	assert_int_equal(chosen(&world), 0x1c);
	set_route(&world, HOSTS, &off);
	assert_int_equal(chosen(&world), 0x1e);
	close_world(&world);
}

static void ejected_endpoints_make_load_spill_over_and_panic_brings_them_back(void **state)
{
	struct ew_policy policy = {.outlier = {1, 1000, 5000, 100}};
	struct world world;
	(void)state;
	open_world(&world, 2, &policy);
	fail_at(&world, 1, 1, 0);
	fail_at(&world, 2, 1, 0);
	struct ew_choice choice;
	bool full;
	assert_false(choose(&world, NULL, &choice, &full));
	assert_false(full);
	policy.panic_percent = 50;
	set_route(&world, 2, &policy);
	assert_int_equal(chosen(&world), 0x06);
	close_world(&world);
}

struct failer {
	struct world *world;
	uint16_t port;
};

static void *fail_often(void *arg)
{
	const struct failer *failer = arg;
	fail_at(failer->world, failer->port, 5000, 0);
	return NULL;
}

static void workers_fail_at_once_and_eject_once(void **state)
{
	static const struct ew_policy policy = {.outlier = {20000, 1000, 5000, 100}};
	struct world world;
	pthread_t threads[4];
	(void)state;
	open_world(&world, 2, &policy);
	struct failer failer = {&world, 1};
	for (size_t i = 0; i < N_ELEMS(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fail_often, &failer), 0);
	for (size_t i = 0; i < N_ELEMS(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(chosen(&world), 0x04);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_takes_no_more_than_its_connections),
		cmocka_unit_test(a_connection_outlives_its_route_and_worker),
		cmocka_unit_test(an_ejected_endpoint_is_not_chosen_until_its_time_is_over),
		cmocka_unit_test(ejections_survive_a_change_of_the_route_but_not_of_the_address),
		cmocka_unit_test(ejected_endpoints_make_load_spill_over_and_panic_brings_them_back),
		cmocka_unit_test(workers_fail_at_once_and_eject_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
