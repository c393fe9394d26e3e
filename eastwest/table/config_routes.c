/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "table/config_priv.h"

/* --- routes ----------------------------------------------------------------------------------- */

static bool read_health(const struct ew_config_at *at, bool *ret_healthy)
{
	struct str health = STR_LIT("Healthy");
	if (!ew_config_text(at, "health", false, &health))
		return false;
	if (!str_is(health, "Healthy") && !str_is(health, "Unhealthy"))
		return ew_config_fail(at, "health", "must be Healthy or Unhealthy");
	*ret_healthy = str_is(health, "Healthy");
	return true;
}

/* Exactly one of (address, port) and network. */
static bool read_where(const struct ew_config_at *at, struct ew_endpoint_spec *spec)
{
	uint32_t port = 0;
	if (!ew_config_text(at, "network", false, &spec->network))
		return false;
	bool has_port = json_object_get(at->value, "port") != NULL;
	if (spec->network.len > 0) {
		if (json_object_get(at->value, "address") != NULL)
			return ew_config_fail(at, "address", "has no meaning beside network");
		return !has_port || ew_config_fail(at, "port", "has no meaning beside network");
	}
	if (!ew_config_address(at, "address", &spec->addr.ip))
		return false;
	if (!has_port)
		return ew_config_fail(at, "port", "is missing");
	if (!ew_config_number(at, "port", 1, UINT16_MAX, &port))
		return false;
	spec->addr.port = (uint16_t)port;
	return true;
}

static bool read_endpoint(const struct ew_config_at *at, struct ew_endpoint_spec *spec)
{
	static const char *const known[] = {"address",  "port",   "network", "cluster", "locality",
	                                    "priority", "weight", "health",  NULL};
	*spec = (struct ew_endpoint_spec){.weight = 1, .healthy = true};
	return ew_config_keys(at, known) && read_where(at, spec) &&
	       ew_config_text(at, "cluster", false, &spec->cluster) &&
	       ew_config_text(at, "locality", false, &spec->locality) &&
	       ew_config_number(at, "priority", 0, EW_PRIORITIES_MAX - 1, &spec->priority) &&
	       ew_config_number(at, "weight", 1, EW_WEIGHT_MAX, &spec->weight) &&
	       read_health(at, &spec->healthy);
}

/* Takes its room from *free_endpoints. */
static bool read_endpoints(const struct ew_config_at *at, struct ew_route_spec *route,
                           struct ew_endpoint_spec **free_endpoints)
{
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(at, "endpoints", EW_ROUTE_ENDPOINTS_MAX, &array, &n))
		return false;
	struct ew_endpoint_spec *list = *free_endpoints;
	*free_endpoints += n;
	route->endpoints = list;
	route->n_endpoints = n;
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		if (!read_endpoint(&item, &list[i]))
			return false;
	}
	return true;
}

static bool read_weights(const struct ew_config_at *at, struct ew_route_spec *route)
{
	static const char *const known[] = {"locality", "priority", "weight", NULL};
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(at, "localityWeights", EW_ROUTE_ENDPOINTS_MAX, &array, &n))
		return false;
	struct ew_group_weight *list = n > 0 ? xcalloc(n, sizeof(*list)) : NULL;
	route->weights = list;
	route->n_weights = n;
	route->weighted = array.value != NULL;
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		if (!ew_config_keys(&item, known) ||
		    !ew_config_text(&item, "locality", true, &list[i].locality) ||
		    !ew_config_number(&item, "priority", 0, EW_PRIORITIES_MAX - 1,
		                      &list[i].priority) ||
		    !ew_config_number(&item, "weight", 0, EW_WEIGHT_MAX, &list[i].weight))
			return false;
		if (json_object_get(item.value, "weight") == NULL)
			return ew_config_fail(&item, "weight", "is missing");
	}
	return true;
}

static bool check_sni(const struct ew_config_at *at, struct str sni, struct map *seen)
{
	if (sni.len > EW_NAME_LEN_MAX)
		return ew_config_fail(at, "sni", "is longer than %d characters", EW_NAME_LEN_MAX);
	for (size_t i = 0; i < sni.len; i++) {
		if (sni.ptr[i] <= ' ' || sni.ptr[i] >= 0x7f ||
		    (sni.ptr[i] >= 'A' && sni.ptr[i] <= 'Z'))
			return ew_config_fail(at, "sni", "must be lower case, without spaces");
	}
	if (!map_add(seen, sni))
		return ew_config_fail(at, "sni", "another route has this name");
	return true;
}

