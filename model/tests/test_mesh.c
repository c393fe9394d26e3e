/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/check.h"
#include "tests/world.h"

static bool has_conflict(const struct mesh_service *s, const char *part)
{
	for (size_t i = 0; i < s->n_conflicts; i++) {
		if (strstr(s->conflicts[i], part) != NULL)
			return true;
	}
	return false;
}

static void merges_services_of_one_name(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	const struct mesh_service *s = mesh_find_service(world_mesh(&w), "sample/hello");

	assert_int_equal(s->n_parts, 3);
	assert_string_equal(s->host, "hello.sample.svc.cluster.local");
	assert_string_equal(s->parts[0].cluster->name, "c1");
	assert_int_equal(s->parts[0].ready, 2);
	assert_int_equal(s->n_ports, 1);
	assert_int_equal(s->n_conflicts, 0);
	mesh_builder_remove_cluster(w.builder, "c2");
	struct mesh *without = mesh_builder_build(w.builder);

	assert_int_equal(mesh_find_service(without, "sample/hello")->n_parts, 2);
	mesh_unref(without);
	world_fini(&w);
}

static void joins_ports_by_name_and_tells_of_differences(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_cluster(&w, "a", "n", "");
	world_cluster(&w, "b", "n", "");
	world_cluster(&w, "c", "n", "");
	world_service(&w, "a", "x/y", "http:80 tls:443", "10.0.0.1", "");
	world_service(&w, "b", "x/y", "http:8080 web:443", "10.0.1.1", "");
	world_service(&w, "c", "x/y", "web:81", "10.0.2.1", "");
	const struct mesh_service *s = mesh_find_service(world_mesh(&w), "x/y");

	assert_int_equal(s->n_ports, 4);
	assert_int_equal(s->ports[0].number, 80);
	assert_int_equal(s->ports[1].number, 81);
	assert_string_equal(s->ports[1].name, "web");
	assert_string_equal(s->ports[2].name, "tls");
	assert_int_equal(s->ports[3].number, 8080);
	assert_int_equal(s->n_conflicts, 2);
	assert_true(has_conflict(s, "port 443 is 'web' in b, but 'tls'"));
	assert_true(has_conflict(s, "port 'http' is 8080 in b and 80"));
	world_fini(&w);
}

static void a_port_name_that_lost_its_only_number_is_left_out(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_cluster(&w, "a", "n", "");
	world_cluster(&w, "b", "n", "");
	world_service(&w, "a", "x/y", "http:80", "10.0.0.1", "");
	world_service(&w, "b", "x/y", "web:80", "10.0.1.1", "");
	const struct mesh_service *s = mesh_find_service(world_mesh(&w), "x/y");

	assert_int_equal(s->n_ports, 1);
	assert_int_equal(mesh_part_judge(s, &s->parts[1], &s->parts[1].service->ports[0]),
	                 MESH_PORT_LOST);
	assert_int_equal(s->parts[1].total, 0);
	world_fini(&w);
}

