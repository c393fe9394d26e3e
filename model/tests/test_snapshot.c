/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "model/snapshot_builder.h"
#include "tests/check.h"
#include "tests/objects.h"

static const char *const service =
	"{kind: Service, metadata: {namespace: sample, name: hello, labels: {app: hello}},"
	" spec: {ports: [{name: http, port: 5000}, {name: dns, port: 53, protocol: UDP}]}}";
static const char *const slice =
	"{kind: EndpointSlice, metadata: {namespace: sample, name: hello-1,"
	"  labels: {kubernetes.io/service-name: hello}}, addressType: IPv4,"
	" ports: [{name: http, port: 8080}],"
	" endpoints: [{addresses: [10.0.0.2], nodeName: n1, targetRef: {kind: Pod, name: p2}},"
	"  {addresses: [10.0.0.1], nodeName: n1, targetRef: {kind: Pod, name: p1},"
	"   conditions: {ready: false}},"
	"  {addresses: [10.0.0.3], conditions: {ready: false, terminating: true}},"
	"  {addresses: [10.0.0.2], conditions: {ready: false}},"
	"  {addresses: [host.example.com]}]}";
static const char *const pod1 = "{kind: Pod, metadata: {namespace: sample, name: p1, labels:"
				" {version: v1, security.istio.io/tlsMode: istio}}}";
static const char *const pod2 = "{kind: Pod, metadata: {namespace: sample, name: p2, labels:"
				" {version: v2, topology.istio.io/locality: r9.z9}}}";
static const char *const node =
	"{kind: Node, metadata: {name: n1, labels: {topology.kubernetes.io/region: r1,"
	" topology.kubernetes.io/zone: z1, topology.istio.io/subzone: s1}}}";

static struct snapshot *hello(struct snapshot_builder *b, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		objects_put(b, texts[i]);
	return snapshot_builder_build(b);
}

static void joins_slices_pods_and_nodes_in_any_order(void **state)
{
	const char *const orders[][5] = {{service, slice, pod1, pod2, node},
	                                 {node, pod2, pod1, slice, service},
	                                 {slice, service, node, pod1, pod2}};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(orders); i++) {
		struct snapshot_builder *b = snapshot_builder_create("c1");
		struct snapshot *s = hello(b, orders[i], 5);
		const struct snap_service *svc = snapshot_find(s, "sample/hello");
		const struct snap_port *http = snap_service_find_port(svc, "http");

		assert_int_equal(svc->n_ports, 2);
		assert_int_equal(snap_service_find_port(svc, "dns")->n_endpoints, 0);
		assert_int_equal(http->number, 5000);
		assert_int_equal(http->n_endpoints, 3);
		assert_int_equal(s->n_endpoints, 3);
		assert_int_equal(s->n_ready, 1);
		assert_int_equal(http->endpoints[0].port, 8080);
		assert_false(http->endpoints[0].ready);
		assert_true(http->endpoints[0].mtls);
		assert_string_equal(http->endpoints[0].locality->text, "r1/z1/s1");
		assert_string_equal(labels_find(http->endpoints[0].labels, "version"), "v1");
		assert_true(http->endpoints[1].ready);
		assert_false(http->endpoints[1].mtls);
		assert_string_equal(http->endpoints[1].locality->text, "r9/z9");
		assert_true(http->endpoints[2].terminating);
		assert_ptr_equal(http->endpoints[2].locality, locality_none());
		snapshot_unref(s);
		snapshot_builder_destroy(b);
	}
}

