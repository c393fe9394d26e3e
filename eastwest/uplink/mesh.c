/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/mesh.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "uplink/burst.h"

enum {
	ADDRESSES_MAX = 64, /* of one host name */
	SNI_TEXT_MAX = EW_NAME_LEN_MAX + 32
};

struct ew_mesh {
	struct ew_health_registry *registry;
	struct addr canary;
	struct map networks; /* name to struct xds_network, owned */
	struct xds_peers peers;
	char *version;
	char *network;
	char *cluster;
	struct ew_ranges sources;
};

/* --- life ------------------------------------------------------------------------------------- */

struct ew_mesh *ew_mesh_create(struct ew_health_registry *registry, const struct addr *canary)
{
	struct ew_mesh *mesh = xcalloc(1, sizeof(*mesh));
	mesh->registry = registry;
	mesh->canary = *canary;
	mesh->version = xstrdup("");
	mesh->network = xstrdup("");
	mesh->cluster = xstrdup("");
	return mesh;
}

static void free_network(void *value)
{
	struct xds_network *network = value;
	if (network == NULL)
		return;
	xds_network_fini(network);
	free(network);
}

void ew_mesh_destroy(struct ew_mesh *mesh)
{
	if (mesh == NULL)
		return;
	map_fini(&mesh->networks, free_network);
	xds_peers_fini(&mesh->peers);
	free(mesh->version);
	free(mesh->network);
	free(mesh->cluster);
	ew_ranges_fini(&mesh->sources);
	free(mesh);
}

/* --- what is remembered ----------------------------------------------------------------------- */

static void move_text(char **to, char **from)
{
	free(*to);
	*to = *from;
	*from = xstrdup("");
}

static void take_network(struct ew_mesh *mesh, struct ew_burst_network *from)
{
	struct str name = str_from(from->name);
	if (!from->present) {
		free_network(map_remove(&mesh->networks, name));
		return;
	}
	free_network(
		map_set(&mesh->networks, name, xmemdup(&from->network, sizeof(from->network))));
	from->network = (struct xds_network){0};
}

void ew_mesh_take(struct ew_mesh *mesh, struct ew_burst *burst)
{
	if (burst->whole)
		map_fini(&mesh->networks, free_network);
	for (size_t i = 0; i < burst->n_networks; i++)
		take_network(mesh, &burst->networks[i]);
	if (burst->has_peers) {
		xds_peers_fini(&mesh->peers);
		mesh->peers = burst->peers;
		burst->peers = (struct xds_peers){0};
	}
	move_text(&mesh->version, &burst->version);
	move_text(&mesh->network, &burst->network);
	move_text(&mesh->cluster, &burst->cluster);
	ew_ranges_fini(&mesh->sources);
	mesh->sources = burst->sources;
	burst->sources = (struct ew_ranges){NULL, 0};
}

size_t ew_mesh_hosts(const struct ew_mesh *mesh, struct str **ret_hosts)
{
	struct str *hosts = NULL;
	size_t n = 0;
	struct ip ip;
	map_for_each (it, &mesh->networks) {
		const struct xds_network *network = map_value(it);
		hosts = xrealloc(hosts, (n + network->n_gateways + 1) * sizeof(*hosts));
		for (size_t i = 0; i < network->n_gateways; i++) {
			struct str host = str_from(network->gateways[i].address);
			if (!ip_parse(host, &ip))
				hosts[n++] = host;
		}
	}
	*ret_hosts = hosts;
	return n;
}

bool ew_mesh_has_peer(const struct ew_mesh *mesh, const char *cluster)
{
	for (size_t i = 0; i < mesh->peers.n_clusters; i++) {
		if (strcmp(mesh->peers.clusters[i], cluster) == 0)
			return true;
	}
	return false;
}

const char *ew_mesh_version(const struct ew_mesh *mesh)
{
	return mesh->version;
}

/* --- routes ----------------------------------------------------------------------------------- */

