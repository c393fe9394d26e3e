/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/macros.h"
#include "eastwest/config.h"

#define HEAD                                                                                       \
	"apiVersion: fedway.io/v1alpha1\n"                                                         \
	"kind: GatewayConfig\n"
#define DOOR "listeners:\n- {name: ingress, mode: ingress, address: 0.0.0.0, port: 15443}\n"

static const char whole[] = HEAD
	"workers: 3\n"
	"locality: region1/zone1\n"
	"network: network1\n"
	"listeners:\n"
	"- {name: ingress, mode: ingress, address: '::', port: 15443,"
	" proxyProtocol: {trusted: [192.0.2.0/24]}}\n"
	"- {name: egress, mode: egress, address: 10.0.0.9, port: 15444, allow: [10.0.0.0/16]}\n"
	"routes:\n"
	"- sni: outbound_.5000_._.helloworld.sample.svc.cluster.local\n"
	"  endpoints:\n"
	"  - {address: 10.0.0.1, port: 5000, cluster: c1, locality: region1/zone1}\n"
	"  - {address: 10.0.0.2, port: 5000, health: Unhealthy}\n"
	"  - {network: network2, cluster: c2, locality: region1/zone2, priority: 1, weight: 3}\n"
	"  localityWeights: [{locality: region1/zone1, priority: 0, weight: 80}]\n"
	"- sni: plain\n"
	"  exposed: false\n"
	"networks:\n"
	"- {name: network2, gateways: [{cluster: c2, address: gw.example.com, mark: true},\n"
	"    {address: 192.0.2.2, port: 15444, weight: 6}]}\n"
	"dataDir: /var/lib/fedway-gateway\n"
	"metrics: {address: 0.0.0.0, port: 15090}\n"
	"health: {address: 0.0.0.0, port: 15021}\n"
	"admin: {path: gateway.sock}\n"
	"limits: {connections: 50000, halfHelloMemoryMiB: 8,\n"
	"  newConnectionsPerSecond: {rate: 100, prefixV4: 32}}\n"
	"accessLog: {format: text, path: /var/log/gateway.log, sample: 0.25}\n";

static struct ew_config *parse(const char *text)
{
	struct ew_config *config = NULL;
	struct err err;
	if (!ew_config_parse(str_from(text), "gateway.yaml", &config, &err))
		fail_msg("%s", err.msg);
	return config;
}

static void reads_every_field_and_its_default(void **state)
{
	(void)state;
	struct ew_config *config = parse(whole);
	assert_int_equal(config->workers, 3);
	assert_string_equal(config->locality, "region1/zone1");
	assert_string_equal(config->network, "network1");
	assert_int_equal(config->n_listeners, 2);
	assert_int_equal(config->listeners[0].trusted.n, 1);
	assert_int_equal(config->listeners[1].door, EW_DOOR_EGRESS);
	assert_int_equal(config->listeners[1].allow.n, 1);
	assert_int_equal(config->n_routes, 2);
	assert_true(config->routes[0].exposed && config->routes[0].weighted);
	assert_false(config->routes[1].exposed || config->routes[1].weighted);
	assert_int_equal(config->routes[0].n_endpoints, 3);
	assert_int_equal(config->routes[0].endpoints[0].weight, 1);
	assert_false(config->routes[0].endpoints[1].healthy);
	assert_int_equal(config->routes[0].endpoints[2].weight, 3);
	assert_int_equal(config->networks[0].gateways[0].port, 15443);
	assert_true(config->networks[0].gateways[0].mark);
	assert_false(config->networks[0].gateways[1].mark);
	assert_string_equal(config->data_dir, "/var/lib/fedway-gateway");
	assert_true(config->has_metrics && config->has_health);
	assert_string_equal(config->admin_path, "gateway.sock");
	assert_int_equal(config->limits.connections, 50000);
	assert_int_equal(config->limits.hello_memory_mib, 8);
	assert_int_equal(config->limits.per_source.rate, 100);
	assert_int_equal(config->limits.per_source.burst, 100);
	assert_int_equal(config->limits.per_source.prefix_v4, 32);
	assert_int_equal(config->limits.per_source.prefix_v6, EW_PREFIX_V6);
	assert_string_equal(config->access_log.path, "/var/log/gateway.log");
	assert_false(config->access_log.json);
	assert_int_equal(config->access_log.sample, 1u << 30);
	ew_config_destroy(config);

	config = parse(HEAD DOOR);
	assert_int_equal(config->workers, 0);
	assert_null(config->data_dir);
	assert_null(config->admin_path);
	assert_int_equal(config->limits.connections, 0);
	assert_int_equal(config->limits.hello_memory_mib, EW_HELLO_MEMORY_MIB);
	assert_int_equal(config->limits.per_source.rate, 0);
	assert_false(config->has_metrics || config->has_health);
	ew_config_destroy(config);
}