static void keeps_the_snapshot_when_nothing_differs(void **state)
{
	const char *const all[] = {service, slice, pod1, pod2, node};
	struct snapshot_builder *b = snapshot_builder_create("c1");
	struct snapshot *s = hello(b, all, 5);

	(void)state;
	assert_false(snapshot_builder_is_dirty(b));
	struct snapshot *again = hello(b, all, 5);

	assert_ptr_equal(s, again);
	objects_remove(b, "Pod", "sample", "p1");
	struct snapshot *without = snapshot_builder_build(b);

	assert_ptr_not_equal(s, without);
	assert_false(snapshot_find(without, "sample/hello")->ports[1].endpoints[0].mtls);
	assert_true(snapshot_find(s, "sample/hello")->ports[1].endpoints[0].mtls);
	objects_remove(b, "Service", "sample", "hello");
	struct snapshot *empty = snapshot_builder_build(b);

	assert_int_equal(tree_len(empty->services), 0);
	assert_int_equal(empty->n_endpoints, 0);
	snapshot_unref(s);
	snapshot_unref(again);
	snapshot_unref(without);
	snapshot_unref(empty);
	snapshot_builder_destroy(b);
}

static void a_relist_withdraws_only_at_its_end(void **state)
{
	const char *const all[] = {service, slice, pod1, pod2, node};
	struct snapshot_builder *b = snapshot_builder_create("c1");
	struct snapshot *s = hello(b, all, 5);

	(void)state;
	snapshot_unref(s);
	snapshot_builder_start_list(b, "Service");
	snapshot_builder_start_list(b, "EndpointSlice");
	s = snapshot_builder_build(b);
	assert_int_equal(s->n_endpoints, 3);
	snapshot_unref(s);
	objects_put(b, service);
	snapshot_builder_end_list(b, "Service");
	snapshot_builder_end_list(b, "EndpointSlice");
	s = snapshot_builder_build(b);
	assert_non_null(snapshot_find(s, "sample/hello"));
	assert_int_equal(s->n_endpoints, 0);
	snapshot_unref(s);
	snapshot_builder_destroy(b);
}

static void knows_the_cluster_by_two_namespaces(void **state)
{
	struct snapshot_builder *b = snapshot_builder_create("c1");

	(void)state;
	objects_put(b, "{kind: Namespace, metadata: {name: kube-system, uid: u-1}}");
	objects_put(b, "{kind: Namespace, metadata: {name: istio-system, labels:"
	               " {topology.istio.io/network: net1}}}");
	struct snapshot *s = snapshot_builder_build(b);

	assert_string_equal(s->uid, "u-1");
	assert_string_equal(s->network, "net1");
	snapshot_unref(s);
	objects_remove(b, "Namespace", "", "istio-system");
	s = snapshot_builder_build(b);
	assert_string_equal(s->network, "");
	assert_string_equal(s->uid, "u-1");
	snapshot_unref(s);
	snapshot_builder_destroy(b);
}

static void reads_the_services_own_word_on_export(void **state)
{
	static const struct {
		const char *meta;
		enum snap_export want;
	} rows[] = {
		{"", SNAP_EXPORT_DEFAULT},
		{", labels: {fedway.io/export: \"true\"}", SNAP_EXPORT_YES},
		{", annotations: {fedway.io/export: \"false\"}", SNAP_EXPORT_NO},
		{", annotations: {networking.istio.io/exportTo: \".\"}", SNAP_EXPORT_NO},
		{", annotations: {networking.istio.io/exportTo: \"a, istio-system\"}",
	         SNAP_EXPORT_DEFAULT},
		{", annotations: {networking.istio.io/exportTo: \"*\"}", SNAP_EXPORT_DEFAULT},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct snapshot_builder *b = snapshot_builder_create("c1");
		char *text = xasprintf("{kind: Service, metadata: {namespace: a, name: b%s}}",
		                       rows[i].meta);

		objects_put(b, text);
		struct snapshot *s = snapshot_builder_build(b);

		assert_int_equal(snapshot_find(s, "a/b")->export, rows[i].want);
		snapshot_unref(s);
		snapshot_builder_destroy(b);
		free(text);
	}
}

