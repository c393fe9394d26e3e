/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_pods.h"
#include "objects.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "kube/meta.h"

static const char pods_text[] =
	"{kind: Pod, metadata: {name: a-1, namespace: shop, labels: {app: a, v: x}},\n"
	" spec: {nodeName: n}, status: {podIP: 10.0.0.1, conditions: [{type: Ready, status: "
	"'True'}]}}\n"
	"---\n"
	"{kind: Pod, metadata: {name: a-2, namespace: shop, labels: {app: a}},\n"
	" status: {podIP: 10.0.0.2, conditions: [{type: Ready, status: 'False'}]}}\n"
	"---\n"
	"{kind: Pod, metadata: {name: b-1, namespace: shop, labels: {app: b}},\n"
	" status: {podIP: 10.0.0.3}}\n"
	"---\n"
	"{kind: Pod, metadata: {name: a-9, namespace: other, labels: {app: a, v: x}},\n"
	" status: {podIP: 10.0.0.9}}\n";

static const struct {
	const char *what;
	const char *service; /* its spec */
	const char *ports;   /* of the slice, NULL: no slice */
	const char *endpoints;
} slices[] = {
	{"no selector, no slice", "{ports: [{port: 80}]}", NULL, NULL},
	{"no Pod is selected", "{selector: {app: z}, ports: [{name: http, port: 80}]}",
         "[{port: 80, protocol: TCP, name: http}]", "[]"},
	{"a Pod that is not ready is there, but not for use",
         "{selector: {app: a}, ports: [{name: http, port: 80, targetPort: 8080}]}",
         "[{port: 8080, protocol: TCP, name: http}]",
         "[{addresses: [10.0.0.1], conditions: {ready: true, serving: true, terminating: false}, "
         "targetRef: {kind: Pod, namespace: shop, name: a-1}, nodeName: n}, "
         "{addresses: [10.0.0.2], conditions: {ready: false, serving: false, terminating: false}, "
         "targetRef: {kind: Pod, namespace: shop, name: a-2}}]"},
	{"all labels must be there",
         "{selector: {app: a, v: x}, ports: [{port: 53, protocol: UDP}]}",
         "[{port: 53, protocol: UDP}]",
         "[{addresses: [10.0.0.1], conditions: {ready: true, serving: true, terminating: false}, "
         "targetRef: {kind: Pod, namespace: shop, name: a-1}, nodeName: n}]"},
	{"a named target is the port's own number",
         "{selector: {app: z}, ports: [{port: 80, targetPort: web, appProtocol: http}]}",
         "[{port: 80, protocol: TCP, appProtocol: http}]", "[]"},
};

static void services_become_slices_of_their_pods(void **state)
{
	(void)state;
	json_t *list = objects_list(pods_text);
	for (size_t i = 0; i < N_ELEMS(slices); i++) {
		json_t *service = json_pack("{s{ss ss} so}", "metadata", "name", "svc", "namespace",
		                            "shop", "spec", objects_one(slices[i].service));
		json_t *slice = lab_slice(service, json_object_get(list, "items"));
		assert_row(slices[i].what, (slice == NULL) == (slices[i].ports == NULL));
		if (slice != NULL) {
			json_t *ports = objects_one(slices[i].ports);
			json_t *endpoints = objects_one(slices[i].endpoints);
			assert_row(slices[i].what,
			           json_equal(json_object_get(slice, "ports"), ports));
			assert_row(slices[i].what,
			           json_equal(json_object_get(slice, "endpoints"), endpoints));
			assert_string_equal(kube_label_find(slice, "kubernetes.io/service-name"),
			                    "svc");
			json_decref(ports);
			json_decref(endpoints);
		}
		json_decref(slice);
		json_decref(service);
	}
	json_decref(list);
}

static void the_node_carries_the_cluster_s_locality(void **state)
{
	(void)state;
	json_t *node = lab_node_object(lab_host_find("mdemo-cluster3"));
	assert_string_equal(kube_label_find(node, "topology.kubernetes.io/region"), "region2");
	assert_string_equal(kube_label_find(node, "topology.kubernetes.io/zone"), "zone3");
	assert_string_equal(kube_label_find(node, "topology.istio.io/subzone"), "subzone3");
	json_decref(node);
}

static void pods_have_addresses_of_their_cluster_and_accounts(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		const char *program;
		const char *address;
		const char *account;
	} rows[] = {
		{"cluster1", "helloworld", "10.201.0.10", "helloworld"},
		{"cluster2", "sleep", "10.201.0.20", "sleep"},
		{"cluster3", "gateway", "10.100.0.2", "fedway-gateway-gw-3"},
		{"cluster3", "probe", "10.100.0.30", "fedway-probe"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *pod = lab_pod_object(lab_host_find(rows[i].host),
		                             lab_pod_find(rows[i].program), i % 2 == 0);
		assert_string_equal(json_str_at(pod, "status.podIP", ""), rows[i].address);
		assert_string_equal(json_str_at(pod, "spec.serviceAccountName", ""),
		                    rows[i].account);
		assert_row(rows[i].program, kube_condition_is_true(pod, "Ready") == (i % 2 == 0));
		json_decref(pod);
	}
	assert_null(lab_pod_find("kube"));
}

static void a_token_is_bound_to_its_pod(void **state)
{
	(void)state;
	json_t *request = lab_pod_token_request(lab_pod_find("sleep"), "u-1", 3600);
	assert_string_equal(json_str_at(request, "spec.boundObjectRef.uid", ""), "u-1");
	assert_string_equal(json_str_at(request, "spec.boundObjectRef.name", ""), "sleep-1");
	assert_int_equal(json_int_at(request, "spec.expirationSeconds", 0), 3600);
	assert_string_equal(
		json_string_value(json_array_get(json_at(request, "spec.audiences"), 0)),
		"istio-ca");
	json_decref(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_become_slices_of_their_pods),
		cmocka_unit_test(the_node_carries_the_cluster_s_locality),
		cmocka_unit_test(pods_have_addresses_of_their_cluster_and_accounts),
		cmocka_unit_test(a_token_is_bound_to_its_pod),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
