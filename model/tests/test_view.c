/* SPDX-License-Identifier: Apache-2.0 */
#include "model/health.h"
#include "model/view.h"
#include "tests/check.h"
#include "tests/world.h"

#define HELLO "outbound_.5000_._.hello.sample.svc.cluster.local"

static struct view *view_of(struct world *w, const char *cluster, const char *locality)
{
	const struct mesh_cluster *c = mesh_find_cluster(world_mesh(w), cluster);
	struct view_key key = {c->network, cluster, locality_parse(str_from(locality)),
	                       VIEW_GATEWAY};

	return view_create(w->mesh, &key);
}

/* One line: "P0 region1/zone1 w80: 10.0.0.1 | P1 …: n2/c2*2 n2/c2*1-". */
static void print_route(const struct view_route *route, struct buf *out)
{
	char ip[IP_TEXT_MAX];

	for (size_t i = 0; i < route->n_groups; i++) {
		const struct view_group *g = &route->groups[i];

		buf_printf(out, "%sP%u %s", i > 0 ? " | " : "", g->priority, g->locality->text);
		if (route->weighted)
			buf_printf(out, " w%u", g->weight);
		buf_add_char(out, ':');
		for (size_t k = 0; k < g->n_endpoints; k++) {
			const struct view_endpoint *ep = &g->endpoints[k];

			if (ep->remote)
				buf_printf(out, " %s/%s*%u", ep->network, ep->cluster, ep->weight);
			else
				buf_printf(out, " %s", ip_format(&ep->ip, ip));
			buf_add_text(out, ep->ready ? "" : "-");
		}
	}
}

static void expect_route(const struct view *view, const char *sni, const char *want)
{
	const struct view_route *route = view_find_route(view, sni);
	struct buf out;

	assert_non_null(route);
	buf_init(&out, 1 << 16);
	print_route(route, &out);
	assert_string_equal(buf_text(&out), want);
	buf_fini(&out);
}

