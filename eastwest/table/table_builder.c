/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A builder keeps routes and networks in two maps of references; finish turns them into arrays.
 * What it began with is shared with the old table until replaced.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "table/table_priv.h"

struct ew_table_builder {
	struct ew_names *names;
	struct ew_health_registry *registry; /* borrowed */
	struct map routes;                   /* lower-case name to struct ew_route */
	struct map networks;                 /* name to struct ew_network */
	uint16_t own_network;
	uint16_t own_cluster;
};

static void drop_route(void *route)
{
	ew_route_unref(route);
}

static void drop_network(void *network)
{
	ew_network_unref(network);
}

static void put_route(struct ew_table_builder *builder, struct ew_route *route)
{
	ew_route_unref(map_set(&builder->routes, str_make(route->sni, route->sni_len), route));
}

static void put_network(struct ew_table_builder *builder, struct ew_network *network)
{
	struct str name = str_from(ew_names_text(builder->names, network->name));
	ew_network_unref(map_set(&builder->networks, name, network));
}

static void begin_with(struct ew_table_builder *builder, const struct ew_table *old)
{
	builder->names = ew_names_ref(old->names);
	builder->own_network = old->own_network;
	builder->own_cluster = old->own_cluster;
	for (uint32_t i = 0; i < old->n_routes; i++) {
		atomic_fetch_add_explicit(&old->routes[i]->refs, 1, memory_order_relaxed);
		put_route(builder, old->routes[i]);
	}
	for (uint32_t i = 0; i < old->n_networks; i++) {
		atomic_fetch_add_explicit(&old->networks[i]->refs, 1, memory_order_relaxed);
		put_network(builder, old->networks[i]);
	}
}

struct ew_table_builder *ew_table_builder_create(const struct ew_table *old,
                                                 struct ew_health_registry *registry)
{
	struct ew_table_builder *builder = xcalloc(1, sizeof(*builder));
	builder->registry = registry;
	if (old != NULL)
		begin_with(builder, old);
	else
		builder->names = ew_names_create();
	return builder;
}

void ew_table_builder_destroy(struct ew_table_builder *builder)
{
	if (builder == NULL)
		return;
	map_fini(&builder->routes, drop_route);
	map_fini(&builder->networks, drop_network);
	ew_names_unref(builder->names);
	free(builder);
}

bool ew_table_builder_set_self(struct ew_table_builder *builder, struct str network,
                               struct str cluster, struct err *err)
{
	uint16_t own_network;
	uint16_t own_cluster;
	if (!ew_names_add(builder->names, network, &own_network, err))
		return err_wrap(err, "network");
	if (!ew_names_add(builder->names, cluster, &own_cluster, err))
		return err_wrap(err, "cluster");
	builder->own_network = own_network;
	builder->own_cluster = own_cluster;
	return true;
}

bool ew_table_builder_set_route(struct ew_table_builder *builder, const struct ew_route_spec *spec,
                                struct err *err)
{
	struct ew_route *route;
	if (!ew_route_create(spec, builder->names, &route, err))
		return false;
	struct str key = str_make(route->sni, route->sni_len);
	if (map_find(&builder->routes, key) == NULL && map_len(&builder->routes) >= EW_ROUTES_MAX) {
		ew_route_unref(route);
		return err_set(err, ERR_TOO_LARGE, "more than %d routes", EW_ROUTES_MAX);
	}
	put_route(builder, route);
	return true;
}

void ew_table_builder_remove_route(struct ew_table_builder *builder, struct str sni)
{
	ew_route_unref(map_remove(&builder->routes, sni));
}

bool ew_table_builder_has_route(const struct ew_table_builder *builder, struct str sni)
{
	return map_find(&builder->routes, sni) != NULL;
}

static bool fill_gateway(struct ew_table_builder *builder, const struct ew_gateway_spec *spec,
                         struct ew_gateway *gateway, struct err *err)
{
	if (spec->addr.port == 0)
		return err_set(err, ERR_INVALID, "port: must be 1 to 65535");
	if (spec->weight < 1 || spec->weight > EW_WEIGHT_MAX)
		return err_set(err, ERR_INVALID, "weight: must be 1 to %d", EW_WEIGHT_MAX);
	if (!ew_names_add(builder->names, spec->cluster, &gateway->cluster, err))
		return err_wrap(err, "cluster");
	gateway->addr = spec->addr;
	gateway->weight = spec->weight;
	gateway->mark = spec->mark;
	gateway->health = ew_health_get(builder->registry, &spec->addr);
	return true;
}

bool ew_table_builder_set_network(struct ew_table_builder *builder, struct str name,
                                  const struct ew_gateway_spec *gateways, size_t n, struct err *err)
{
	uint16_t id;
	if (name.len == 0)
		return err_set(err, ERR_INVALID, "name: is empty");
	if (n > EW_NETWORK_GATEWAYS_MAX)
		return err_set(err, ERR_TOO_LARGE, "gateways: more than %d",
		               EW_NETWORK_GATEWAYS_MAX);
	if (!ew_names_add(builder->names, name, &id, err))
		return err_wrap(err, "name");
	if (map_find(&builder->networks, name) == NULL &&
	    map_len(&builder->networks) >= EW_NETWORKS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d networks", EW_NETWORKS_MAX);
	struct ew_network *network = xcalloc(1, sizeof(*network));
	network->refs = 1;
	network->name = id;
	network->gateways = xcalloc(n + 1, sizeof(*network->gateways));
	for (size_t i = 0; i < n; i++) {
		if (!fill_gateway(builder, &gateways[i], &network->gateways[i], err)) {
			ew_network_unref(network);
			return err_wrap(err, "gateways[%zu]", i);
		}
		network->n_gateways++;
	}
	put_network(builder, network);
	return true;
}

void ew_table_builder_remove_network(struct ew_table_builder *builder, struct str name)
{
	ew_network_unref(map_remove(&builder->networks, name));
}

static int by_name(const void *a, const void *b)
{
	const struct ew_network *x = *(struct ew_network *const *)a;
	const struct ew_network *y = *(struct ew_network *const *)b;
	return x->name < y->name ? -1 : x->name > y->name;
}

struct ew_table *ew_table_builder_finish(struct ew_table_builder *builder)
{
	static _Atomic uint64_t last_version;
	struct ew_table *table = xcalloc(1, sizeof(*table));
	table->refs = 1;
	table->version = atomic_fetch_add(&last_version, 1) + 1;
	table->names = builder->names;
	builder->names = NULL;
	table->own_network = builder->own_network;
	table->own_cluster = builder->own_cluster;
	table->routes = xcalloc(map_len(&builder->routes) + 1, sizeof(*table->routes));
	map_for_each (it, &builder->routes)
		table->routes[table->n_routes++] = map_value(it);
	table->networks = xcalloc(map_len(&builder->networks) + 1, sizeof(*table->networks));
	map_for_each (it, &builder->networks)
		table->networks[table->n_networks++] = map_value(it);
	qsort(table->networks, table->n_networks, sizeof(struct ew_network *), by_name);
	/* the references are the table's now */
	map_fini(&builder->routes, NULL);
	map_fini(&builder->networks, NULL);
	ew_table_builder_destroy(builder);
	ew_table_index(table);
	return table;
}