static bool read_route(const struct ew_config_at *at, struct ew_route_spec *route, struct map *seen,
                       struct ew_endpoint_spec **free_endpoints)
{
	static const char *const known[] = {
		"sni", "exposed", "endpoints", "localityWeights", "trafficPolicy", NULL};
	route->exposed = true;
	return ew_config_keys(at, known) && ew_config_text(at, "sni", true, &route->sni) &&
	       check_sni(at, route->sni, seen) && ew_config_bool(at, "exposed", &route->exposed) &&
	       read_endpoints(at, route, free_endpoints) && read_weights(at, route) &&
	       ew_config_read_policy(at, route);
}

/* A reference to a network that nobody defined is a typing mistake. */
static bool check_networks(const struct ew_config_at *at, const struct ew_route_spec *route,
                           const struct ew_config *config)
{
	for (size_t i = 0; i < route->n_endpoints; i++) {
		struct str name = route->endpoints[i].network;
		bool found = name.len == 0;
		for (size_t k = 0; !found && k < config->n_networks; k++)
			found = str_eq(config->networks[k].name, name);
		if (found)
			continue;
		struct ew_config_at array;
		size_t n;
		if (!ew_config_array(at, "endpoints", EW_ROUTE_ENDPOINTS_MAX, &array, &n))
			return false;
		struct ew_config_at item = ew_config_item(&array, i);
		return ew_config_fail(&item, "network", "'%.*s' is not among networks",
		                      STR_ARG(name));
	}
	return true;
}

static size_t count_endpoints(const json_t *routes)
{
	size_t total = 0;
	size_t i;
	json_t *route;
	json_array_foreach (routes, i, route)
		total += json_array_size(json_object_get(route, "endpoints"));
	return total;
}

bool ew_config_read_routes(const struct ew_config_at *top, struct ew_config *config)
{
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(top, "routes", EW_ROUTES_MAX, &array, &n))
		return false;
	config->routes = xcalloc(n + 1, sizeof(*config->routes));
	config->n_routes = n;
	/* in one piece: it is given back whole, and no table's memory lies in its gaps */
	config->endpoints = xcalloc(count_endpoints(array.value) + 1, sizeof(*config->endpoints));
	struct ew_endpoint_spec *free_endpoints = config->endpoints;
	struct map seen = MAP_EMPTY;
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		ok = read_route(&item, &config->routes[i], &seen, &free_endpoints) &&
		     check_networks(&item, &config->routes[i], config);
	}
	map_fini(&seen, NULL);
	return ok;
}

/* --- networks --------------------------------------------------------------------------------- */

static bool read_gateway(const struct ew_config_at *at, struct ew_gateway_config *gateway)
{
	static const char *const known[] = {"cluster", "address", "port", "weight", "mark", NULL};
	uint32_t port = 15443;
	gateway->weight = 1;
	if (!ew_config_keys(at, known) || !ew_config_text(at, "address", true, &gateway->host) ||
	    !ew_config_text(at, "cluster", false, &gateway->cluster) ||
	    !ew_config_number(at, "port", 1, UINT16_MAX, &port) ||
	    !ew_config_number(at, "weight", 1, EW_WEIGHT_MAX, &gateway->weight) ||
	    !ew_config_bool(at, "mark", &gateway->mark))
		return false;
	if (gateway->host.len > EW_NAME_LEN_MAX)
		return ew_config_fail(at, "address", "is longer than %d characters",
		                      EW_NAME_LEN_MAX);
	gateway->port = (uint16_t)port;
	return true;
}

static bool read_network(const struct ew_config_at *at, struct ew_network_config *network)
{
	static const char *const known[] = {"name", "gateways", NULL};
	struct ew_config_at array;
	size_t n;
	if (!ew_config_keys(at, known) || !ew_config_text(at, "name", true, &network->name) ||
	    !ew_config_array(at, "gateways", EW_NETWORK_GATEWAYS_MAX, &array, &n))
		return false;
	network->gateways = xcalloc(n + 1, sizeof(*network->gateways));
	network->n_gateways = n;
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		if (!read_gateway(&item, &network->gateways[i]))
			return false;
	}
	return true;
}