/* Every policy, seen from c1's gateway. */
static const struct {
	const char *name, *mesh, *rule, *want;
	enum view_mode mode;
	const char *source;
} policies[] = {
	{"no policy: all share evenly", "{}", NULL,
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P0 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_NONE, ""},
	{"the mesh's default order", "{localityLbSetting: {}}", NULL,
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P1 region1/zone2/subzone2: n2/c2*2"
         " | P2 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_LOCALITY, "Mesh default"},
	{"switched off in the mesh", "{localityLbSetting: {enabled: false}}", NULL,
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P0 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_NONE, "Mesh default"},
	{"the rule switches off what the mesh has", "{localityLbSetting: {}}", "{enabled: false}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P0 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_NONE, "DestinationRule sample/hello"},
	{"failover to the named region; others last", "{}",
         "{failover: [{from: region1, to: region3}]}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P1 region1/zone2/subzone2: n2/c2*2"
         " | P2 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_FAILOVER, "DestinationRule sample/hello"},
	{"failoverPriority by region only", "{}",
         "{failoverPriority: [topology.kubernetes.io/region]}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P1 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_PRIORITY, "DestinationRule sample/hello"},
	{"failoverPriority with a value", "{}",
         "{failoverPriority: [\"topology.istio.io/cluster=c3\"]}",
         "P0 region2/zone3/subzone3: n3/c3*2 | P1 region1/zone1/subzone1: 10.0.0.1 10.0.0.2"
         " | P1 region1/zone2/subzone2: n2/c2*2",
         VIEW_MODE_PRIORITY, "DestinationRule sample/hello"},
	{"the network first keeps the order of the rest", "{}",
         "{failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region]}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P1 region1/zone2/subzone2: n2/c2*2"
         " | P2 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_PRIORITY, "DestinationRule sample/hello"},
	{"distribute for this caller", "{}",
         "{distribute: [{from: region1/zone1/*, to: {region1/zone1/*: 80, region1/zone2/*: 20}}]}",
         "P0 region1/zone1/subzone1 w80: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2 w20:"
         " n2/c2*2 | P0 region2/zone3/subzone3 w0: n3/c3*2",
         VIEW_MODE_DISTRIBUTE, "DestinationRule sample/hello"},
	{"distribute for another caller", "{}",
         "{distribute: [{from: region2/zone3/*, to: {region1/*: 100}}]}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P0 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_DISTRIBUTE, "DestinationRule sample/hello"},
	{"strict failover without outlier detection", "{failover: OutlierDetection}",
         "{failover: [{from: region1, to: region2}]}",
         "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2: n2/c2*2"
         " | P0 region2/zone3/subzone3: n3/c3*2",
         VIEW_MODE_NONE, "DestinationRule sample/hello"},
};

static void orders_as_the_policy_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(policies); i++) {
		struct world w;

		print_message("%s\n", policies[i].name);
		world_demo(&w);
		world_settings(&w, policies[i].mesh);
		if (policies[i].rule != NULL) {
			char *rule = xasprintf(
				"{metadata: {namespace: sample, name: hello}, spec: {host: hello,"
				" trafficPolicy: {loadBalancer: {localityLbSetting: %s}}}}",
				policies[i].rule);

			world_rule(&w, rule);
			free(rule);
		}
		struct view *v = view_of(&w, "c1", "region1/zone1/subzone1");
		const struct view_route *route = view_find_route(v, HELLO);

		expect_route(v, HELLO, policies[i].want);
		assert_int_equal(route->mode, policies[i].mode);
		assert_string_equal(route->policy_source, policies[i].source);
		assert_true(route->exposed);
		view_unref(v);
		world_fini(&w);
	}
}

static void strict_failover_wants_outlier_detection(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_settings(&w, "{failover: OutlierDetection, localityLbSetting: {}}");
	world_rule(&w, "{metadata: {namespace: sample, name: hello}, spec: {host: hello,"
	               " trafficPolicy: {outlierDetection: {minHealthPercent: 30}}}}");
	struct view *v = view_of(&w, "c1", "region1/zone1/subzone1");
	const struct view_route *route = view_find_route(v, HELLO);

	assert_int_equal(route->mode, VIEW_MODE_LOCALITY);
	assert_int_equal(route->panic_percent, 30);
	assert_int_equal(route->n_priorities, 3);
	view_unref(v);
	world_fini(&w);
}

static void leaves_out_what_may_not_be_routed(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_service(&w, "c1", "sample/hello", "http:5000",
	              "10.0.0.1@node 10.0.0.2@node- 10.0.0.3@node~ 10.0.0.4@node!", "");
	world_service(&w, "c2", "sample/hello", "http:5000",
	              "10.0.0.1@node 10.0.0.2@node- 10.0.0.5@node- 10.0.0.3@node~ 10.0.0.4@node!",
	              "");
	struct view *v = view_of(&w, "c1", "region1/zone1/subzone1");

	expect_route(v, HELLO,
	             "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2- | P0 region1/zone2/subzone2:"
	             " n2/c2*1 n2/c2*2- | P0 region2/zone3/subzone3: n3/c3*2");
	view_unref(v);
	world_fini(&w);
}

static void a_group_outside_exposes_nothing_and_sees_nobody(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_network(&w, "n1", false, "gw1@c1:192.0.2.1");
	struct view *v = view_of(&w, "c1", ""), *v2 = view_of(&w, "c2", "");

	assert_false(view_find_route(v, HELLO)->exposed);
	expect_route(v, HELLO, "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2");
	expect_route(v2, HELLO,
	             "P0 region1/zone2/subzone2: 10.0.0.1 10.0.0.2 | P0 region2/zone3/subzone3:"
	             " n3/c3*2");
	assert_int_equal(tree_len(v->networks), 0);
	assert_int_equal(tree_len(v2->networks), 1);
	assert_int_equal(v->n_peers, 1);
	assert_int_equal(v2->n_peers, 2);
	world_settings(&w, "{interconnect: {enabled: false}}");
	struct view *v3 = view_update(v2, world_mesh(&w));

	expect_route(v3, HELLO, "P0 region1/zone2/subzone2: 10.0.0.1 10.0.0.2");
	assert_false(v3->joined);
	view_unref(v);
	view_unref(v2);
	view_unref(v3);
	world_fini(&w);
}

static void clusters_of_one_network_are_called_directly(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_cluster(&w, "c2", "n1", "");
	world_service(&w, "c2", "sample/hello", "http:5000", "10.0.0.2@node 10.0.1.1@node-", "");
	struct view *v = view_of(&w, "c1", "");

	/* 10.0.0.2 is in both; it counts once. */
	expect_route(v, HELLO,
	             "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P0 region1/zone2/subzone2:"
	             " 10.0.1.1- | P0 region2/zone3/subzone3: n3/c3*2");
	view_unref(v);
	world_fini(&w);
}

static void subsets_are_routes_of_their_own(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_service(&w, "c1", "sample/hello", "http:5000 web:80",
	              "10.0.0.1@node=v1 10.0.0.2@node=v2", "");
	world_rule(&w, "{metadata: {namespace: sample, name: hello}, spec: {host: hello, subsets:"
	               " [{name: V2, labels: {version: v2}}]}}");
	struct view *v = view_of(&w, "c1", "");

	assert_int_equal(view_n_routes(v), 4);
	expect_route(v, "outbound_.80_._.hello.sample.svc.cluster.local",
	             "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2");
	expect_route(v, "outbound_.5000_.v2_.hello.sample.svc.cluster.local",
	             "P0 region1/zone1/subzone1: 10.0.0.2");
	assert_null(view_find_route(v, "outbound_.5000_.v9_.hello.sample.svc.cluster.local"));
	assert_null(view_find_route(v, "outbound_.5001_._.hello.sample.svc.cluster.local"));
	assert_null(view_find_route(v, "www.example.com"));
	view_unref(v);
	world_fini(&w);
}

static void stock_envoy_gets_exposed_routes_of_its_own_network(void **state)
{
	struct view_key key = {"n1", "c1", locality_none(), VIEW_INGRESS};
	struct world w;

	(void)state;
	world_demo(&w);
	world_service(&w, "c2", "sample/only2", "http:80", "10.0.0.9@node", "");
	struct view *v = view_create(world_mesh(&w), &key);

	assert_int_equal(view_n_routes(v), 1);
	expect_route(v, HELLO, "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2");
	world_network(&w, "n1", false, "");
	struct view *outside = view_update(v, world_mesh(&w));

	assert_int_equal(view_n_routes(outside), 0);
	view_unref(v);
	view_unref(outside);
	world_fini(&w);
}

static void probes_have_a_name_of_their_own(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	world_settings(&w, "{exportPolicy: OptIn}");
	world_service(&w, "c1", "fedway-system/fedway-probe", "probe:15020", "10.0.0.7@node!", "");
	world_service(&w, "c2", "fedway-system/fedway-probe", "probe:15020", "10.0.0.7@node!", "");
	struct view *v = view_of(&w, "c1", "");

	assert_int_equal(view_n_routes(v), 1);
	expect_route(v, "_probe.c1.fedway.internal", "P0 region1/zone1/subzone1: 10.0.0.7");
	assert_true(view_find_route(v, "_probe.c1.fedway.internal")->exposed);
	assert_null(view_find_route(v, "_probe.c2.fedway.internal"));
	view_unref(v);
	world_fini(&w);
}

struct told {
	unsigned n[VIEW_PEERS_CHANGED + 1];
	unsigned urgent;
};

static void on_diff(const struct view_diff *diff, void *arg)
{
	struct told *told = arg;

	told->n[diff->change]++;
	told->urgent += diff->urgent;
}

static struct told change(struct world *w, struct view **view)
{
	struct told told = {{0}, 0};
	struct view *next = view_update(*view, world_mesh(w));

	view_diff(*view, next, on_diff, &told);
	view_unref(*view);
	*view = next;
	return told;
}

static void tells_exactly_what_changed(void **state)
{
	struct world w;
	struct told told = {{0}, 0};

	(void)state;
	world_demo(&w);
	struct view *v = view_of(&w, "c1", "region1/zone1/subzone1");

	view_diff(NULL, v, on_diff, &told);
	assert_int_equal(told.n[VIEW_ROUTE_ADDED], 1);
	assert_int_equal(told.n[VIEW_NETWORK_CHANGED], 2);
	assert_int_equal(told.n[VIEW_PEERS_CHANGED], 1);

	world_service(&w, "c2", "sample/hello", "http:5000", "10.0.0.1@node", "");
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED], 1);
	assert_int_equal(told.urgent, 0);

	world_service(&w, "c2", "sample/hello", "http:5000", "10.0.0.1@node-", "");
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED], 1);
	assert_int_equal(told.urgent, 1);

	world_network(&w, "n3", true, "-gw3@c3:192.0.2.3");
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_NETWORK_CHANGED], 1);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED] + told.n[VIEW_ROUTE_CHANGED], 0);

	world_settings(&w, "{localityLbSetting: {}}");
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_ROUTE_CHANGED], 1);

	objects_remove(world_snapshots(&w, "c1"), "Service", "sample", "hello");
	objects_remove(world_snapshots(&w, "c2"), "Service", "sample", "hello");
	objects_remove(world_snapshots(&w, "c3"), "Service", "sample", "hello");
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_ROUTE_REMOVED], 1);
	told = change(&w, &v);
	assert_int_equal(told.n[VIEW_ROUTE_REMOVED], 0);
	view_unref(v);
	world_fini(&w);
}

