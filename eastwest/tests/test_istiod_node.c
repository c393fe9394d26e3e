/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "uplink/istiod_node.h"
#include "xds/message.h"
#include "xds/proto/core.pb-c.h"
#include "xds/proto/google.pb-c.h"

#define HEAD                                                                                       \
	"apiVersion: fedway.io/v1alpha1\n"                                                         \
	"kind: GatewayConfig\n"                                                                    \
	"listeners:\n- {name: ingress, mode: ingress, address: 0.0.0.0, port: 15443}\n"
#define PLANE                                                                                      \
	"controlPlane:\n"                                                                          \
	"  address: istiod.istio-system.svc:15012\n"                                               \
	"  type: istiod\n"                                                                         \
	"  cluster: Kubernetes\n"                                                                  \
	"  name: eastwest\n"                                                                       \
	"  istiod:\n"                                                                              \
	"    namespace: istio-system\n"                                                            \
	"    serviceAccount: fedway-gateway-eastwest\n"                                            \
	"    meshId: mesh1\n"                                                                      \
	"    labels: {istio: eastwestgateway, app: istio-eastwestgateway}\n"

static const struct ew_istiod_pod pod = {"eastwest-7d9f", "10.2.0.30"};

static struct ew_config *parse(const char *text)
{
	struct ew_config *config = NULL;
	struct err err;
	if (!ew_config_parse(str_from(text), "gateway.yaml", &config, &err))
		fail_msg("%s", err.msg);
	return config;
}

static Google__Struct *unpack_struct(ProtobufCBinaryData bytes)
{
	struct err err;
	struct str view = str_make((const char *)bytes.data, bytes.len);
	Google__Struct *found =
		(Google__Struct *)xds_message_unpack(&google__struct__descriptor, view, &err);
	assert_non_null(found);
	return found;
}

static const Google__Value *find(const Google__Struct *in, const char *key)
{
	for (size_t i = 0; i < in->n_fields; i++) {
		if (strcmp(in->fields[i]->key, key) == 0)
			return in->fields[i]->value;
	}
	return NULL;
}

static void expect(const Google__Struct *in, const char *key, const char *want)
{
	const Google__Value *value = find(in, key);
	const char *text = value != NULL ? value->string_value : NULL;
	if (text == NULL)
		text = "(nothing)";
	if (strcmp(text, want) != 0)
		fail_msg("%s is %s, not %s", key, text, want);
}

static void an_istiod_can_select_the_gateway_and_tell_where_it_is(void **state)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct err err;
	struct ew_config *config = parse(HEAD "network: n2\nlocality: r2/r2a\n" PLANE);
	(void)state;
	buf_init(&bytes, EW_ISTIOD_NODE_MAX);
	if (!ew_istiod_node_encode(config, &pod, &bytes, &err))
		fail_msg("%s", err.msg);
	Envoy__Node *node =
		(Envoy__Node *)xds_message_unpack(&envoy__node__descriptor, buf_str(&bytes), &err);
	assert_non_null(node);
	assert_string_equal(node->id,
	                    "router~10.2.0.30~eastwest-7d9f.istio-system~istio-system.svc.cluster."
	                    "local");
	assert_string_equal(node->cluster, "eastwest.istio-system");
	assert_string_equal(node->locality->region, "r2");
	assert_string_equal(node->locality->zone, "r2a");
	Google__Struct *metadata = unpack_struct(node->metadata);
	expect(metadata, "CLUSTER_ID", "Kubernetes");
	expect(metadata, "NAMESPACE", "istio-system");
	expect(metadata, "SERVICE_ACCOUNT", "fedway-gateway-eastwest");
	expect(metadata, "NETWORK", "n2");
	expect(metadata, "REQUESTED_NETWORK_VIEW", "n2");
	expect(metadata, "MESH_ID", "mesh1");
	assert_non_null(find(metadata, "ISTIO_VERSION"));
	const Google__Value *given = find(metadata, "LABELS");
	static const ProtobufCBinaryData nothing = {0};
	Google__Struct *labels = unpack_struct(given != NULL ? given->struct_value : nothing);
	expect(labels, "istio", "eastwestgateway");
	expect(labels, "topology.istio.io/network", "n2");
	xds_message_free(&labels->base);
	xds_message_free(&metadata->base);
	xds_message_free(&node->base);
	ew_config_destroy(config);
}

static void the_certificate_is_asked_for_its_service_account(void **state)
{
	struct ew_config *config = parse(HEAD "network: n2\n" PLANE);
	struct ew_istiod_config bad = config->control_plane.istiod;
	char wrong[] = "Not A Name";
	char *uri = NULL;
	struct err err;
	(void)state;
	assert_true(ew_istiod_node_uri(&config->control_plane.istiod, &uri, &err));
	assert_string_equal(uri,
	                    "spiffe://cluster.local/ns/istio-system/sa/fedway-gateway-eastwest");
	free(uri);
	bad.account = wrong;
	assert_false(ew_istiod_node_uri(&bad, &uri, &err));
	ew_config_destroy(config);
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		const char *network;
		struct ew_istiod_pod pod;
		const char *says;
	} cases[] = {
		{"", {"gw-1", "10.0.0.1"}, "network: is missing"},
		{"network: n2\n", {NULL, "10.0.0.1"}, "the pod's name"},
		{"network: n2\n", {"gw~1", "10.0.0.1"}, "is no name"},
		{"network: n2\n", {"gw-1", NULL}, "INSTANCE_IP"},
		{"network: n2\n", {"gw-1", "gw.example.com"}, "status.podIP"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct buf bytes CLEANUP(buf_fini) = {0};
		char text[2048];
		struct err err;
		snprintf(text, sizeof(text), "%s%s%s", HEAD, cases[i].network, PLANE);
		struct ew_config *config = parse(text);
		buf_init(&bytes, EW_ISTIOD_NODE_MAX);
		assert_false(ew_istiod_node_encode(config, &cases[i].pod, &bytes, &err));
		if (strstr(err.msg, cases[i].says) == NULL)
			fail_msg("case %zu: '%s' does not say '%s'", i, err.msg, cases[i].says);
		ew_config_destroy(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_istiod_can_select_the_gateway_and_tell_where_it_is),
		cmocka_unit_test(the_certificate_is_asked_for_its_service_account),
		cmocka_unit_test(what_is_missing_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
