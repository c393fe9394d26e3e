/* SPDX-License-Identifier: Apache-2.0 */
#include "control/dump.h"

#include "eastwest/balance.h"

static json_t *endpoint_json(const struct ew_names *names, const struct ew_endpoint *endpoint,
                             const struct ew_group *group)
{
	struct addr addr = {endpoint->ip, endpoint->port};
	char text[ADDR_TEXT_MAX];
	bool own = endpoint->network == EW_NAME_NONE;
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:b}", own ? "address" : "network",
	                 own ? addr_format(&addr, text) : ew_names_text(names, endpoint->network),
	                 "cluster", ew_names_text(names, endpoint->cluster), "locality",
	                 ew_names_text(names, group->locality), "priority", group->priority,
	                 "weight", (int)endpoint->weight, "localityWeight", (int)group->weight,
	                 "healthy", endpoint->healthy);
}

static json_t *endpoints_json(const struct ew_names *names, const struct ew_route *route)
{
	json_t *endpoints = json_array();
	for (uint32_t g = 0; g < route->n_groups; g++) {
		const struct ew_group *group = &route->groups[g];
		for (uint32_t i = group->first; i < group->first + group->n; i++)
			json_array_append_new(endpoints,
			                      endpoint_json(names, &route->endpoints[i], group));
	}
	return endpoints;
}

/* Only what is not the default, so that ten thousand routes without a policy stay readable. */
static json_t *policy_json(const struct ew_route *route)
{
	static const char *const balancers[] = {"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM",
	                                        "SOURCE_IP"};
	const struct ew_policy *policy = &route->policy;
	const struct ew_outlier_policy *outlier = &policy->outlier;
	json_t *json = json_pack("{s:s}", "loadBalancer", balancers[policy->lb]);
	const struct {
		const char *key;
		uint32_t value;
	} rows[] = {
		{"maxConnections", policy->max_connections},
		{"connectTimeoutMilliseconds", route->connect_ms},
		{"idleTimeoutMilliseconds", route->idle_ms},
		{"minHealthPercent", policy->panic_percent},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (rows[i].value > 0)
			json_object_set_new(json, rows[i].key, json_integer(rows[i].value));
	}
	if (outlier->consecutive > 0)
		json_object_set_new(
			json, "outlierDetection",
			json_pack("{s:I, s:I, s:I, s:I}", "consecutive",
		                  (json_int_t)outlier->consecutive, "intervalMilliseconds",
		                  (json_int_t)outlier->interval_ms, "baseEjectionMilliseconds",
		                  (json_int_t)outlier->base_ms, "maxEjectionPercent",
		                  (json_int_t)outlier->max_percent));
	return json;
}

static void add_ejected(const struct addr *addr, void *arg)
{
	char text[ADDR_TEXT_MAX];
	json_array_append_new(arg, json_string(addr_format(addr, text)));
}

static json_t *route_json(const struct ew_names *names, const struct ew_route *route,
                          int64_t now_ms)
{
	struct ew_route_counts counts = ew_route_counts(route);
	json_t *ejected = json_array();
	ew_route_for_each_ejected(route, now_ms, add_ejected, ejected);
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:I, s:I, s:I}", "sni", route->sni,
	                 "exposed", route->exposed, "weighted", route->weighted, "endpoints",
	                 endpoints_json(names, route), "policy", policy_json(route), "ejected",
	                 ejected, "connections", (json_int_t)counts.connections, "opened",
	                 (json_int_t)counts.opened, "failed", (json_int_t)counts.failed);
}

static json_t *network_json(const struct ew_names *names, const struct ew_network *network)
{
	json_t *gateways = json_array();
	for (uint32_t i = 0; i < network->n_gateways; i++) {
		const struct ew_gateway *gateway = &network->gateways[i];
		char text[ADDR_TEXT_MAX];
		json_array_append_new(gateways,
		                      json_pack("{s:s, s:s, s:i, s:b, s:b, s:s, s:i}", "address",
		                                addr_format(&gateway->addr, text), "cluster",
		                                ew_names_text(names, gateway->cluster), "weight",
		                                (int)gateway->weight, "mark", gateway->mark, "live",
		                                (bool)gateway->health->live, "reason",
		                                gateway->health->reason, "rttMicroseconds",
		                                (int)gateway->health->rtt_us));
	}
	return json_pack("{s:s, s:o}", "name", ew_names_text(names, network->name), "gateways",
	                 gateways);
}

json_t *ew_dump_table(const struct ew_table *table, int64_t now_ms)
{
	const struct ew_names *names = ew_table_names(table);
	json_t *routes = json_array();
	json_t *networks = json_array();
	for (uint32_t i = 0; i < ew_table_n_routes(table); i++)
		json_array_append_new(routes,
		                      route_json(names, ew_table_route_at(table, i), now_ms));
	for (uint32_t i = 0; i < ew_table_n_networks(table); i++)
		json_array_append_new(networks, network_json(names, ew_table_network_at(table, i)));
	return json_pack("{s:I, s:s, s:o, s:o}", "version", (json_int_t)ew_table_version(table),
	                 "network", ew_table_own_network(table), "routes", routes, "networks",
	                 networks);
}