/* "region/zone/subzone" without empty ends. */
static char *locality_text(const struct xds_locality *locality)
{
	const char *parts[] = {locality->region, locality->zone, locality->subzone};
	size_t n = N_ELEMS(parts);
	struct buf text;
	while (n > 0 && (parts[n - 1] == NULL || parts[n - 1][0] == '\0'))
		n--;
	buf_init(&text, EW_NAME_LEN_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i > 0 ? "/" : "", parts[i] != NULL ? parts[i] : "");
	/* longer ones are cut: they only have to be told apart */
	char *result = xstrdup(buf_text(&text));
	buf_fini(&text);
	return result;
}

/* A route on its way into a table; texts are borrowed from the burst but for localities. */
struct draft {
	struct ew_endpoint_spec *endpoints;
	size_t n_endpoints;
	struct ew_group_weight *weights;
	size_t n_weights;
	char **localities;
	size_t n_localities;
};

static void draft_locality(struct draft *draft, const struct xds_locality *from)
{
	struct str name;
	draft->localities[draft->n_localities] = locality_text(from);
	name = str_from(draft->localities[draft->n_localities++]);
	if (from->weight > 0)
		draft->weights[draft->n_weights++] =
			(struct ew_group_weight){name, from->priority, from->weight};
	for (size_t i = 0; i < from->n_endpoints; i++) {
		const struct xds_endpoint *endpoint = &from->endpoints[i];
		draft->endpoints[draft->n_endpoints++] = (struct ew_endpoint_spec){
			.addr = endpoint->addr,
			.network = str_from(endpoint->network),
			.cluster = str_from(endpoint->cluster),
			.locality = name,
			.priority = from->priority,
			.weight = endpoint->weight,
			.healthy = endpoint->healthy && !endpoint->draining,
		};
	}
}

static void draft_init(struct draft *draft, const struct xds_assignment *from)
{
	size_t total = 0;
	for (size_t i = 0; i < from->n_localities; i++)
		total += from->localities[i].n_endpoints;
	*draft = (struct draft){
		.endpoints = xcalloc(total + 1, sizeof(*draft->endpoints)),
		.weights = xcalloc(from->n_localities + 1, sizeof(*draft->weights)),
		.localities = xcalloc(from->n_localities + 1, sizeof(*draft->localities)),
	};
	for (size_t i = 0; i < from->n_localities; i++)
		draft_locality(draft, &from->localities[i]);
}

static void draft_fini(struct draft *draft)
{
	for (size_t i = 0; i < draft->n_localities; i++)
		free(draft->localities[i]);
	free(draft->endpoints);
	free(draft->weights);
	free(draft->localities);
}

static bool put_route(struct ew_table_builder *builder, const struct ew_burst_route *route,
                      struct err *err)
{
	struct draft draft;
	if (!route->present) {
		ew_table_builder_remove_route(builder, str_from(route->sni));
		return true;
	}
	draft_init(&draft, &route->assignment);
	struct ew_route_spec spec = ew_burst_spec(&route->cluster);
	spec.endpoints = draft.endpoints;
	spec.n_endpoints = draft.n_endpoints;
	spec.weights = draft.weights;
	spec.n_weights = draft.n_weights;
	bool ok =
		ew_table_builder_set_route(builder, &spec, err) || err_wrap(err, "%s", route->sni);
	draft_fini(&draft);
	return ok;
}

/* The built-in name under which this gateway proves itself. */
static bool put_canary(const struct ew_mesh *mesh, struct ew_table_builder *builder,
                       const struct ew_table *old, struct err *err)
{
	char sni[SNI_TEXT_MAX];
	const char *before = old != NULL ? ew_table_own_network(old) : "";
	const char *cluster = old != NULL ? ew_table_own_cluster(old) : "";
	if (before[0] != '\0' && strcmp(before, mesh->network) != 0) {
		snprintf(sni, sizeof(sni), EW_CANARY_SNI, before);
		ew_table_builder_remove_route(builder, str_from(sni));
	}
	if (mesh->network[0] == '\0')
		return true;
	snprintf(sni, sizeof(sni), EW_CANARY_SNI, mesh->network);
	if (ew_table_builder_has_route(builder, str_from(sni)) &&
	    strcmp(cluster, mesh->cluster) == 0)
		return true;
	struct ew_endpoint_spec endpoint = {
		.addr = mesh->canary,
		.cluster = str_from(mesh->cluster),
		.weight = 1,
		.healthy = true,
	};
	struct ew_route_spec spec = {
		.sni = str_from(sni), .exposed = true, .endpoints = &endpoint, .n_endpoints = 1};
	return ew_table_builder_set_route(builder, &spec, err);
}

