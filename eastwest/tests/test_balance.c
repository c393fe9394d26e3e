/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/macros.h"
#include "eastwest/balance.h"

enum {
	CALLS = 300,
	ROUTE_MAX = 16
};

/* "E priority locality cluster weight health" for an own endpoint with port 1, 2, ...; a network
 * instead of E for a remote one. */
struct row {
	const char *network;
	uint32_t priority;
	const char *locality;
	const char *cluster;
	uint32_t weight;
	bool healthy;
};

struct gateway_row {
	const char *network;
	const char *cluster;
	uint16_t port;
	uint32_t weight;
	bool mark;
};

struct world {
	struct ew_health_registry *registry;
	struct ew_table *table;
	struct ew_balance balance;
	struct ew_ask ask;
};

static struct addr at_port(uint16_t port)
{
	struct addr addr = {.port = port};
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &addr.ip));
	return addr;
}

static void add_networks(struct ew_table_builder *builder, const struct gateway_row *rows, size_t n)
{
	struct err err;
	for (size_t i = 0; i < n;) {
		struct ew_gateway_spec specs[ROUTE_MAX];
		size_t k = 0;
		const char *name = rows[i].network;
		for (; i < n && strcmp(rows[i].network, name) == 0; i++)
			specs[k++] = (struct ew_gateway_spec){
				.addr = at_port(rows[i].port),
				.cluster = str_from(rows[i].cluster),
				.weight = rows[i].weight,
				.mark = rows[i].mark,
			};
		assert_true(ew_table_builder_set_network(builder, str_from(name), specs, k, &err));
	}
}

static struct ew_table *make_table(struct ew_health_registry *registry, const struct row *rows,
                                   size_t n, const struct gateway_row *gateways, size_t n_gateways,
                                   const struct ew_group_weight *weights, size_t n_weights)
{
	struct err err;
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct ew_endpoint_spec specs[ROUTE_MAX];
	for (size_t i = 0; i < n; i++)
		specs[i] = (struct ew_endpoint_spec){
			.addr = at_port((uint16_t)(i + 1)),
			.network = str_from(rows[i].network),
			.cluster = str_from(rows[i].cluster),
			.locality = str_from(rows[i].locality),
			.priority = rows[i].priority,
			.weight = rows[i].weight,
			.healthy = rows[i].healthy,
		};
	struct ew_route_spec route = {.sni = STR_LIT("r"),
	                              .exposed = true,
	                              .endpoints = specs,
	                              .n_endpoints = n,
	                              .weighted = n_weights > 0,
	                              .weights = weights,
	                              .n_weights = n_weights};
	add_networks(builder, gateways, n_gateways);
	assert_true(ew_table_builder_set_route(builder, &route, &err));
	return ew_table_builder_finish(builder);
}