static size_t resolve(struct str host, struct ip *ret_ips, size_t max, void *arg)
{
	(void)arg;
	assert_true(max >= 2);
	assert_true(str_is(host, "gw.example.com"));
	assert_true(ip_parse(STR_LIT("192.0.2.10"), &ret_ips[0]));
	assert_true(ip_parse(STR_LIT("192.0.2.11"), &ret_ips[1]));
	return 2;
}

static void describes_a_table(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_config *config = parse(whole);
	struct ew_table *table;
	struct err err;
	(void)state;
	assert_true(ew_config_table(config, registry, resolve, NULL, &table, &err));
	const struct ew_route *route = ew_table_find(
		table, STR_LIT("outbound_.5000_._.helloworld.sample.svc.cluster.local"));
	assert_non_null(route);
	assert_int_equal(route->n_endpoints, 3);
	assert_int_equal(route->n_groups, 3);
	assert_int_equal(route->n_priorities, 2);
	const struct ew_network *network = ew_table_network_at(table, 0);
	assert_int_equal(network->n_gateways, 3);
	assert_int_equal(network->gateways[2].weight, 6);
	ew_table_unref(table);
	/* a name that nobody knows yet is no error */
	assert_true(ew_config_table(config, registry, NULL, NULL, &table, &err));
	assert_int_equal(ew_table_network_at(table, 0)->n_gateways, 1);
	ew_table_unref(table);
	ew_config_destroy(config);
	ew_health_registry_destroy(registry);
}

static void a_routes_policy_reads_like_a_destination_rule(void **state)
{
	struct ew_config *config = parse(
		HEAD DOOR "routes:\n"
			  "- sni: a\n"
			  "  trafficPolicy:\n"
			  "    loadBalancer: {simple: LEAST_REQUEST}\n"
			  "    connectionPool:\n"
			  "      tcp: {maxConnections: 7, connectTimeout: 1.5s, idleTimeout: 2m}\n"
			  "    outlierDetection: {consecutiveGatewayErrors: 2, interval: 1s,\n"
			  "                       maxEjectionPercent: 100, minHealthPercent: 30}\n"
			  "- sni: b\n"
			  "  trafficPolicy:\n"
			  "    loadBalancer: {consistentHash: {useSourceIp: true}}\n"
			  "    outlierDetection: {splitExternalLocalOriginErrors: true}\n"
			  "- {sni: c, trafficPolicy: {}}\n");
	const struct ew_route_spec *a = &config->routes[0];
	(void)state;
	assert_int_equal(a->policy.lb, EW_LB_LEAST_CONNECTIONS);
	assert_int_equal(a->policy.max_connections, 7);
	assert_int_equal(a->connect_ms, 1500);
	assert_int_equal(a->idle_ms, 120000);
	assert_int_equal(a->policy.panic_percent, 30);
	assert_int_equal(a->policy.outlier.consecutive, 2);
	assert_int_equal(a->policy.outlier.interval_ms, 1000);
	assert_int_equal(a->policy.outlier.base_ms, 30000);
	assert_int_equal(a->policy.outlier.max_percent, 100);
	assert_int_equal(config->routes[1].policy.lb, EW_LB_SOURCE_IP);
	assert_int_equal(config->routes[1].policy.outlier.consecutive, 5);
	assert_int_equal(config->routes[1].policy.outlier.max_percent, 10);
	assert_int_equal(config->routes[2].policy.lb, EW_LB_ROUND_ROBIN);
	assert_int_equal(config->routes[2].policy.outlier.consecutive, 0);
	ew_config_destroy(config);
}

static void an_istiod_is_told_who_the_gateway_is(void **state)
{
	struct ew_config *config =
		parse(HEAD DOOR
	              "network: n2\n"
	              "controlPlane:\n"
	              "  {type: istiod, address: 'istiod.istio-system.svc:15012', cluster: c2,\n"
	              "   istiod: {namespace: istio-system, serviceAccount: gw,\n"
	              "            labels: {istio: eastwestgateway}}}\n");
	const struct ew_istiod_config *istiod = &config->control_plane.istiod;
	(void)state;
	assert_string_equal(istiod->namespace_, "istio-system");
	assert_string_equal(istiod->account, "gw");
	assert_string_equal(istiod->trust_domain, "cluster.local");
	assert_string_equal(istiod->mesh_id, "");
	assert_int_equal(json_object_size(istiod->labels), 1);
	ew_config_destroy(config);
}