/* --- networks --------------------------------------------------------------------------------- */

struct gateways {
	struct ew_gateway_spec *list;
	size_t n;
};

/* One spec an address. */
static void add_gateway(struct gateways *gateways, const struct xds_gateway *from,
                        const struct ew_mesh_parts *parts)
{
	struct ip ips[ADDRESSES_MAX];
	struct str host = str_from(from->address);
	size_t n = 1;
	if (!ip_parse(host, &ips[0]))
		n = parts->resolve != NULL
		            ? parts->resolve(host, ips, ADDRESSES_MAX, parts->resolve_arg)
		            : 0;
	gateways->list = xrealloc(gateways->list, (gateways->n + n + 1) * sizeof(*gateways->list));
	for (size_t i = 0; i < n; i++)
		gateways->list[gateways->n++] = (struct ew_gateway_spec){
			.addr = {ips[i], from->port},
			.cluster = str_from(from->cluster),
			.weight = from->weight,
			.mark = from->mark,
		};
}

static bool put_network(struct ew_table_builder *builder, const struct xds_network *network,
                        const struct ew_mesh_parts *parts, struct err *err)
{
	struct gateways gateways = {0};
	for (size_t i = 0; i < network->n_gateways; i++)
		add_gateway(&gateways, &network->gateways[i], parts);
	bool ok = ew_table_builder_set_network(builder, str_from(network->name), gateways.list,
	                                       gateways.n, err) ||
	          err_wrap(err, "network '%s'", network->name);
	free(gateways.list);
	return ok;
}

static void remove_gone_networks(const struct ew_mesh *mesh, struct ew_table_builder *builder,
                                 const struct ew_table *old)
{
	for (uint32_t i = 0; i < ew_table_n_networks(old); i++) {
		struct str name = str_from(
			ew_names_text(ew_table_names(old), ew_table_network_at(old, i)->name));
		if (map_find(&mesh->networks, name) == NULL)
			ew_table_builder_remove_network(builder, name);
	}
}

/* How many were left out. */
static size_t put_networks(const struct ew_mesh *mesh, struct ew_table_builder *builder,
                           const struct ew_mesh_parts *parts, const struct ew_table *old,
                           struct err *err)
{
	size_t left_out = 0;
	if (old != NULL)
		remove_gone_networks(mesh, builder, old);
	map_for_each (it, &mesh->networks)
		left_out += !put_network(builder, map_value(it), parts, err);
	return left_out;
}

/* --- the table -------------------------------------------------------------------------------- */

struct ew_table *ew_mesh_table(const struct ew_mesh *mesh, const struct ew_mesh_parts *parts,
                               size_t *ret_left_out, struct err *err)
{
	bool anew = parts->burst != NULL && parts->burst->whole;
	const struct ew_table *old = anew ? NULL : parts->old;
	struct ew_table_builder *builder = ew_table_builder_create(old, mesh->registry);
	size_t n = parts->burst != NULL ? parts->burst->n_routes : 0;
	size_t left_out = 0;
	left_out += !ew_table_builder_set_self(builder, str_from(mesh->network),
	                                       str_from(mesh->cluster), err);
	ew_table_builder_set_sources(builder, mesh->sources.list, mesh->sources.n);
	if (old == NULL || parts->burst == NULL || parts->burst->n_networks > 0)
		left_out += put_networks(mesh, builder, parts, old, err);
	for (size_t i = 0; i < n; i++)
		left_out += !put_route(builder, &parts->burst->routes[i], err);
	left_out += !put_canary(mesh, builder, old, err);
	*ret_left_out = left_out;
	return ew_table_builder_finish(builder);
}