static void load_follows_pods_and_gateways(void **state)
{
	struct lb_level levels[LB_PRIORITIES_MAX];
	struct world w;

	(void)state;
	world_demo(&w);
	world_settings(&w, "{localityLbSetting: {}}");
	world_service(&w, "c1", "sample/hello", "http:5000", "10.0.0.1@node 10.0.0.2@node-", "");
	struct view *v = view_of(&w, "c1", "region1/zone1/subzone1");

	assert_true(health_spread(v, view_find_route(v, HELLO), levels));
	assert_int_equal(levels[0].load, 70);
	assert_int_equal(levels[1].load, 30);
	world_network(&w, "n2", true, "-gw2@c2:192.0.2.2");
	change(&w, &v);
	assert_true(health_spread(v, view_find_route(v, HELLO), levels));
	assert_int_equal(levels[1].load, 0);
	assert_int_equal(levels[2].load, 30);
	world_network(&w, "n2", true, "-gw2@c2:192.0.2.2 gw9@c9:192.0.2.9");
	change(&w, &v);
	assert_true(health_spread(v, view_find_route(v, HELLO), levels));
	assert_int_equal(levels[1].load, 30);
	view_unref(v);
	world_fini(&w);
}

static void what_does_not_answer_is_not_ready_for_other_networks_alone(void **state)
{
	struct lb_level levels[LB_PRIORITIES_MAX];
	struct world w;

	(void)state;
	world_demo(&w);
	world_settings(&w, "{localityLbSetting: {}}");
	world_service(&w, "c2", "sample/hello", "http:5000",
	              "10.0.0.1@node 10.0.0.2@node 10.0.0.3@node-", "");
	struct view *near = view_of(&w, "c1", "region1/zone1/subzone1");
	struct view *own = view_of(&w, "c2", "region1/zone2/subzone2");
	struct view *own_before = view_ref(own);
	uint64_t merges = mesh_builder_merges(w.builder);

	world_outage(&w, "n2", "refused");
	struct told told = change(&w, &near);

	assert_int_equal(mesh_builder_merges(w.builder) - merges, 1);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED], 1);
	assert_int_equal(told.urgent, 1);
	expect_route(near, HELLO,
	             "P0 region1/zone1/subzone1: 10.0.0.1 10.0.0.2 | P1 region1/zone2/subzone2:"
	             " n2/c2*2- n2/c2*1- | P2 region2/zone3/subzone3: n3/c3*2");
	/* the network itself decides by what its gateway sees */
	told = change(&w, &own);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED] + told.n[VIEW_ROUTE_CHANGED], 0);
	assert_ptr_equal(own->services, own_before->services);
	/* callers of c1 whose own are gone go past it */
	world_service(&w, "c1", "sample/hello", "http:5000", "10.0.0.1@node-", "");
	change(&w, &near);
	assert_true(health_spread(near, view_find_route(near, HELLO), levels));
	assert_int_equal(levels[1].load, 0);
	assert_int_equal(levels[2].load, 100);
	/* said twice, or of somebody unknown, it is nothing new */
	merges = mesh_builder_merges(w.builder);
	world_outage(&w, "n2", "refused");
	world_outage(&w, "n9", NULL);
	assert_true(mesh_builder_build(w.builder) == w.mesh);
	mesh_unref(w.mesh);
	assert_int_equal(mesh_builder_merges(w.builder), merges);
	/* its other subsets, and other networks, are not meant */
	world_outage(&w, "n3", "refused");
	world_outage(&w, "n2", NULL);
	told = change(&w, &near);
	assert_int_equal(told.urgent, 1);
	expect_route(near, HELLO,
	             "P0 region1/zone1/subzone1: 10.0.0.1- | P1 region1/zone2/subzone2: n2/c2*2"
	             " n2/c2*1- | P2 region2/zone3/subzone3: n3/c3*2-");
	/* with nothing else ready they are tried all the same */
	world_outage(&w, "n2", "refused");
	told = change(&w, &near);
	assert_int_equal(told.n[VIEW_ENDPOINTS_CHANGED], 1);
	expect_route(near, HELLO,
	             "P0 region1/zone1/subzone1: 10.0.0.1- | P1 region1/zone2/subzone2: n2/c2*2"
	             " n2/c2*1- | P2 region2/zone3/subzone3: n3/c3*2");
	view_unref(own_before);
	view_unref(own);
	view_unref(near);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_as_the_policy_says),
		cmocka_unit_test(strict_failover_wants_outlier_detection),
		cmocka_unit_test(leaves_out_what_may_not_be_routed),
		cmocka_unit_test(a_group_outside_exposes_nothing_and_sees_nobody),
		cmocka_unit_test(clusters_of_one_network_are_called_directly),
		cmocka_unit_test(subsets_are_routes_of_their_own),
		cmocka_unit_test(stock_envoy_gets_exposed_routes_of_its_own_network),
		cmocka_unit_test(probes_have_a_name_of_their_own),
		cmocka_unit_test(tells_exactly_what_changed),
		cmocka_unit_test(load_follows_pods_and_gateways),
		cmocka_unit_test(what_does_not_answer_is_not_ready_for_other_networks_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
