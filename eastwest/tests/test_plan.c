/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's shares are those that explanations tell: a thousand random routes, spread by both.
 */
#include "unit.h"

#include <stdio.h>

#include "model/health.h"
#include "table/balance_priv.h"

enum {
	CASES = 1000,
	PRIORITIES = 4,
	GROUPS = 3, /* of a priority */
	ENDPOINTS = 5,
	TEXT_MAX = 16
};

/* A route in the words of the model, and in those of the gateway. */
struct pair {
	struct locality localities[PRIORITIES * GROUPS];
	char names[PRIORITIES * GROUPS][TEXT_MAX];
	struct view_endpoint model_endpoints[PRIORITIES * GROUPS * ENDPOINTS];
	struct view_group groups[PRIORITIES * GROUPS];
	struct view_route route;
	struct ew_endpoint_spec endpoints[PRIORITIES * GROUPS * ENDPOINTS];
	struct ew_group_weight weights[PRIORITIES * GROUPS];
	struct ew_route_spec spec;
};

static uint32_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void add_endpoint(struct pair *pair, size_t g, size_t at, uint64_t *seed)
{
	static const char *const networks[] = {"", "", "n2", "n3", "n4"};
	const char *network = networks[next(seed) % N_ELEMS(networks)];
	/* in panic the gateway still uses nobody behind a dead one */
	if (pair->route.panic_percent > 0 && strcmp(network, "n3") == 0)
		network = "n4";
	struct view_endpoint *model = &pair->model_endpoints[at];
	*model = (struct view_endpoint){
		.remote = network[0] != '\0',
		.network = network,
		.cluster = "c2",
		.ready = next(seed) % 100 < 60,
		.weight = 1 + next(seed) % 9,
	};
	pair->endpoints[at] = (struct ew_endpoint_spec){
		.addr = {.port = (uint16_t)(at + 1)},
		.network = str_from(network),
		.cluster = STR_LIT("c2"),
		.locality = str_from(pair->names[g]),
		.priority = pair->groups[g].priority,
		.weight = model->weight,
		.healthy = model->ready,
	};
}

static void add_group(struct pair *pair, uint32_t priority, uint64_t *seed)
{
	size_t g = pair->route.n_groups++;
	struct view_group *group = &pair->groups[g];
	snprintf(pair->names[g], TEXT_MAX, "z%zu", g);
	*group = (struct view_group){.locality = &pair->localities[g],
	                             .priority = priority,
	                             .weight = next(seed) % 4 * 20,
	                             .endpoints = &pair->model_endpoints[pair->spec.n_endpoints],
	                             .n_endpoints = 1 + next(seed) % ENDPOINTS};
	pair->weights[g] =
		(struct ew_group_weight){str_from(pair->names[g]), priority, group->weight};
	for (size_t i = 0; i < group->n_endpoints; i++)
		add_endpoint(pair, g, pair->spec.n_endpoints++, seed);
}

static void make_pair(struct pair *pair, uint64_t *seed)
{
	static const uint32_t panics[] = {0, 0, 30, 50};
	*pair = (struct pair){.route = {.weighted = next(seed) % 2 == 0}};
	pair->route.panic_percent = panics[next(seed) % N_ELEMS(panics)];
	pair->route.n_priorities = 1 + next(seed) % PRIORITIES;
	pair->route.groups = pair->groups;
	for (uint32_t p = 0; p < pair->route.n_priorities; p++) {
		for (uint32_t i = 1 + next(seed) % GROUPS; i > 0; i--)
			add_group(pair, p, seed);
	}
	pair->spec.sni = STR_LIT("r");
	pair->spec.endpoints = pair->endpoints;
	pair->spec.weighted = pair->route.weighted;
	pair->spec.weights = pair->weights;
	pair->spec.n_weights = pair->route.n_groups;
	pair->spec.policy.panic_percent = pair->route.panic_percent;
}

/* --- networks: n2 has a live gateway of c2, n3 a dead one, n4 one of no cluster beside another -
 */

static void stay(struct shared *shared)
{
	(void)shared;
}

static struct tree *model_networks(void)
{
	static struct mesh_gateway n2 = {.cluster = "c2", .live = true};
	static struct mesh_gateway n3 = {.cluster = "c2", .live = false};
	static struct mesh_gateway n4[] = {{.cluster = "", .live = true},
	                                   {.cluster = "c9", .live = true}};
	static struct mesh_network networks[] = {
		{.name = "n2", .gateways = &n2, .n_gateways = 1},
		{.name = "n3", .gateways = &n3, .n_gateways = 1},
		{.name = "n4", .gateways = n4, .n_gateways = 2},
	};
	struct tree *tree = NULL;
	for (size_t i = 0; i < N_ELEMS(networks); i++) {
		shared_init(&networks[i].shared, stay);
		tree_put(&tree, str_from(networks[i].name), &networks[i].shared);
	}
	return tree;
}

