/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A builder begins with the old table's pages and copies one when it first changes something in it.
 * So the cost of a successor is in the number of pages, not of routes; only when routes have become
 * too many for their pages are all put into twice as many.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "table/table_priv.h"
#include "table/traffic.h"

struct ew_table_builder {
	struct ew_names *names;
	struct ew_health_registry *registry; /* borrowed */
	uint32_t n_routes;
	uint32_t n_pages;
	struct ew_page **pages;       /* one reference each */
	bool *own;                    /* of each page: made here, may be written */
	struct ew_network **networks; /* in order of name, one reference each */
	uint32_t n_networks;
	uint64_t networks_version; /* 0: changed here */
	uint64_t removals_version; /* 0: one was removed here */
	uint16_t own_network;
	uint16_t own_cluster;
	struct ew_ranges sources;
};

static void begin_with(struct ew_table_builder *builder, const struct ew_table *old)
{
	builder->names = ew_names_ref(old->names);
	builder->own_network = old->own_network;
	builder->own_cluster = old->own_cluster;
	builder->sources = ew_ranges_create(old->sources.list, old->sources.n);
	builder->n_routes = ew_table_n_routes(old);
	builder->n_pages = old->n_pages;
	builder->pages = xcalloc(old->n_pages, sizeof(*builder->pages));
	builder->own = xcalloc(old->n_pages, sizeof(*builder->own));
	for (uint32_t i = 0; i < old->n_pages; i++)
		builder->pages[i] = ew_page_ref(old->pages[i]);
	builder->n_networks = old->n_networks;
	builder->networks_version = old->networks_version;
	builder->removals_version = old->removals_version;
	builder->networks = xcalloc(EW_NETWORKS_MAX, sizeof(*builder->networks));
	for (uint32_t i = 0; i < old->n_networks; i++) {
		builder->networks[i] = old->networks[i];
		atomic_fetch_add_explicit(&old->networks[i]->refs, 1, memory_order_relaxed);
	}
}

static void begin_empty(struct ew_table_builder *builder)
{
	builder->names = ew_names_create();
	builder->n_pages = 1;
	builder->pages = xcalloc(1, sizeof(*builder->pages));
	builder->own = xcalloc(1, sizeof(*builder->own));
	builder->pages[0] = ew_page_create();
	builder->own[0] = true;
	builder->networks = xcalloc(EW_NETWORKS_MAX, sizeof(*builder->networks));
}

struct ew_table_builder *ew_table_builder_create(const struct ew_table *old,
                                                 struct ew_health_registry *registry)
{
	struct ew_table_builder *builder = xcalloc(1, sizeof(*builder));
	builder->registry = registry;
	if (old != NULL)
		begin_with(builder, old);
	else
		begin_empty(builder);
	return builder;
}

void ew_table_builder_destroy(struct ew_table_builder *builder)
{
	if (builder == NULL)
		return;
	for (uint32_t i = 0; i < builder->n_pages; i++)
		ew_page_unref(builder->pages[i]);
	for (uint32_t i = 0; i < builder->n_networks; i++)
		ew_network_unref(builder->networks[i]);
	free(builder->pages);
	free(builder->own);
	free(builder->networks);
	ew_ranges_fini(&builder->sources);
	ew_names_unref(builder->names);
	free(builder);
}