static void open_world(struct world *world, const struct row *rows, size_t n,
                       const struct gateway_row *gateways, size_t n_gateways)
{
	world->registry = ew_health_registry_create();
	world->table = make_table(world->registry, rows, n, gateways, n_gateways, NULL, 0);
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

static void kill_gateway(struct world *world, uint16_t port)
{
	struct addr addr = at_port(port);
	struct ew_health *health = ew_health_get(world->registry, &addr);
	for (int i = 0; i < EW_HEALTH_MISSES; i++)
		IGNORE(ew_health_on_miss(world->registry, health, "test", 1000 * i));
	ew_health_unref(health);
	world->ask.generation = ew_health_generation(world->registry);
}

/* How many of CALLS first choices went to each port. */
static void count(struct world *world, unsigned ports[64])
{
	memset(ports, 0, 64 * sizeof(*ports));
	for (int i = 0; i < CALLS; i++) {
		struct ew_tries tries = {.n = 0};
		struct ew_choice choice;
		assert_true(ew_balance_choose(&world->balance, &world->ask, &tries, &choice));
		ports[choice.addr.port]++;
	}
}

/* Within one point of a hundred. */
#define assert_share(n, percent)                                                                   \
	assert_in_range((n) + 3, (percent)*CALLS / 100, (percent)*CALLS / 100 + 6)

static void spreads_by_weight(void **state)
{
	static const struct row rows[] = {{"", 0, "", "", 1, true},
	                                  {"", 0, "", "", 2, true},
	                                  {"", 0, "", "", 7, true},
	                                  {"", 0, "", "", 5, false}};
	struct world world;
	unsigned ports[64];
	(void)state;
	open_world(&world, rows, 3, NULL, 0);
	count(&world, ports);
	assert_share(ports[1], 10);
	assert_share(ports[2], 20);
	assert_share(ports[3], 70);
	close_world(&world);
	/* an unhealthy one gets nothing, and 10 of 15 still is enough for the priority */
	open_world(&world, rows, 4, NULL, 0);
	count(&world, ports);
	assert_share(ports[3], 70);
	assert_int_equal(ports[4], 0);
	close_world(&world);
}

static void spreads_evenly_in_any_window(void **state)
{
	struct row rows[8];
	struct world world;
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		rows[i] = (struct row){"", 0, "", "", 1, true};
	open_world(&world, rows, N_ELEMS(rows), NULL, 0);
	for (int window = 0; window < 20; window++) {
		unsigned seen[64] = {0};
		for (int i = 0; i < 80; i++) {
			struct ew_tries tries = {.n = 0};
			struct ew_choice choice;
			assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
			seen[choice.addr.port]++;
		}
		for (int port = 1; port <= 8; port++)
			assert_in_range(seen[port], 8, 12);
	}
	close_world(&world);
}

static void spills_to_the_next_priority_as_envoy_does(void **state)
{
	static const struct {
		unsigned healthy[2]; /* of 100 in weight */
		unsigned load[2];
	} cases[] = {
		{{100, 100}, {100, 0}}, {{72, 100}, {100, 0}}, {{50, 100}, {70, 30}},
		{{25, 100}, {35, 65}},  {{0, 100}, {0, 100}},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		unsigned h0 = cases[i].healthy[0];
		const struct row rows[] = {{"", 0, "z1", "", h0 > 0 ? h0 : 1, h0 > 0},
		                           {"", 0, "z1", "", h0 < 100 ? 100 - h0 : 1, false},
		                           {"", 1, "z2", "", 100, true}};
		struct world world;
		unsigned ports[64];
		open_world(&world, rows, 3, NULL, 0);
		if (h0 < 100) {
			count(&world, ports);
			assert_share(ports[1], cases[i].load[0]);
			assert_share(ports[3], cases[i].load[1]);
		}
		close_world(&world);
	}
}

static void weighs_localities_at_the_egress_door_only(void **state)
{
	static const struct row rows[] = {{"", 0, "z1", "", 1, true},
	                                  {"", 0, "z2", "", 1, true},
	                                  {"", 0, "z2", "", 1, true},
	                                  {"", 0, "z3", "", 1, true}};
	static const struct ew_group_weight weights[] = {{STR_LIT("z1"), 0, 80},
	                                                 {STR_LIT("z2"), 0, 20}};
	struct world world;
	unsigned ports[64];
	(void)state;
	open_world(&world, rows, 4, NULL, 0);
	ew_table_unref(world.table);
	world.table = make_table(world.registry, rows, 4, NULL, 0, weights, 2);
	world.ask.table = world.table;
	world.ask.route = ew_table_find(world.table, STR_LIT("r"));
	count(&world, ports);
	assert_share(ports[1], 80);
	assert_share(ports[2], 10);
	assert_share(ports[3], 10);
	assert_int_equal(ports[4], 0);
	world.ask.scope = EW_SCOPE_INGRESS;
	count(&world, ports);
	for (int port = 1; port <= 4; port++)
		assert_share(ports[port], 25);
	close_world(&world);
}

static const struct row mixed[] = {
	{"", 0, "z1", "c1", 1, true}, {"", 0, "z1", "c3", 1, true}, {"n2", 1, "z2", "c2", 3, true}};
static const struct gateway_row gateways[] = {
	{"n2", "c2", 21, 1, true}, {"n2", "c2", 22, 3, true}, {"n2", "c4", 23, 1, true}};

static void ingress_takes_own_endpoints_and_relays_only_without_any(void **state)
{
	struct row rows[3];
	struct world world;
	unsigned ports[64];
	(void)state;
	memcpy(rows, mixed, sizeof(rows));
	open_world(&world, rows, 3, gateways, 3);
	world.ask.scope = EW_SCOPE_INGRESS;
	count(&world, ports);
	assert_share(ports[1], 50);
	assert_share(ports[2], 50);
	close_world(&world);

	rows[0].healthy = rows[1].healthy = false;
	open_world(&world, rows, 3, gateways, 3);
	world.ask.scope = EW_SCOPE_INGRESS;
	count(&world, ports);
	assert_share(ports[21], 25);
	assert_share(ports[22], 75);
	/* nobody to relay to without the mark */
	static const struct gateway_row stock[] = {{"n2", "c2", 21, 1, false}};
	close_world(&world);
	open_world(&world, rows, 3, stock, 1);
	world.ask.scope = EW_SCOPE_INGRESS;
	assert_false(ew_balance_has(&world.balance, &world.ask));
	world.ask.scope = EW_SCOPE_EGRESS;
	assert_true(ew_balance_has(&world.balance, &world.ask));
	close_world(&world);
}

static void a_marked_connection_gets_its_cluster_first_and_own_endpoints_only(void **state)
{
	struct row rows[3];
	struct world world;
	unsigned ports[64];
	uint16_t c3;
	(void)state;
	memcpy(rows, mixed, sizeof(rows));
	open_world(&world, rows, 3, gateways, 3);
	c3 = ew_names_find(ew_table_names(world.table), STR_LIT("c3"));
	world.ask.scope = EW_SCOPE_MARKED;
	world.ask.cluster = c3;
	count(&world, ports);
	assert_int_equal(ports[2], CALLS);
	/* the other own endpoint is where it goes on when that fails */
	struct ew_tries tries = {.n = 0};
	struct ew_choice choice;
	assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	assert_int_equal(choice.addr.port, 1);
	assert_false(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	close_world(&world);

	rows[0].healthy = rows[1].healthy = false;
	open_world(&world, rows, 3, gateways, 3);
	world.ask.scope = EW_SCOPE_MARKED;
	assert_false(ew_balance_has(&world.balance, &world.ask));
	close_world(&world);
}

static void a_dead_gateways_weight_moves_to_the_live_ones(void **state)
{
	static const struct row rows[] = {{"n2", 0, "z2", "c2", 3, true},
	                                  {"", 0, "z1", "c1", 3, true}};
	struct world world;
	unsigned ports[64];
	(void)state;
	open_world(&world, rows, 2, gateways, 3);
	count(&world, ports);
	assert_share(ports[2], 50);
	assert_share(ports[21] + ports[22], 50);
	kill_gateway(&world, 22);
	count(&world, ports);
	assert_share(ports[21], 50);
	assert_share(ports[2], 50);
	/* none of its cluster is left: another one of the network */
	kill_gateway(&world, 21);
	count(&world, ports);
	assert_share(ports[23], 50);
	/* the network is dead */
	kill_gateway(&world, 23);
	count(&world, ports);
	assert_int_equal(ports[2], CALLS);
	close_world(&world);
}

static void a_retry_names_nobody_twice_and_leaves_the_priority_after_one_more(void **state)
{
	static const struct row rows[] = {{"", 0, "", "", 1, true}, {"", 0, "", "", 1, true},
	                                  {"", 0, "", "", 1, true}, {"", 1, "", "", 1, true},
	                                  {"", 1, "", "", 1, true}, {"", 2, "", "", 1, true}};
	struct world world;
	(void)state;
	open_world(&world, rows, 6, NULL, 0);
	for (int i = 0; i < 50; i++) {
		struct ew_tries tries = {.n = 0};
		struct ew_choice choice;
		unsigned seen[8] = {0};
		static const unsigned priority[] = {9, 0, 0, 0, 1, 1, 2};
		for (unsigned n = 0; n < EW_TRIES_MAX; n++) {
			assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
			assert_int_equal(seen[choice.addr.port]++, 0);
			assert_int_equal(priority[choice.addr.port], n / 2);
		}
		assert_false(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	}
	close_world(&world);
}

static void a_retry_goes_back_when_nothing_is_behind(void **state)
{
	static const struct row rows[] = {
		{"", 0, "", "", 1, false}, {"", 0, "", "", 1, true}, {"", 1, "", "", 1, true}};
	struct world world;
	bool began_behind = false;
	(void)state;
	open_world(&world, rows, 3, NULL, 0);
	for (int i = 0; i < 50; i++) {
		struct ew_tries tries = {.n = 0};
		struct ew_choice choice;
		assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
		began_behind |= choice.addr.port == 3;
		uint16_t first = choice.addr.port;
		assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
		assert_int_equal(choice.addr.port + first, 5);
	}
	assert_true(began_behind);
	close_world(&world);
}

static void workers_stand_apart_and_keep_their_place_over_a_new_table(void **state)
{
	static const struct row rows[] = {{"", 0, "", "", 1, true}, {"", 0, "", "", 1, true}};
	struct world world;
	struct ew_balance other;
	unsigned same = 0;
	(void)state;
	open_world(&world, rows, 2, NULL, 0);
	ew_balance_init(&other, 1);
	for (int i = 0; i < 100; i++) {
		struct ew_tries a = {.n = 0};
		struct ew_tries b = {.n = 0};
		struct ew_choice x;
		struct ew_choice y;
		assert_true(ew_balance_choose(&world.balance, &world.ask, &a, &x));
		assert_true(ew_balance_choose(&other, &world.ask, &b, &y));
		same += x.addr.port == y.addr.port;
	}
	assert_in_range(same, 1, 99);
	uint64_t turn = world.balance.turn;
	struct ew_table *next = make_table(world.registry, rows, 2, NULL, 0, NULL, 0);
	ew_table_unref(world.table);
	world.table = next;
	world.ask.table = next;
	world.ask.route = ew_table_find(next, STR_LIT("r"));
	struct ew_tries tries = {.n = 0};
	struct ew_choice choice;
	assert_true(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	assert_true(world.balance.turn != turn && world.balance.plans != NULL);
	ew_balance_fini(&other);
	close_world(&world);
}

static void an_empty_route_has_nothing(void **state)
{
	struct world world;
	struct ew_tries tries = {.n = 0};
	struct ew_choice choice;
	(void)state;
	open_world(&world, NULL, 0, NULL, 0);
	assert_false(ew_balance_choose(&world.balance, &world.ask, &tries, &choice));
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_by_weight),
		cmocka_unit_test(spreads_evenly_in_any_window),
		cmocka_unit_test(spills_to_the_next_priority_as_envoy_does),
		cmocka_unit_test(weighs_localities_at_the_egress_door_only),
		cmocka_unit_test(ingress_takes_own_endpoints_and_relays_only_without_any),
		cmocka_unit_test(a_marked_connection_gets_its_cluster_first_and_own_endpoints_only),
		cmocka_unit_test(a_dead_gateways_weight_moves_to_the_live_ones),
		cmocka_unit_test(a_retry_names_nobody_twice_and_leaves_the_priority_after_one_more),
		cmocka_unit_test(a_retry_goes_back_when_nothing_is_behind),
		cmocka_unit_test(workers_stand_apart_and_keep_their_place_over_a_new_table),
		cmocka_unit_test(an_empty_route_has_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
