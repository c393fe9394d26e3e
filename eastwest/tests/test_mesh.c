/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh_pair.h"

#include <stdio.h>
#include <time.h>

enum {
	MANY = 100000,
	CHANGES = 1000
};

#define CANARY "_canary.n1.fedway.internal"

struct scene {
	struct mesh_pair pair;
	struct ew_health_registry *registry;
	struct ew_mesh *mesh;
	struct ew_table *table;
};

static size_t resolve_one(struct str host, struct ip *ret_ips, size_t max, void *arg)
{
	(void)host;
	(void)max;
	(void)arg;
	assert_true(ip_parse(STR_LIT("192.0.2.9"), ret_ips));
	return 1;
}

/* What the last burst changed, in force. */
static void take(struct scene *scene, bool whole)
{
	struct err err;
	size_t left_out;
	struct ew_burst *burst = ew_burst_create(scene->pair.client, whole);
	ew_mesh_take(scene->mesh, burst);
	struct ew_mesh_parts parts = {scene->table, burst, resolve_one, NULL};
	struct ew_table *table = ew_mesh_table(scene->mesh, &parts, &left_out, &err);
	assert_int_equal(left_out, 0);
	ew_burst_destroy(burst);
	ew_table_unref(scene->table);
	scene->table = table;
}

static void scene_init(struct scene *scene)
{
	struct addr canary;
	*scene = (struct scene){.registry = ew_health_registry_create()};
	assert_true(addr_parse(STR_LIT("127.0.0.1:4711"), &canary));
	mesh_pair_init(&scene->pair);
	scene->mesh = ew_mesh_create(scene->registry, &canary);
	take(scene, true);
}

static void scene_fini(struct scene *scene)
{
	ew_table_unref(scene->table);
	ew_mesh_destroy(scene->mesh);
	ew_health_registry_destroy(scene->registry);
	mesh_pair_fini(&scene->pair);
}

static const struct ew_route *find(const struct scene *scene, const char *sni)
{
	return ew_table_find(scene->table, str_from(sni));
}

static const struct ew_network *find_network(const struct scene *scene, const char *name)
{
	const struct ew_names *names = ew_table_names(scene->table);
	return ew_table_network(scene->table, ew_names_find(names, str_from(name)));
}

static void a_route_is_cluster_and_assignment_together(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	const struct ew_route *route = find(&scene, WEB);
	const struct ew_names *names = ew_table_names(scene.table);
	assert_non_null(route);
	assert_true(route->exposed && route->weighted);
	assert_int_equal(route->n_groups, 2);
	assert_int_equal(route->groups[0].weight, 80);
	assert_string_equal(ew_names_text(names, route->groups[0].locality), "r1/z1");
	assert_string_equal(ew_names_text(names, route->groups[1].locality), "r2");
	assert_int_equal(route->groups[1].weight, 0);
	assert_string_equal(ew_names_text(names, route->endpoints[0].cluster), "c1");
	assert_int_equal(route->endpoints[0].network, EW_NAME_NONE);
	assert_string_equal(ew_names_text(names, route->endpoints[1].network), "n2");
	assert_int_equal(route->endpoints[1].weight, 3);
	assert_string_equal(ew_table_own_network(scene.table), "n1");
	assert_string_equal(ew_table_own_cluster(scene.table), "c1");
	scene_fini(&scene);
}