void ew_table_builder_set_sources(struct ew_table_builder *builder, const struct cidr *list,
                                  size_t n)
{
	ew_ranges_fini(&builder->sources);
	builder->sources = ew_ranges_create(list, n);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* The page of a hash, to be written. */
static struct ew_page *page_to_write(struct ew_table_builder *builder, uint32_t hash)
{
	uint32_t i = hash & (builder->n_pages - 1);
	if (!builder->own[i]) {
		struct ew_page *old = builder->pages[i];
		builder->pages[i] = ew_page_copy(old);
		builder->own[i] = true;
		ew_page_unref(old);
	}
	return builder->pages[i];
}

static const struct ew_route *find_route(const struct ew_table_builder *builder, struct str sni)
{
	uint32_t hash = ew_table_hash(sni);
	return ew_page_find(builder->pages[hash & (builder->n_pages - 1)], hash, sni);
}

/* All routes into twice as many pages. */
static void spread(struct ew_table_builder *builder)
{
	uint32_t n_old = builder->n_pages;
	struct ew_page **old = builder->pages;
	builder->n_pages *= 2;
	builder->pages = xcalloc(builder->n_pages, sizeof(struct ew_page *));
	builder->own = xrealloc(builder->own, builder->n_pages * sizeof(*builder->own));
	for (uint32_t i = 0; i < builder->n_pages; i++) {
		builder->pages[i] = ew_page_create();
		builder->own[i] = true;
	}
	for (uint32_t i = 0; i < n_old; i++) {
		for (uint32_t k = 0; k < old[i]->n; k++) {
			struct ew_route *route = old[i]->routes[k];
			atomic_fetch_add_explicit(&route->refs, 1, memory_order_relaxed);
			ew_page_put(builder->pages[route->hash & (builder->n_pages - 1)], route);
		}
		ew_page_unref(old[i]);
	}
	free(old);
}

static void put_route(struct ew_table_builder *builder, struct ew_route *route)
{
	if (builder->n_routes >= builder->n_pages * EW_PAGE_ROUTES)
		spread(builder);
	builder->n_routes += ew_page_put(page_to_write(builder, route->hash), route);
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

/* A route and where its networks are. */
struct place {
	const struct ew_table_builder *builder;
	const struct ew_route *route;
};

static bool is_gateway_of(const struct ew_network *network, const struct addr *addr)
{
	for (uint32_t i = 0; i < network->n_gateways; i++) {
		if (addr_eq(&network->gateways[i].addr, addr))
			return true;
	}
	return false;
}

/* Only for addresses that failed: there are few. */
static bool is_there(const struct addr *addr, void *arg)
{
	const struct place *place = arg;
	for (uint32_t i = 0; i < place->route->n_endpoints; i++) {
		const struct ew_endpoint *endpoint = &place->route->endpoints[i];
		if (endpoint->network == EW_NAME_NONE && endpoint->port == addr->port &&
		    ip_eq(&endpoint->ip, &addr->ip))
			return true;
	}
	for (uint32_t i = 0; i < place->builder->n_networks; i++) {
		if (is_gateway_of(place->builder->networks[i], addr))
			return true;
	}
	return false;
}

/* What goes on at a route goes on at its successor. */
static void inherit(struct ew_table_builder *builder, struct ew_route *route,
                    const struct ew_route *old)
{
	struct place place = {builder, route};
	route->traffic = old != NULL ? ew_traffic_ref(old->traffic) : ew_traffic_create();
	ew_traffic_adopt(route->traffic, &route->policy.outlier, is_there, &place);
}

bool ew_table_builder_set_route(struct ew_table_builder *builder, const struct ew_route_spec *spec,
                                struct err *err)
{
	struct ew_route *route;
	if (!ew_route_create(spec, builder->names, &route, err))
		return false;
	const struct ew_route *old = find_route(builder, str_make(route->sni, route->sni_len));
	if (old == NULL && builder->n_routes >= EW_ROUTES_MAX) {
		ew_route_unref(route);
		return err_set(err, ERR_TOO_LARGE, "more than %d routes", EW_ROUTES_MAX);
	}
	inherit(builder, route, old);
	put_route(builder, route);
	return true;
}

void ew_table_builder_remove_route(struct ew_table_builder *builder, struct str sni)
{
	uint32_t hash = ew_table_hash(sni);
	if (find_route(builder, sni) == NULL)
		return;
	builder->removals_version = 0;
	builder->n_routes -= ew_page_remove(page_to_write(builder, hash), hash, sni);
}

bool ew_table_builder_has_route(const struct ew_table_builder *builder, struct str sni)
{
	return find_route(builder, sni) != NULL;
}

/* --- networks --------------------------------------------------------------------------------- */

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

/* Takes over a reference. */
static void put_network(struct ew_table_builder *builder, struct ew_network *network)
{
	uint32_t n = builder->n_networks;
	uint32_t at = ew_table_network_place(builder->networks, n, network->name);
	struct ew_network **place = &builder->networks[at];
	builder->networks_version = 0;
	if (at < n && (*place)->name == network->name) {
		ew_network_unref(*place);
	} else {
		memmove(place + 1, place, (n - at) * sizeof(*place));
		builder->n_networks++;
	}
	*place = network;
}

static bool has_network(const struct ew_table_builder *builder, uint16_t name)
{
	uint32_t n = builder->n_networks;
	uint32_t at = ew_table_network_place(builder->networks, n, name);
	return at < n && builder->networks[at]->name == name;
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
	if (!has_network(builder, id) && builder->n_networks >= EW_NETWORKS_MAX)
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
	uint16_t id = ew_names_find(builder->names, name);
	if (!has_network(builder, id))
		return;
	uint32_t at = ew_table_network_place(builder->networks, builder->n_networks, id);
	struct ew_network **place = &builder->networks[at];
	ew_network_unref(*place);
	builder->n_networks--;
	builder->networks_version = 0;
	memmove(place, place + 1, (builder->n_networks - at) * sizeof(*place));
}

/* --- the table -------------------------------------------------------------------------------- */

static uint32_t *count_pages(const struct ew_table_builder *builder)
{
	uint32_t *first = xcalloc(builder->n_pages + 1, sizeof(*first));
	for (uint32_t i = 0; i < builder->n_pages; i++)
		first[i + 1] = first[i] + builder->pages[i]->n;
	return first;
}

struct ew_table *ew_table_builder_finish(struct ew_table_builder *builder)
{
	static _Atomic uint64_t last_version;
	struct ew_table *table = xcalloc(1, sizeof(*table));
	table->refs = 1;
	table->version = atomic_fetch_add(&last_version, 1) + 1;
	table->networks_version =
		builder->networks_version != 0 ? builder->networks_version : table->version;
	table->removals_version =
		builder->removals_version != 0 ? builder->removals_version : table->version;
	table->names = builder->names;
	table->own_network = builder->own_network;
	table->own_cluster = builder->own_cluster;
	table->sources = builder->sources;
	table->n_pages = builder->n_pages;
	table->first = count_pages(builder);
	table->pages = builder->pages;
	table->n_networks = builder->n_networks;
	table->networks =
		xrealloc(builder->networks, (builder->n_networks + 1) * sizeof(*table->networks));
	free(builder->own);
	free(builder);
	return table;
}