bool ew_config_read_networks(const struct ew_config_at *top, struct ew_config *config)
{
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(top, "networks", EW_NETWORKS_MAX, &array, &n))
		return false;
	config->networks = xcalloc(n + 1, sizeof(*config->networks));
	config->n_networks = n;
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		struct ew_network_config *network = &config->networks[i];
		if (!read_network(&item, network))
			return false;
		if (str_is(network->name, config->network))
			return ew_config_fail(&item, "name", "is the gateway's own network");
		for (size_t k = 0; k < i; k++) {
			if (str_eq(config->networks[k].name, network->name))
				return ew_config_fail(&item, "name",
				                      "another network has this name");
		}
	}
	return true;
}

void ew_config_forget_routes(struct ew_config *config)
{
	for (size_t i = 0; i < config->n_routes; i++)
		free((void *)(uintptr_t)config->routes[i].weights);
	free(config->endpoints);
	config->endpoints = NULL;
	free(config->routes);
	config->routes = NULL;
	config->n_routes = 0;
	json_object_del(config->tree, "routes");
}

void ew_config_free_routes(struct ew_config *config)
{
	ew_config_forget_routes(config);
	for (size_t i = 0; i < config->n_networks; i++)
		free(config->networks[i].gateways);
	free(config->networks);
}

/* --- the table that it describes -------------------------------------------------------------- */

enum {
	ADDRESSES_MAX = 64 /* of one host name */
};

/* A host name stands for all its addresses; they share its weight. */
static bool add_network(struct ew_table_builder *builder, const struct ew_network_config *network,
                        ew_resolve_cb resolve, void *arg, struct err *err)
{
	struct ew_gateway_spec *specs = NULL;
	size_t n = 0;
	for (size_t i = 0; i < network->n_gateways; i++) {
		const struct ew_gateway_config *gateway = &network->gateways[i];
		struct ip ips[ADDRESSES_MAX];
		size_t n_ips = 1;
		if (!ip_parse(gateway->host, &ips[0]))
			n_ips = resolve != NULL ? resolve(gateway->host, ips, ADDRESSES_MAX, arg)
			                        : 0;
		specs = xrealloc(specs, (n + n_ips + 1) * sizeof(*specs));
		for (size_t k = 0; k < n_ips; k++) {
			uint32_t share = gateway->weight / (uint32_t)n_ips;
			specs[n++] = (struct ew_gateway_spec){
				.addr = {.ip = ips[k], .port = gateway->port},
				.cluster = gateway->cluster,
				.weight = share > 0 ? share : 1,
				.mark = gateway->mark,
			};
		}
	}
	bool ok = ew_table_builder_set_network(builder, network->name, specs, n, err);
	free(specs);
	return ok || err_wrap(err, "network '%.*s'", STR_ARG(network->name));
}

static bool add_networks(struct ew_table_builder *builder, const struct ew_config *config,
                         ew_resolve_cb resolve, void *arg, struct err *err)
{
	for (size_t i = 0; i < config->n_networks; i++) {
		if (!add_network(builder, &config->networks[i], resolve, arg, err))
			return false;
	}
	return true;
}

static bool add_routes(struct ew_table_builder *builder, const struct ew_config *config,
                       struct err *err)
{
	for (size_t i = 0; i < config->n_routes; i++) {
		if (!ew_table_builder_set_route(builder, &config->routes[i], err))
			return err_wrap(err, "route '%.*s'", STR_ARG(config->routes[i].sni));
	}
	return true;
}

bool ew_config_table(const struct ew_config *config, struct ew_health_registry *registry,
                     ew_resolve_cb resolve, void *arg, struct ew_table **ret_table, struct err *err)
{
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	const char *cluster = config->control_plane.cluster;
	if (!ew_table_builder_set_self(builder, str_from(config->network), str_from(cluster),
	                               err) ||
	    !add_networks(builder, config, resolve, arg, err) ||
	    !add_routes(builder, config, err)) {
		ew_table_builder_destroy(builder);
		return false;
	}
	*ret_table = ew_table_builder_finish(builder);
	return true;
}

bool ew_config_networks(const struct ew_config *config, const struct ew_table *old,
                        struct ew_health_registry *registry, ew_resolve_cb resolve, void *arg,
                        struct ew_table **ret_table, struct err *err)
{
	struct ew_table_builder *builder = ew_table_builder_create(old, registry);
	if (!add_networks(builder, config, resolve, arg, err)) {
		ew_table_builder_destroy(builder);
		return false;
	}
	*ret_table = ew_table_builder_finish(builder);
	return true;
}