static void knows_what_is_not_shared(void **state)
{
	static const struct {
		const char *settings, *key, *extra;
		enum mesh_left_out want;
	} rows[] = {
		{"{}", "a/b", "", MESH_USED},
		{"{}", "a/b", ", labels: {fedway.io/export: \"false\"}", MESH_NOT_EXPORTED},
		{"{exportPolicy: OptIn}", "a/b", "", MESH_NOT_EXPORTED},
		{"{exportPolicy: OptIn}", "a/b", ", labels: {fedway.io/export: \"true\"}",
	         MESH_USED},
		{"{}", "kube-system/dns", "", MESH_CLUSTER_LOCAL},
		{"{}", "default/kubernetes", "", MESH_CLUSTER_LOCAL},
		{"{}", "default/other", "", MESH_USED},
		{"{}", "fedway-system/fedway-probe", "", MESH_CLUSTER_LOCAL},
		{"{clusterDomain: fedway.internal}", "a/b", "", MESH_CLUSTER_LOCAL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct world w;

		world_init(&w);
		world_settings(&w, rows[i].settings);
		world_cluster(&w, "a", "n", "");
		world_service(&w, "a", rows[i].key, "http:80", "10.0.0.1", rows[i].extra);
		const struct mesh_service *s = mesh_find_service(world_mesh(&w), rows[i].key);

		assert_int_equal(s->left_out, rows[i].want);
		assert_int_equal(s->n_ports, rows[i].want == MESH_USED);
		assert_int_equal(s->parts[0].total, rows[i].want == MESH_USED);
		world_fini(&w);
	}
}

static void a_cluster_that_is_withdrawn_or_without_group_gives_no_endpoints(void **state)
{
	struct mesh_cluster c = {.name = "a",
	                         .network = "n",
	                         .locality = locality_none(),
	                         .withdrawn = true,
	                         .why_withdrawn = "data path dead"};
	struct world w;

	(void)state;
	world_init(&w);
	world_cluster(&w, "a", "n", "");
	world_service(&w, "a", "x/y", "http:80", "10.0.0.1 10.0.0.2- 10.0.0.3~ 10.0.0.4!", "");
	const struct mesh_service *s = mesh_find_service(world_mesh(&w), "x/y");

	assert_int_equal(s->parts[0].ready, 1);
	assert_int_equal(s->parts[0].total, 2);
	mesh_builder_set_cluster(w.builder, &c);
	s = mesh_find_service(world_mesh(&w), "x/y");
	assert_int_equal(s->parts[0].total, 0);
	assert_int_equal(s->n_ports, 1);
	c.withdrawn = false;
	c.network = "";
	mesh_builder_set_cluster(w.builder, &c);
	s = mesh_find_service(world_mesh(&w), "x/y");
	assert_int_equal(mesh_part_judge(s, &s->parts[0], &s->parts[0].service->ports[0]),
	                 MESH_NO_NETWORK);
	world_fini(&w);
}

static const char *policy_of(struct world *w, const char *key)
{
	const struct mesh_service *s = mesh_find_service(world_mesh(w), key);

	return s->policy != NULL ? s->policy->key : "none";
}

static void finds_the_rule_as_istiod_does(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_cluster(&w, "a", "n", "");
	world_service(&w, "a", "x/y", "http:80", "", "");
	assert_string_equal(policy_of(&w, "x/y"), "none");
	world_rule(&w,
	           "{metadata: {namespace: istio-system, name: all}, spec: {host: \"*.local\"}}");
	assert_string_equal(policy_of(&w, "x/y"), "istio-system/all");
	world_rule(
		&w,
		"{metadata: {namespace: x, name: wild}, spec: {host: \"*.x.svc.cluster.local\"}}");
	assert_string_equal(policy_of(&w, "x/y"), "x/wild");
	world_rule(&w, "{metadata: {namespace: x, name: b, creationTimestamp: "
	               "\"2026-01-02T00:00:00Z\"}, spec: {host: y}}");
	assert_string_equal(policy_of(&w, "x/y"), "x/b");
	world_rule(&w, "{metadata: {namespace: x, name: c, creationTimestamp: "
	               "\"2026-01-01T00:00:00Z\"}, spec: {host: y.x.svc.cluster.local}}");
	assert_string_equal(policy_of(&w, "x/y"), "x/c");
	world_rule(&w, "{metadata: {namespace: other, name: d}, spec: {host: "
	               "y.x.svc.cluster.local}}");
	assert_string_equal(policy_of(&w, "x/y"), "x/c");
	mesh_builder_remove_policy(w.builder, "x/c");
	assert_string_equal(policy_of(&w, "x/y"), "x/b");
	mesh_builder_remove_policy(w.builder, "x/b");
	mesh_builder_remove_policy(w.builder, "x/wild");
	assert_string_equal(policy_of(&w, "x/y"), "istio-system/all");
	world_fini(&w);
}

static void keeps_the_mesh_when_nothing_differs(void **state)
{
	struct world w;

	(void)state;
	world_demo(&w);
	struct mesh *m = mesh_ref(world_mesh(&w));

	assert_ptr_equal(m, world_mesh(&w));
	world_network(&w, "n1", true, "gw1@c1:192.0.2.1");
	world_cluster(&w, "c1", "n1", "");
	world_settings(&w, "{}");
	assert_ptr_equal(m, world_mesh(&w));
	world_network(&w, "n1", true, "-gw1@c1:192.0.2.1");
	assert_ptr_not_equal(m, world_mesh(&w));
	assert_ptr_equal(m->services, w.mesh->services);
	assert_int_equal(m->settings_revision, w.mesh->settings_revision);
	assert_int_equal(m->revision + 1, w.mesh->revision);
	mesh_unref(m);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_services_of_one_name),
		cmocka_unit_test(joins_ports_by_name_and_tells_of_differences),
		cmocka_unit_test(a_port_name_that_lost_its_only_number_is_left_out),
		cmocka_unit_test(knows_what_is_not_shared),
		cmocka_unit_test(a_cluster_that_is_withdrawn_or_without_group_gives_no_endpoints),
		cmocka_unit_test(finds_the_rule_as_istiod_does),
		cmocka_unit_test(keeps_the_mesh_when_nothing_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