static void says_file_line_and_key_of_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"kind: GatewayConfig\n", "gateway.yaml:1: apiVersion: is missing"},
		{"apiVersion: v1\nkind: GatewayConfig\n",
	         "gateway.yaml:1: apiVersion: must be fedway.io/v1alpha1"},
		{"apiVersion: fedway.io/v1alpha1\nkind: Gateway\n",
	         "gateway.yaml:2: kind: must be GatewayConfig"},
		{HEAD "listners: []\n", "gateway.yaml:3: listners: unknown key; known here: "},
		{HEAD, "gateway.yaml:1: listeners: needs at least one listener"},
		{HEAD DOOR "workers: 0\n", "gateway.yaml:5: workers: must be 1 to 256"},
		{HEAD DOOR "workers: many\n", "gateway.yaml:5: workers: must be 1 to 256"},
		{HEAD "listeners:\n- {name: i, mode: out, address: 0.0.0.0, port: 1}\n",
	         "gateway.yaml:4: listeners[0].mode: must be ingress or egress"},
		{HEAD "listeners:\n- {name: i, mode: egress, address: 0.0.0.0, port: 1}\n",
	         "gateway.yaml:4: listeners[0].allow: an egress listener needs the ranges"},
		{HEAD "listeners:\n- {name: i, mode: ingress, address: localhost, port: 1}\n",
	         "gateway.yaml:4: listeners[0].address: 'localhost' is no IP address"},
		{HEAD
	         "listeners:\n- {name: i, mode: ingress, address: 0.0.0.0, port: 1, prot: x}\n",
	         "gateway.yaml:4: listeners[0].prot: unknown key"},
		{HEAD "listeners:\n- {name: i, mode: ingress, address: 0.0.0.0, port: 1}\n"
	              "- {name: i, mode: ingress, address: 0.0.0.0, port: 2}\n",
	         "gateway.yaml:5: listeners[1].name: another listener has this name"},
		{HEAD DOOR "routes:\n- sni: a\n  endpoints: none\n",
	         "gateway.yaml:7: routes[0].endpoints: must be a list"},
		{HEAD DOOR "routes:\n- sni: a\n  endpoints:\n  - {address: 10.0.0.1, port: 0}\n",
	         "gateway.yaml:8: routes[0].endpoints[0].port: must be 1 to 65535"},
		{HEAD DOOR "routes:\n- sni: a\n  endpoints:\n  - {address: 10.0.0.1}\n",
	         "gateway.yaml:8: routes[0].endpoints[0].port: is missing"},
		{HEAD DOOR "routes:\n- sni: a\n  endpoints:\n  - {network: n2}\n",
	         "gateway.yaml:8: routes[0].endpoints[0].network: 'n2' is not among networks"},
		{HEAD DOOR "routes:\n- {sni: a}\n- {sni: a}\n",
	         "gateway.yaml:7: routes[1].sni: another route has this name"},
		{HEAD DOOR "routes:\n- {sni: A}\n", "gateway.yaml:6: routes[0].sni: must be lower"},
		{HEAD DOOR "network: n1\nnetworks:\n- {name: n1}\n",
	         "gateway.yaml:7: networks[0].name: is the gateway's own network"},
		{HEAD DOOR "controlPlane: {address: 'a:1'}\nroutes: []\n",
	         "gateway.yaml:6: routes: comes from the control plane"},
		{HEAD DOOR "controlPlane: {address: 'a:1', type: consul}\n",
	         "gateway.yaml:5: controlPlane.type: must be fedwayd or istiod"},
		{HEAD DOOR "controlPlane: {address: 'a:1', type: istiod}\n",
	         "gateway.yaml:5: controlPlane.istiod: is missing; type istiod needs"},
		{HEAD DOOR "controlPlane: {address: 'a:1', istiod: {}}\n",
	         "gateway.yaml:5: controlPlane.istiod: is for type istiod only"},
		{HEAD DOOR "controlPlane:\n  address: a:1\n  type: istiod\n  istiod:\n"
	                   "    namespace: a.b\n",
	         "gateway.yaml:9: controlPlane.istiod.namespace: must be a DNS label"},
		{HEAD DOOR "controlPlane:\n  address: a:1\n  type: istiod\n  istiod:\n"
	                   "    {namespace: a, serviceAccount: b, labels: {c: 1}}\n",
	         "gateway.yaml:9: controlPlane.istiod.labels.c: must be a string"},
		{HEAD DOOR "metrics: {address: 0.0.0.0}\n",
	         "gateway.yaml:5: metrics.port: is missing"},
		{HEAD DOOR "limits: {connections: 0}\n",
	         "gateway.yaml:5: limits.connections: must be 1 to 100000000"},
		{HEAD DOOR "limits:\n  newConnectionsPerSecond: {burst: 5}\n",
	         "gateway.yaml:6: limits.newConnectionsPerSecond.rate: is missing"},
		{HEAD DOOR "limits: {newConnectionsPerSecond: {rate: 1, prefixV4: 33}}\n",
	         "gateway.yaml:5: limits.newConnectionsPerSecond.prefixV4: must be 1 to 32"},
		{HEAD DOOR "routes:\n- sni: a\n  trafficPolicy: {tls: {}}\n",
	         "gateway.yaml:7: routes[0].trafficPolicy.tls: unknown key; known here: "},
		{HEAD DOOR "routes:\n- sni: a\n  trafficPolicy: {loadBalancer: {simple: BEST}}\n",
	         "gateway.yaml:7: routes[0].trafficPolicy.loadBalancer.simple: must be ROUND"},
		{HEAD DOOR
	         "routes:\n- sni: a\n  trafficPolicy: {outlierDetection: {interval: 0s}}\n",
	         "gateway.yaml:7: routes[0].trafficPolicy.outlierDetection.interval: must be a "
	         "dur"},
		{HEAD DOOR "routes:\n- sni: a\n  trafficPolicy:\n    connectionPool:\n"
	                   "      tcp: {maxConnections: 0}\n",
	         "gateway.yaml:9: routes[0].trafficPolicy.connectionPool.tcp.maxConnections: "
	         "must "},
		{HEAD DOOR "accessLog: {format: xml}\n",
	         "gateway.yaml:5: accessLog.format: must be json or text"},
		{HEAD DOOR "accessLog: {path: log.txt}\n",
	         "gateway.yaml:5: accessLog.path: must be an absolute path"},
		{HEAD DOOR "accessLog: {sample: 1.5}\n",
	         "gateway.yaml:5: accessLog.sample: must be 0 to 1"},
		{HEAD DOOR "accessLog: {sample: all}\n",
	         "gateway.yaml:5: accessLog.sample: must be 0 to 1"},
		{HEAD DOOR "x: {\n", "gateway.yaml:"},
		{"", "gateway.yaml"},
		{"- a\n", "gateway.yaml"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_config *config = NULL;
		struct err err;
		assert_false(
			ew_config_parse(str_from(cases[i].text), "gateway.yaml", &config, &err));
		if (!str_starts_with(str_from(err.msg), str_from(cases[i].want)))
			fail_msg("case %zu: '%s' is not '%s...'", i, err.msg, cases[i].want);
	}
}

static void tells_what_only_a_restart_changes(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{HEAD DOOR, NULL},
		{HEAD DOOR "routes: [{sni: a}]\n", NULL},
		{HEAD DOOR "workers: 2\n", "workers"},
		{HEAD "listeners:\n- {name: i, mode: ingress, address: 0.0.0.0, port: 1}\n", NULL},
		{HEAD DOOR "limits: {connections: 5}\n", NULL},
		{HEAD DOOR "dataDir: /a\n", "dataDir"},
	};
	struct ew_config *base = parse(HEAD DOOR);
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_config *config = parse(cases[i].text);
		const char *key = ew_config_restart_key(base, config);
		if (cases[i].want == NULL)
			assert_null(key);
		else
			assert_string_equal(key, cases[i].want);
		ew_config_destroy(config);
	}
	ew_config_destroy(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_field_and_its_default),
		cmocka_unit_test(describes_a_table),
		cmocka_unit_test(a_routes_policy_reads_like_a_destination_rule),
		cmocka_unit_test(an_istiod_is_told_who_the_gateway_is),
		cmocka_unit_test(says_file_line_and_key_of_what_is_wrong),
		cmocka_unit_test(tells_what_only_a_restart_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