static void a_clusters_policy_is_the_routes(void **state)
{
	struct scene scene;
	struct err err;
	char name[] = WEB;
	struct xds_cluster cluster = {
		.sni = name,
		.lb = XDS_LB_SOURCE_IP,
		.connect_timeout_ms = 300,
		.idle_timeout_ms = 4000,
		.max_connections = 5,
		.panic_percent = 60,
		.outlier = {2, 1000, 2000, 70},
	};
	(void)state;
	scene_init(&scene);
	const struct ew_route *canary = find(&scene, CANARY);
	mesh_put(scene.pair.set, xds_cluster_encode(&cluster, &err));
	mesh_pump(&scene.pair);
	take(&scene, false);
	const struct ew_route *route = find(&scene, WEB);
	const struct ew_policy want = {EW_LB_SOURCE_IP, 5, 60, {2, 1000, 2000, 70}};
	assert_memory_equal(&route->policy, &want, sizeof(want));
	assert_int_equal(route->connect_ms, 300);
	assert_int_equal(route->idle_ms, 4000);
	/* nothing else was made anew */
	assert_ptr_equal(find(&scene, CANARY), canary);

	cluster.idle_timeout_ms = EW_TIMEOUT_MAX_MS + 1;
	struct xds_resource *resource = xds_cluster_encode(&cluster, &err);
	assert_false(ew_burst_check(resource, NULL, &err));
	assert_non_null(strstr(err.msg, "idleTimeout: "));
	xds_resource_unref(resource);
	scene_fini(&scene);
}

static void networks_bring_gateways_and_the_canary_is_built_in(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	const struct ew_network *network = find_network(&scene, "n2");
	assert_non_null(network);
	assert_int_equal(network->n_gateways, 1);
	assert_true(network->gateways[0].mark);
	assert_int_equal(network->gateways[0].weight, 2);
	const struct ew_route *canary = find(&scene, CANARY);
	assert_non_null(canary);
	assert_true(canary->exposed);
	assert_int_equal(canary->endpoints[0].port, 4711);
	assert_true(ew_mesh_has_peer(scene.mesh, "c2"));
	assert_false(ew_mesh_has_peer(scene.mesh, "c1"));
	assert_string_equal(ew_mesh_version(scene.mesh), xds_set_version(scene.pair.set));
	scene_fini(&scene);
}

static void a_change_touches_only_what_it_names(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	const struct ew_route *before = find(&scene, WEB);
	mesh_put_route(scene.pair.set, OTHER, false);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_ptr_equal(find(&scene, WEB), before);
	assert_non_null(find(&scene, OTHER));
	assert_false(find(&scene, OTHER)->exposed);
	assert_int_equal(ew_table_n_routes(scene.table), 3);
	scene_fini(&scene);
}

static double cpu_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* From the bytes of the stream to the next table: the bound is 1 ms, with sanitizers three. */
static void a_change_costs_the_same_among_many_routes(void **state)
{
	struct scene scene;
	char sni[128];
	double fed_ms = 0;
	double made_ms = 0;
	(void)state;
	scene_init(&scene);
	for (int i = 0; i < MANY; i++) {
		snprintf(sni, sizeof(sni), "outbound_.80_._.s%d.shop.svc.cluster.local", i);
		mesh_put_route(scene.pair.set, sni, false);
	}
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_int_equal(ew_table_n_routes(scene.table), MANY + 2);
	for (int i = 0; i < CHANGES; i++) {
		snprintf(sni, sizeof(sni), "outbound_.80_._.s%d.shop.svc.cluster.local", i * 7);
		mesh_put_route(scene.pair.set, sni, true);
		double began_ms = cpu_ms();
		mesh_pump(&scene.pair);
		double fed_at_ms = cpu_ms();
		take(&scene, false);
		fed_ms += fed_at_ms - began_ms;
		made_ms += cpu_ms() - fed_at_ms;
		assert_true(find(&scene, sni)->exposed);
	}
	print_message("one of %d routes changed: stream, both sides %.3f ms CPU, table %.3f ms\n",
	              MANY, fed_ms / CHANGES, made_ms / CHANGES);
	assert_true(made_ms / CHANGES < 3);
	scene_fini(&scene);
}

