/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as one block of a GatewayConfig (the first byte says which): what is taken keeps to the
 * limits that the header promises, and makes a table.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "eastwest/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	TEXT_MAX = 1 << 20
};

/* Flow style, so that a block may be of one line or, inside brackets, of many. */
static const struct {
	const char *before;
	const char *behind;
} BLOCKS[] = {
	{"limits: {", "}\n"},
	{"limits: {newConnectionsPerSecond: {", "}}\n"},
	{"routes: [{sni: a.b, endpoints: [{address: 10.0.0.1, port: 1}], trafficPolicy: {",
         "}}]\n"},
	{"routes: [{sni: a.b, endpoints: [{address: 10.0.0.1, port: 1}], trafficPolicy: "
         "{outlierDetection: {",
         "}}}]\n"},
	{"routes: [{sni: a.b, endpoints: [{address: 10.0.0.1, port: 1}], trafficPolicy: "
         "{connectionPool: {tcp: {",
         "}}}}]\n"},
	{"routes: [{sni: a.b, endpoints: [{", "}], localityWeights: []}]\n"},
	{"networks: [{name: n2, gateways: [{", "}]}]\n"},
	{"", "\n"},
};

static void check_limits(const struct ew_limits *limits)
{
	const struct ew_rate_limit *rate = &limits->per_source;
	assert(limits->connections <= EW_CONNECTIONS_MAX);
	assert(limits->hello_memory_mib >= 1);
	assert(limits->hello_memory_mib <= EW_HELLO_MEMORY_MIB_MAX);
	assert(rate->rate <= EW_RATE_MAX && rate->burst <= EW_RATE_MAX);
	assert(rate->rate == 0 || rate->burst >= 1);
	assert(rate->prefix_v4 >= 1 && rate->prefix_v4 <= 32);
	assert(rate->prefix_v6 >= 1 && rate->prefix_v6 <= 128);
}

static void check_route(const struct ew_route_spec *route)
{
	const struct ew_policy *policy = &route->policy;
	assert(route->connect_ms <= EW_TIMEOUT_MAX_MS && route->idle_ms <= EW_TIMEOUT_MAX_MS);
	assert(policy->panic_percent <= 100);
	assert(policy->outlier.max_percent <= 100);
	assert(policy->outlier.consecutive == 0 || policy->outlier.interval_ms > 0);
	for (size_t i = 0; i < route->n_endpoints; i++)
		assert(route->endpoints[i].weight >= 1 &&
		       route->endpoints[i].weight <= EW_WEIGHT_MAX);
}

static void check_table(const struct ew_config *config)
{
	struct err err;
	struct ew_table *table;
	struct ew_health_registry *registry = ew_health_registry_create();
	if (ew_config_table(config, registry, NULL, NULL, &table, &err)) {
		assert(ew_table_n_routes(table) == config->n_routes);
		ew_table_unref(table);
	}
	ew_health_registry_destroy(registry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct ew_config *config;
	struct buf text CLEANUP(buf_fini) = {0};
	if (size == 0)
		return 0;
	size_t which = data[0] % N_ELEMS(BLOCKS);
	buf_init(&text, TEXT_MAX);
	buf_add_text(&text, "apiVersion: fedway.io/v1alpha1\nkind: GatewayConfig\nnetwork: n1\n"
	                    "listeners: [{name: i, mode: ingress, address: 0.0.0.0, port: 1}]\n");
	buf_add_text(&text, BLOCKS[which].before);
	buf_add(&text, data + 1, size - 1);
	buf_add_text(&text, BLOCKS[which].behind);
	if (buf_failed(&text) || !ew_config_parse(buf_str(&text), "fuzz", &config, &err))
		return 0;
	check_limits(&config->limits);
	for (size_t i = 0; i < config->n_routes; i++)
		check_route(&config->routes[i]);
	check_table(config);
	ew_config_destroy(config);
	return 0;
}
