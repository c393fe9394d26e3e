/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/macros.h"
#include "eastwest/balance.h"

enum {
	MAX = 64,
	CALLS = 3000,
	SOURCES = 4000
};

struct world {
	struct ew_health_registry *registry;
	struct ew_table *table;
	struct ew_balance balance;
	struct ew_ask ask;
};

/* Endpoints at ports 1 to n, but for `without`; those of even ports have the weight. */
static void open_world(struct world *world, enum ew_lb lb, uint16_t n, uint16_t without,
                       uint32_t weight)
{
	struct err err;
	struct ew_endpoint_spec endpoints[MAX];
	size_t used = 0;
	*world = (struct world){.registry = ew_health_registry_create()};
	for (uint16_t port = 1; port <= n; port++) {
		if (port == without)
			continue;
		endpoints[used] = (struct ew_endpoint_spec){.addr = {.port = port},
		                                            .weight = port % 2 == 0 ? weight : 1,
		                                            .healthy = true};
		assert_true(ip_parse(STR_LIT("10.0.0.1"), &endpoints[used++].addr.ip));
	}
	struct ew_route_spec spec = {.sni = STR_LIT("r"),
	                             .endpoints = endpoints,
	                             .n_endpoints = used,
	                             .policy = {.lb = lb}};
	struct ew_table_builder *builder = ew_table_builder_create(NULL, world->registry);
	assert_true(ew_table_builder_set_route(builder, &spec, &err));
	world->table = ew_table_builder_finish(builder);
	ew_balance_init(&world->balance, 0);
	world->ask = (struct ew_ask){.table = world->table,
	                             .route = ew_table_find(world->table, STR_LIT("r")),
	                             .scope = EW_SCOPE_EGRESS};
}

static void close_world(struct world *world)
{
	ew_balance_fini(&world->balance);
	ew_table_unref(world->table);
	ew_health_registry_destroy(world->registry);
}

static uint16_t choose(struct world *world)
{
	struct ew_tries tries = {.n = 0};
	struct ew_choice choice;
	assert_true(ew_balance_choose(&world->balance, &world->ask, &tries, &choice));
	return choice.addr.port;
}

static struct ip source(unsigned number)
{
	struct ip ip;
	assert_true(ip_parse(STR_LIT("10.1.0.0"), &ip));
	ip.b[14] = (uint8_t)(number >> 8);
	ip.b[15] = (uint8_t)number;
	return ip;
}

static void random_choices_keep_the_weights_without_a_pattern(void **state)
{
	struct world world;
	unsigned ports[MAX] = {0};
	unsigned repeated = 0;
	uint16_t last = 0;
	(void)state;
	open_world(&world, EW_LB_RANDOM, 2, 0, 3);
	for (int i = 0; i < CALLS; i++) {
		uint16_t port = choose(&world);
		ports[port]++;
		repeated += port == last;
		last = port;
	}
	assert_in_range(ports[1], CALLS * 22 / 100, CALLS * 28 / 100);
	/* 1/16 + 9/16 of pairs are equal when no choice knows of the one before */
	assert_in_range(repeated, CALLS * 59 / 100, CALLS * 66 / 100);
	close_world(&world);
}

static void connections_even_out_where_some_stay_longer(void **state)
{
	static const uint32_t weights[] = {1, 3};
	(void)state;
	for (size_t w = 0; w < N_ELEMS(weights); w++) {
		struct world world;
		struct ew_seat seats[80] = {{NULL, NULL}};
		uint16_t at[80] = {0};
		unsigned open[MAX] = {0};
		open_world(&world, EW_LB_LEAST_CONNECTIONS, 4, 0, weights[w]);
		/* all that go to port 1 stay; the others end at once half of the time */
		for (size_t i = 0; i < 400; i++) {
			size_t k = i % N_ELEMS(seats);
			world.ask.seat = &seats[k];
			if (seats[k].traffic != NULL && at[k] == 1)
				continue;
			open[at[k]] -= seats[k].traffic != NULL;
			ew_seat_release(&seats[k]);
			at[k] = choose(&world);
			open[at[k]]++;
		}
		unsigned share = (unsigned)N_ELEMS(seats) / (2 + 2 * weights[w]);
		assert_in_range(open[1], share - 3, share + 4);
		assert_in_range(open[2], share * weights[w] - 6, share * weights[w] + 6);
		for (size_t i = 0; i < N_ELEMS(seats); i++)
			ew_seat_release(&seats[i]);
		close_world(&world);
	}
}

static void an_idle_route_with_least_connections_is_spread_evenly(void **state)
{
	struct world world;
	unsigned ports[MAX] = {0};
	(void)state;
	open_world(&world, EW_LB_LEAST_CONNECTIONS, 5, 0, 1);
	for (int i = 0; i < 500; i++)
		ports[choose(&world)]++;
	for (int port = 1; port <= 5; port++)
		assert_in_range(ports[port], 98, 102);
	close_world(&world);
}

/* Where each source goes. */
static void map_sources(uint16_t n, uint16_t without, uint32_t weight, uint16_t to[SOURCES])
{
	struct world world;
	open_world(&world, EW_LB_SOURCE_IP, n, without, weight);
	for (unsigned i = 0; i < SOURCES; i++) {
		struct ip ip = source(i);
		world.ask.source = &ip;
		to[i] = choose(&world);
		assert_int_equal(choose(&world), to[i]);
	}
	close_world(&world);
}

static void a_source_moves_only_when_its_own_endpoint_comes_or_goes(void **state)
{
	static const struct {
		uint16_t n;
		uint32_t weight;
	} rows[] = {{10, 1}, {40, 1}, {10, 5}, {3, 2}};
	static uint16_t with[SOURCES];
	static uint16_t without[SOURCES];
	(void)state;
	for (size_t r = 0; r < N_ELEMS(rows); r++) {
		unsigned moved = 0;
		uint16_t n = rows[r].n;
		map_sources(n, 0, rows[r].weight, with);
		map_sources(n, 3, rows[r].weight, without);
		for (unsigned i = 0; i < SOURCES; i++) {
			assert_int_not_equal(without[i], 3);
			if (with[i] != 3)
				assert_int_equal(with[i], without[i]);
			moved += with[i] != without[i];
		}
		/* its share, of all weights together, within four standard deviations */
		double share = SOURCES / (double)((n + 1) / 2 + n / 2 * (int)rows[r].weight);
		assert_true((moved - share) * (moved - share) < 16 * share);
	}
}

static void a_source_whose_endpoint_fails_has_a_second_one(void **state)
{
	struct world world;
	struct ip ip = source(7);
	uint16_t seen[2][2];
	(void)state;
	open_world(&world, EW_LB_SOURCE_IP, 9, 0, 1);
	world.ask.source = &ip;
	for (int round = 0; round < 2; round++) {
		struct ew_tries tries = {.n = 0};
		struct ew_choice choice;
		for (int i = 0; i < 2; i++) {
			assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
			seen[round][i] = choice.addr.port;
		}
	}
	assert_int_not_equal(seen[0][0], seen[0][1]);
	assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_choices_keep_the_weights_without_a_pattern),
		cmocka_unit_test(connections_even_out_where_some_stay_longer),
		cmocka_unit_test(an_idle_route_with_least_connections_is_spread_evenly),
		cmocka_unit_test(a_source_moves_only_when_its_own_endpoint_comes_or_goes),
		cmocka_unit_test(a_source_whose_endpoint_fails_has_a_second_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