static void what_is_removed_goes_and_what_loses_its_endpoints_stays(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	mesh_put_route(scene.pair.set, OTHER, true);
	mesh_pump(&scene.pair);
	take(&scene, false);
	xds_set_remove(scene.pair.set, XDS_CLUSTER, STR_LIT(WEB));
	xds_set_remove(scene.pair.set, XDS_ASSIGNMENT, STR_LIT(WEB));
	xds_set_remove(scene.pair.set, XDS_ASSIGNMENT, STR_LIT(OTHER));
	xds_set_remove(scene.pair.set, XDS_NETWORK, STR_LIT("n2"));
	xds_set_remove(scene.pair.set, XDS_PEERS, STR_LIT("default"));
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_null(find(&scene, WEB));
	assert_non_null(find(&scene, OTHER));
	assert_int_equal(find(&scene, OTHER)->n_endpoints, 0);
	assert_null(find_network(&scene, "n2"));
	assert_false(ew_mesh_has_peer(scene.mesh, "c2"));
	scene_fini(&scene);
}

static void a_whole_burst_is_all_there_is(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	mesh_put_route(scene.pair.set, OTHER, true);
	xds_set_remove(scene.pair.set, XDS_CLUSTER, STR_LIT(WEB));
	mesh_pump(&scene.pair);
	take(&scene, true);
	assert_null(find(&scene, WEB));
	assert_int_equal(ew_table_n_routes(scene.table), 2);
	scene_fini(&scene);
}

static void another_network_has_another_canary(void **state)
{
	struct scene scene;
	const struct xds_set_info info = {.network = "n7", .cluster = "c1", .locality = ""};
	(void)state;
	scene_init(&scene);
	xds_set_describe(scene.pair.set, &info);
	mesh_put_route(scene.pair.set, OTHER, true);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_null(find(&scene, CANARY));
	assert_non_null(find(&scene, "_canary.n7.fedway.internal"));
	scene_fini(&scene);
}

static void host_names_are_told_and_looked_up(void **state)
{
	struct scene scene;
	struct str *hosts;
	char name[] = "n3";
	char address[] = "gw.example.com";
	char text[ADDR_TEXT_MAX];
	(void)state;
	scene_init(&scene);
	mesh_put_network(scene.pair.set, name, address);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_int_equal(ew_mesh_hosts(scene.mesh, &hosts), 1);
	assert_true(str_is(hosts[0], "gw.example.com"));
	free(hosts);
	const struct ew_network *network = find_network(&scene, "n3");
	assert_string_equal(addr_format(&network->gateways[0].addr, text), "192.0.2.9:15443");
	scene_fini(&scene);
}

/* --- judgement -------------------------------------------------------------------------------- */

struct assignment_row {
	const char *name;
	uint32_t weight;
	uint32_t group_weight;
	uint16_t port;
	const char *want; /* part of the message, NULL: taken */
};