static struct ew_gateway_spec gateway(uint16_t port, const char *cluster)
{
	struct ew_gateway_spec spec = {
		.addr = {.port = port}, .cluster = str_from(cluster), .weight = 1};
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &spec.addr.ip));
	return spec;
}

static struct ew_table *make_table(struct ew_health_registry *registry, const struct pair *pair)
{
	struct err err;
	const struct ew_gateway_spec n2 = gateway(1001, "c2");
	const struct ew_gateway_spec n3 = gateway(1002, "c2");
	const struct ew_gateway_spec n4[] = {gateway(1003, ""), gateway(1004, "c9")};
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	assert_true(ew_table_builder_set_network(builder, STR_LIT("n2"), &n2, 1, &err));
	assert_true(ew_table_builder_set_network(builder, STR_LIT("n3"), &n3, 1, &err));
	assert_true(ew_table_builder_set_network(builder, STR_LIT("n4"), n4, 2, &err));
	struct ew_health *dead = ew_health_get(registry, &n3.addr);
	for (int i = 0; i < EW_HEALTH_MISSES; i++)
		ew_health_on_miss(registry, dead, "test", i);
	ew_health_unref(dead);
	assert_true(ew_table_builder_set_route(builder, &pair->spec, &err));
	return ew_table_builder_finish(builder);
}

/* --- comparison ------------------------------------------------------------------------------- */

static uint64_t weight_at(const struct ew_tier *tier, uint32_t i)
{
	return tier->candidates[i].cumulative - (i > 0 ? tier->candidates[i - 1].cumulative : 0);
}

/* In millionths of its tier, what candidates of a group get. */
static uint32_t share_of(const struct ew_tier *tier, const struct ew_route *route,
                         const struct ew_group *group)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < tier->n; i++) {
		ptrdiff_t at = tier->candidates[i].endpoint - route->endpoints;
		if (at >= group->first && at < group->first + group->n)
			sum += weight_at(tier, i);
		/* a gateway of another cluster only when there is none of its own */
		if (tier->candidates[i].gateway != NULL)
			assert_int_not_equal(tier->candidates[i].gateway->addr.port, 1004);
	}
	return tier->n > 0 ? (uint32_t)((__uint128_t)sum * 1000000 /
	                                tier->candidates[tier->n - 1].cumulative)
	                   : 0;
}

/* The model's group for one of the gateway's, which has them in another order. */
static const struct view_group *find_group(const struct pair *pair, const struct ew_names *names,
                                           const struct ew_group *group)
{
	size_t g = 0;
	while (strcmp(pair->names[g], ew_names_text(names, group->locality)) != 0)
		g++;
	return &pair->groups[g];
}

static void compare_groups(const struct view *view, const struct pair *pair,
                           const struct ew_table *table, const struct ew_plan *plan)
{
	const struct ew_route *route = ew_table_find(table, STR_LIT("r"));
	uint32_t tier = 0;
	for (uint32_t i = 0; i < route->n_groups; i++) {
		const struct ew_group *group = &route->groups[i];
		const struct view_group *model = find_group(pair, ew_table_names(table), group);
		if (route->weighted && group->weight == 0)
			continue;
		uint32_t want = health_group_share(view, &pair->route, model);
		/* tiers are those priorities in which something counts */
		while (share_of(&plan->tiers[tier], route, group) == 0 && want > 0)
			assert_true(++tier < plan->n_tiers);
		assert_in_range(share_of(&plan->tiers[tier], route, group) + 1000, want,
		                want + 2000);
	}
}

static void compare(const struct view *view, const struct pair *pair, const struct ew_table *table)
{
	struct lb_level levels[LB_PRIORITIES_MAX];
	struct map actives = MAP_EMPTY;
	struct ew_ask ask = {.table = table,
	                     .route = ew_table_find(table, STR_LIT("r")),
	                     .scope = EW_SCOPE_EGRESS};
	struct ew_plan *plan = ew_plan_create(&ask, &actives);
	bool usable = health_spread(view, &pair->route, levels);
	uint32_t tier = 0;
	assert_int_equal(plan->usable, usable);
	for (uint32_t p = 0; usable && p < pair->route.n_priorities; p++) {
		if (levels[p].total == 0)
			continue;
		assert_int_equal(plan->tiers[tier++].load, levels[p].load);
	}
	if (usable)
		compare_groups(view, pair, table, plan);
	ew_plan_destroy(plan);
}

static void a_gateway_spreads_a_thousand_routes_as_explanations_say(void **state)
{
	static struct pair pair;
	struct view view = {.networks = model_networks()};
	uint64_t seed = 42;
	(void)state;
	for (int i = 0; i < CASES; i++) {
		struct ew_health_registry *registry = ew_health_registry_create();
		make_pair(&pair, &seed);
		struct ew_table *table = make_table(registry, &pair);
		compare(&view, &pair, table);
		ew_table_unref(table);
		ew_health_registry_destroy(registry);
	}
	tree_unref(view.networks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gateway_spreads_a_thousand_routes_as_explanations_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