static void refuses_broken_objects_and_keeps_the_one_before(void **state)
{
	static const char *const broken[][2] = {
		{"Service", "{metadata: {name: hello}}"},
		{"Service", "{metadata: {namespace: sample}}"},
		{"Service", "{metadata: {namespace: sample, name: hello, labels: {a: 1}}}"},
		{"ConfigMap", "{metadata: {namespace: sample, name: hello}}"},
	};
	const char *const all[] = {service, slice};
	struct snapshot_builder *b = snapshot_builder_create("c1");
	struct snapshot *s = hello(b, all, 2);
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(broken); i++) {
		json_t *obj = yaml_parse(str_from(broken[i][1]), "t", &err);

		assert_false(snapshot_builder_put(b, broken[i][0], obj, &err));
		json_decref(obj);
	}
	struct snapshot *again = snapshot_builder_build(b);

	assert_ptr_equal(s, again);
	snapshot_unref(s);
	snapshot_unref(again);
	snapshot_builder_destroy(b);
}

static void the_disk_copy_gives_the_same_snapshot(void **state)
{
	const char *const all[] = {service, slice, pod1, pod2, node};
	struct snapshot_builder *b = snapshot_builder_create("c1");
	struct snapshot *s = hello(b, all, 5);
	struct err err;
	size_t len, len2;
	char *text = snapshot_save(s, &len);
	struct snapshot *t = snapshot_load(str_make(text, len), &err);

	(void)state;
	assert_non_null(t);
	assert_true(snapshot_eq(s, t));
	assert_int_equal(t->n_ready, s->n_ready);
	char *text2 = snapshot_save(t, &len2);

	assert_string_equal(text, text2);
	free(text);
	free(text2);
	snapshot_unref(s);
	snapshot_unref(t);
	snapshot_builder_destroy(b);
}

static void refuses_a_broken_disk_copy(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{}",
		"{\"kind\":\"ClusterSnapshot\",\"format\":2}",
		"{\"kind\":\"ClusterSnapshot\",\"format\":1,\"services\":[{}]}",
		"{\"kind\":\"ClusterSnapshot\",\"format\":1,\"labelSets\":[{}],\"services\":"
		"[{\"ns\":\"a\",\"name\":\"b\",\"labels\":0,\"export\":0,\"ports\":"
		"[{\"number\":1,\"endpoints\":[[\"x\",1,\"\",0,0]]}]}]}",
		"{\"kind\":\"ClusterSnapshot\",\"format\":1,\"labelSets\":[{}],\"services\":"
		"[{\"ns\":\"a\",\"name\":\"b\",\"labels\":1,\"export\":0,\"ports\":[]}]}",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		assert_null(snapshot_load(str_from(texts[i]), &err));
}

/* Random puts and removals in one builder; a second one gets the final objects only. */
static void a_random_walk_ends_where_a_fresh_start_does(void **state)
{
	(void)state;
	srand(11);
	for (unsigned round = 0; round < 40; round++) {
		struct objects_walk walk;
		struct snapshot_builder *a = snapshot_builder_create("c1");

		objects_walk_init(&walk);
		for (unsigned i = 0; i < 150; i++) {
			objects_walk_step(&walk, a);
			if (i % 7 == 0)
				snapshot_unref(snapshot_builder_build(a));
		}
		struct snapshot_builder *b = snapshot_builder_create("c1");

		objects_walk_replay(&walk, b);
		struct snapshot *x = snapshot_builder_build(a), *y = snapshot_builder_build(b);

		assert_true(snapshot_eq(x, y));
		assert_int_equal(x->n_endpoints, y->n_endpoints);
		assert_int_equal(x->n_ready, y->n_ready);
		snapshot_unref(x);
		snapshot_unref(y);
		snapshot_builder_destroy(a);
		snapshot_builder_destroy(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_slices_pods_and_nodes_in_any_order),
		cmocka_unit_test(keeps_the_snapshot_when_nothing_differs),
		cmocka_unit_test(a_relist_withdraws_only_at_its_end),
		cmocka_unit_test(knows_the_cluster_by_two_namespaces),
		cmocka_unit_test(reads_the_services_own_word_on_export),
		cmocka_unit_test(refuses_broken_objects_and_keeps_the_one_before),
		cmocka_unit_test(the_disk_copy_gives_the_same_snapshot),
		cmocka_unit_test(refuses_a_broken_disk_copy),
		cmocka_unit_test(a_random_walk_ends_where_a_fresh_start_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
