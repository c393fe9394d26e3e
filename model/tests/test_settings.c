/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"
#include "model/settings.h"
#include "tests/check.h"

static json_t *parse(const char *text)
{
	struct err err;
	json_t *obj = yaml_parse(str_from(text), "t", &err);

	assert_non_null(obj);
	return obj;
}

static void a_mesh_without_spec_has_all_defaults(void **state)
{
	json_t *obj = parse("{metadata: {name: default}}");
	struct mesh_settings a, b;
	struct err err;

	(void)state;
	mesh_settings_init(&a);
	assert_true(mesh_settings_decode(obj, &b, &err));
	assert_true(mesh_settings_eq(&a, &b));
	assert_false(b.locality.present);
	mesh_settings_fini(&a);
	mesh_settings_copy(&a, &b);
	assert_true(mesh_settings_eq(&a, &b));
	mesh_settings_fini(&a);
	mesh_settings_fini(&b);
	json_decref(obj);
}

static void a_mesh_says_what_it_wants(void **state)
{
	json_t *obj = parse("{metadata: {name: default}, spec: {trustDomain: td, interconnect:"
	                    " {enabled: false}, localityLbSetting: {}, failover: OutlierDetection,"
	                    " exportPolicy: OptIn, onClusterLoss: {action: Drop, after: 1h},"
	                    " trust: {leafTTL: 1h, rootSecretRef: {namespace: a, name: b}}}}");
	struct mesh_settings s;
	struct err err;

	(void)state;
	assert_true(mesh_settings_decode(obj, &s, &err));
	assert_string_equal(s.trust_domain, "td");
	assert_false(s.interconnect_enabled);
	assert_true(s.locality.present && s.locality.enabled);
	assert_int_equal(s.failover, FAILOVER_OUTLIER_DETECTION);
	assert_int_equal(s.export_policy, EXPORT_OPT_IN);
	assert_int_equal(s.on_cluster_loss, CLUSTER_LOSS_DROP);
	assert_int_equal(s.on_cluster_loss_after_ms, 3600000);
	assert_int_equal(s.leaf_ttl_ms, 3600000);
	assert_string_equal(s.root_secret_name, "b");
	mesh_settings_fini(&s);
	json_decref(obj);
}

static void refuses_values_outside_the_schema(void **state)
{
	static const char *const meshes[] = {
		"{metadata: {name: default}, spec: {failover: Maybe}}",
		"{metadata: {name: default}, spec: {trust: {leafTTL: soon}}}",
	};
	static const char *const groups[] = {
		"{metadata: {name: Upper}}",
		"{metadata: {name: g}, spec: {interconnect: {addresses: [{port: 1}]}}}",
		"{metadata: {name: g}, spec: {interconnect: {addresses:"
		" [{address: a, port: 65536}]}}}",
		"{metadata: {name: g}, spec: {interconnect: {sourceRanges: [x]}}}",
	};
	struct mesh_settings s;
	struct group_spec g;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(meshes); i++) {
		json_t *obj = parse(meshes[i]);

		assert_false(mesh_settings_decode(obj, &s, &err));
		assert_int_equal(err.code, ERR_INVALID);
		json_decref(obj);
	}
	for (size_t i = 0; i < N_ELEMS(groups); i++) {
		json_t *obj = parse(groups[i]);

		assert_false(group_spec_decode(obj, &g, &err));
		json_decref(obj);
	}
}

static void keeps_the_last_good_ranges_of_a_group(void **state)
{
	json_t *obj = parse("{metadata: {name: g}, spec: {interconnect: {sourceRanges:"
	                    " [10.0.0.0/8, 10.0.0.0/33]}}, status: {sourceRanges:"
	                    " [192.0.2.0/24]}}");
	struct group_spec group;
	struct err err;
	char text[CIDR_TEXT_MAX];

	(void)state;
	assert_true(group_spec_decode(obj, &group, &err));
	assert_string_equal(group.bad_range, "spec.interconnect.sourceRanges[1]: '10.0.0.0/33'"
	                                     " is no range");
	assert_int_equal(group.n_source_ranges, 1);
	assert_string_equal(cidr_format(&group.source_ranges[0], text), "192.0.2.0/24");
	group_spec_fini(&group);
	json_decref(obj);
}

static void reads_clusters_groups_and_gateways(void **state)
{
	json_t *c = parse("{metadata: {name: c1, uid: u, creationTimestamp:"
	                  " \"2026-01-01T00:00:10Z\"}, spec: {kubeconfigSecretRef: {namespace: n,"
	                  " name: s}, networkGroup: g1, locality: {region: r, zone: z}},"
	                  " status: {phase: Ready}}");
	json_t *g = parse("{metadata: {name: g1, deletionTimestamp: x}, spec: {displayName: D,"
	                  " interconnect: {joined: true, addresses: [{address: 192.0.2.1}],"
	                  " sourceRanges: [10.0.0.0/8]}}}");
	json_t *w = parse("{metadata: {name: w1}, spec: {cluster: c1, addresses:"
	                  " [{address: gw.example.com, port: 443}]}, status: {addresses:"
	                  " [{address: gw.example.com, port: 443, live: true}, {}], instances:"
	                  " [{name: i, mark: true}]}}");
	struct cluster_spec cluster;
	struct group_spec group;
	struct gateway_spec gateway;
	struct err err;

	(void)state;
	assert_true(cluster_spec_decode(c, &cluster, &err));
	assert_string_equal(cluster.secret_key, "kubeconfig");
	assert_string_equal(cluster.locality->text, "r/z");
	assert_string_equal(cluster.phase, "Ready");
	assert_int_equal(cluster.created_s, 1767225610);
	assert_true(group_spec_decode(g, &group, &err));
	assert_true(group.joined && group.deleting);
	assert_int_equal(group.addresses[0].port, 15443);
	assert_int_equal(group.n_source_ranges, 1);
	assert_true(gateway_spec_decode(w, &gateway, &err));
	assert_int_equal(gateway.addresses[0].port, 443);
	assert_int_equal(gateway.n_status_addresses, 1);
	assert_true(gateway.instances[0].mark);
	cluster_spec_fini(&cluster);
	group_spec_fini(&group);
	gateway_spec_fini(&gateway);
	json_decref(c);
	json_decref(g);
	json_decref(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mesh_without_spec_has_all_defaults),
		cmocka_unit_test(a_mesh_says_what_it_wants),
		cmocka_unit_test(refuses_values_outside_the_schema),
		cmocka_unit_test(keeps_the_last_good_ranges_of_a_group),
		cmocka_unit_test(reads_clusters_groups_and_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