static void assignments_are_held_against_the_limits_of_a_table(void **state)
{
	static const struct assignment_row rows[] = {
		{"good", 1, 0, 80, NULL},
		{"heavy", EW_WEIGHT_MAX + 1, 0, 80, "lb_endpoints[0]: weight: must be 1 to"},
		{"heavy group", 1, EW_WEIGHT_MAX + 1, 80, "endpoints[0].weight: at most"},
		{"no port", 1, 0, 0, "port"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {.msg = ""};
		struct xds_assignment assignment = mesh_assignment(WEB);
		assignment.localities[0].weight = rows[i].group_weight;
		assignment.localities[0].endpoints[0].weight = rows[i].weight;
		assignment.localities[0].endpoints[0].addr.port = rows[i].port;
		struct xds_resource *resource = xds_assignment_encode(&assignment, &err);
		bool ok = resource != NULL && ew_burst_check(resource, NULL, &err);
		assert_row(rows[i].name, ok == (rows[i].want == NULL));
		assert_row(rows[i].name, ok || strstr(err.msg, rows[i].want) != NULL);
		xds_resource_unref(resource);
		xds_assignment_fini(&assignment);
	}
}

static void source_ranges_arrive_stay_and_go(void **state)
{
	struct scene scene;
	struct cidr ranges[2];
	struct xds_set_info info = {.network = "n1", .cluster = "c1", .source_ranges = ranges};
	(void)state;
	scene_init(&scene);
	assert_int_equal(ew_table_sources(scene.table)->n, 0);
	assert_true(cidr_parse(STR_LIT("192.0.2.0/24"), &ranges[0]));
	assert_true(cidr_parse(STR_LIT("2001:db8::/32"), &ranges[1]));
	info.n_source_ranges = 2;
	xds_set_describe(scene.pair.set, &info);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_int_equal(ew_table_sources(scene.table)->n, 2);
	assert_memory_equal(ew_table_sources(scene.table)->list, ranges, sizeof(ranges));
	/* a change of something else leaves them */
	mesh_put_route(scene.pair.set, OTHER, true);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_non_null(find(&scene, OTHER));
	assert_int_equal(ew_table_sources(scene.table)->n, 2);
	info.n_source_ranges = 0;
	xds_set_describe(scene.pair.set, &info);
	mesh_pump(&scene.pair);
	take(&scene, false);
	assert_int_equal(ew_table_sources(scene.table)->n, 0);
	scene_fini(&scene);
}

static void what_does_not_fit_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *name;
		enum xds_type type;
		struct str bytes;
		const char *want;
	} rows[] = {
		{"_canary.n1.fedway.internal", XDS_ASSIGNMENT, STR_NULL, "gateway itself"},
		{"a", XDS_CLUSTER, {"\xff\xff", 2}, ""},
		{"a", XDS_NETWORK, {"\xff\xff", 2}, ""},
		{"default", XDS_PEERS, {"\xff\xff", 2}, ""},
		{"another", XDS_PEERS, STR_NULL, "one resource"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {.msg = ""};
		struct xds_resource *resource = xds_resource_create(
			rows[i].type, str_from(rows[i].name), rows[i].bytes, &err);
		assert_non_null(resource);
		assert_row(rows[i].name, !ew_burst_check(resource, NULL, &err));
		assert_row(rows[i].name, strstr(err.msg, rows[i].want) != NULL);
		xds_resource_unref(resource);
	}
}

static void a_cluster_under_another_name_is_refused(void **state)
{
	struct err err;
	char sni[] = WEB;
	char service[] = "shop/web";
	struct xds_cluster cluster = {.sni = sni, .service = service};
	(void)state;
	struct xds_resource *good = xds_cluster_encode(&cluster, &err);
	assert_true(ew_burst_check(good, NULL, &err));
	struct xds_resource *bad =
		xds_resource_create(XDS_CLUSTER, STR_LIT(OTHER), good->bytes, &err);
	assert_false(ew_burst_check(bad, NULL, &err));
	assert_string_equal(err.msg, "the cluster's name is not the resource's");
	xds_resource_unref(good);
	xds_resource_unref(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_cluster_and_assignment_together),
		cmocka_unit_test(a_clusters_policy_is_the_routes),
		cmocka_unit_test(networks_bring_gateways_and_the_canary_is_built_in),
		cmocka_unit_test(a_change_touches_only_what_it_names),
		cmocka_unit_test(a_change_costs_the_same_among_many_routes),
		cmocka_unit_test(what_is_removed_goes_and_what_loses_its_endpoints_stays),
		cmocka_unit_test(a_whole_burst_is_all_there_is),
		cmocka_unit_test(another_network_has_another_canary),
		cmocka_unit_test(host_names_are_told_and_looked_up),
		cmocka_unit_test(assignments_are_held_against_the_limits_of_a_table),
		cmocka_unit_test(source_ranges_arrive_stay_and_go),
		cmocka_unit_test(what_does_not_fit_is_refused_with_a_reason),
		cmocka_unit_test(a_cluster_under_another_name_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
