/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/burst.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"

/* --- judgement -------------------------------------------------------------------------------- */

static bool check_name(const struct xds_resource *resource, struct err *err)
{
	if (resource->name.len > EW_NAME_LEN_MAX)
		return err_set(err, ERR_INVALID, "the name has more than %d characters",
		               EW_NAME_LEN_MAX);
	if (str_starts_with(resource->name, STR_LIT("_canary.")))
		return err_set(err, ERR_INVALID, "canary names are answered by the gateway itself");
	return true;
}

struct ew_route_spec ew_burst_spec(const struct xds_cluster *cluster)
{
	static const enum ew_lb balancers[] = {
		[XDS_LB_ROUND_ROBIN] = EW_LB_ROUND_ROBIN,
		[XDS_LB_LEAST_REQUEST] = EW_LB_LEAST_CONNECTIONS,
		[XDS_LB_RANDOM] = EW_LB_RANDOM,
		[XDS_LB_SOURCE_IP] = EW_LB_SOURCE_IP,
	};
	return (struct ew_route_spec){
		.sni = str_from(cluster->sni),
		.exposed = cluster->exposed,
		.weighted = cluster->weighted,
		.connect_ms = cluster->connect_timeout_ms,
		.idle_ms = cluster->idle_timeout_ms,
		.policy =
			{
				.lb = balancers[cluster->lb],
				.max_connections = cluster->max_connections,
				.panic_percent = cluster->panic_percent,
				.outlier = {cluster->outlier.consecutive,
	                                    cluster->outlier.interval_ms,
	                                    cluster->outlier.base_ejection_ms,
	                                    cluster->outlier.max_ejection_percent},
			},
	};
}

static bool check_cluster(const struct xds_resource *resource, struct err *err)
{
	struct xds_cluster cluster;
	if (!xds_cluster_decode(resource->bytes, &cluster, err))
		return false;
	bool ok = str_is(resource->name, cluster.sni) ||
	          err_set(err, ERR_INVALID, "the cluster's name is not the resource's");
	if (ok) {
		struct ew_route_spec spec = ew_burst_spec(&cluster);
		ok = ew_route_spec_check(&spec, err) && check_name(resource, err);
	}
	xds_cluster_fini(&cluster);
	return ok;
}

static bool is_short(const char *text)
{
	return text == NULL || strlen(text) <= EW_NAME_LEN_MAX;
}

static bool check_endpoint(const struct xds_endpoint *endpoint, struct err *err)
{
	if (endpoint->weight < 1 || endpoint->weight > EW_WEIGHT_MAX)
		return err_set(err, ERR_INVALID, "weight: must be 1 to %d", EW_WEIGHT_MAX);
	if (endpoint->network == NULL && endpoint->addr.port == 0)
		return err_set(err, ERR_INVALID, "port: must be 1 to 65535");
	if (!is_short(endpoint->network) || !is_short(endpoint->cluster))
		return err_set(err, ERR_INVALID, "network and cluster have at most %d characters",
		               EW_NAME_LEN_MAX);
	return true;
}

static bool check_localities(const struct xds_assignment *assignment, struct err *err)
{
	size_t total = 0;
	for (size_t i = 0; i < assignment->n_localities; i++) {
		const struct xds_locality *locality = &assignment->localities[i];
		if (locality->weight > EW_WEIGHT_MAX)
			return err_set(err, ERR_INVALID, "endpoints[%zu].weight: at most %d", i,
			               EW_WEIGHT_MAX);
		total += locality->n_endpoints;
		for (size_t k = 0; k < locality->n_endpoints; k++) {
			if (!check_endpoint(&locality->endpoints[k], err))
				return err_wrap(err, "endpoints[%zu].lb_endpoints[%zu]", i, k);
		}
	}
	if (total > EW_ROUTE_ENDPOINTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "endpoints: more than %d",
		               EW_ROUTE_ENDPOINTS_MAX);
	return true;
}

static bool check_assignment(const struct xds_resource *resource, struct err *err)
{
	struct xds_assignment assignment;
	if (!check_name(resource, err) || !xds_assignment_decode(resource->bytes, &assignment, err))
		return false;
	bool ok = check_localities(&assignment, err);
	xds_assignment_fini(&assignment);
	return ok;
}

static bool check_gateways(const struct xds_network *network, struct err *err)
{
	if (network->n_gateways > EW_NETWORK_GATEWAYS_MAX)
		return err_set(err, ERR_TOO_LARGE, "gateways: more than %d",
		               EW_NETWORK_GATEWAYS_MAX);
	for (size_t i = 0; i < network->n_gateways; i++) {
		const struct xds_gateway *gateway = &network->gateways[i];
		if (gateway->port == 0)
			return err_set(err, ERR_INVALID, "gateways[%zu].port: must be 1 to 65535",
			               i);
		if (gateway->weight < 1 || gateway->weight > EW_WEIGHT_MAX)
			return err_set(err, ERR_INVALID, "gateways[%zu].weight: must be 1 to %d", i,
			               EW_WEIGHT_MAX);
		if (gateway->address == NULL || !is_short(gateway->address) ||
		    !is_short(gateway->cluster))
			return err_set(err, ERR_INVALID,
			               "gateways[%zu]: address and cluster have at most %d "
			               "characters",
			               i, EW_NAME_LEN_MAX);
	}
	return true;
}

static bool check_network(const struct xds_resource *resource, struct err *err)
{
	struct xds_network network;
	if (!check_name(resource, err) ||
	    !xds_network_decode(resource->name, resource->bytes, &network, err))
		return false;
	bool ok = check_gateways(&network, err);
	xds_network_fini(&network);
	return ok;
}

static bool check_peers(const struct xds_resource *resource, struct err *err)
{
	struct xds_peers peers;
	/* of two, nobody could say which is in force */
	if (!str_is(resource->name, "default"))
		return err_set(err, ERR_INVALID, "peers are one resource, named 'default'");
	if (!xds_peers_decode(resource->bytes, &peers, err))
		return false;
	xds_peers_fini(&peers);
	return true;
}

bool ew_burst_check(const struct xds_resource *resource, void *arg, struct err *err)
{
	(void)arg;
	switch (resource->type) {
	case XDS_CLUSTER:
		return check_cluster(resource, err);
	case XDS_ASSIGNMENT:
		return check_assignment(resource, err);
	case XDS_NETWORK:
		return check_network(resource, err);
	case XDS_PEERS:
		return check_peers(resource, err);
	case XDS_LISTENER:
	case XDS_SNAPSHOT:
		return true;
	}
	return true;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Held resources were checked, so decoding them again cannot fail; if it does, they count as not
 * there. */
static void add_route(struct ew_burst *burst, const struct xds_delta_client *client, struct str sni)
{
	struct ew_burst_route *route = &burst->routes[burst->n_routes++];
	struct xds_resource *cluster = xds_delta_client_find(client, XDS_CLUSTER, sni);
	struct xds_resource *assignment = xds_delta_client_find(client, XDS_ASSIGNMENT, sni);
	struct err err;
	route->sni = str_dup(sni);
	route->present =
		cluster != NULL && xds_cluster_decode(cluster->bytes, &route->cluster, &err);
	if (!route->present || assignment == NULL)
		return;
	if (!xds_assignment_decode(assignment->bytes, &route->assignment, &err))
		route->assignment = (struct xds_assignment){0};
}

static void add_network(struct ew_burst *burst, struct str name,
                        const struct xds_resource *resource)
{
	struct ew_burst_network *network = &burst->networks[burst->n_networks++];
	struct err err;
	network->name = str_dup(name);
	network->present = resource != NULL &&
	                   xds_network_decode(name, resource->bytes, &network->network, &err);
}

static void set_peers(struct ew_burst *burst, const struct xds_resource *resource)
{
	struct err err;
	burst->has_peers = true;
	if (resource == NULL || !xds_peers_decode(resource->bytes, &burst->peers, &err))
		burst->peers = (struct xds_peers){0};
}

struct filler {
	struct ew_burst *burst;
	const struct xds_delta_client *client;
};

static void add_held(struct xds_resource *resource, void *arg)
{
	struct filler *filler = arg;
	if (resource->type == XDS_CLUSTER)
		add_route(filler->burst, filler->client, resource->name);
	else if (resource->type == XDS_NETWORK)
		add_network(filler->burst, resource->name, resource);
	else if (resource->type == XDS_PEERS)
		set_peers(filler->burst, resource);
}

static void fill_whole(struct ew_burst *burst, const struct xds_delta_client *client)
{
	struct filler filler = {burst, client};
	burst->whole = true;
	burst->routes =
		xcalloc(xds_delta_client_len(client, XDS_CLUSTER) + 1, sizeof(*burst->routes));
	burst->networks =
		xcalloc(xds_delta_client_len(client, XDS_NETWORK) + 1, sizeof(*burst->networks));
	burst->has_peers = true;
	xds_delta_client_for_each(client, add_held, &filler);
}

static void fill_changes(struct ew_burst *burst, const struct xds_delta_client *client)
{
	size_t n;
	const struct xds_change *changes = xds_delta_client_changes(client, &n);
	struct map seen = MAP_EMPTY;
	burst->routes = xcalloc(n + 1, sizeof(*burst->routes));
	burst->networks = xcalloc(n + 1, sizeof(*burst->networks));
	for (size_t i = 0; i < n; i++) {
		const struct xds_change *change = &changes[i];
		if (change->type == XDS_NETWORK)
			add_network(burst, change->name, change->resource);
		else if (change->type == XDS_PEERS)
			set_peers(burst, change->resource);
		else if ((change->type == XDS_CLUSTER || change->type == XDS_ASSIGNMENT) &&
		         map_add(&seen, change->name))
			add_route(burst, client, change->name);
	}
	map_fini(&seen, NULL);
}

static char *own_text(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

struct ew_burst *ew_burst_create(const struct xds_delta_client *client, bool whole)
{
	struct ew_burst *burst = xcalloc(1, sizeof(*burst));
	const struct xds_snapshot *snapshot = xds_delta_client_snapshot(client);
	burst->version = own_text(snapshot->version);
	burst->network = own_text(snapshot->network);
	burst->cluster = own_text(snapshot->cluster);
	burst->sources = ew_ranges_create(snapshot->source_ranges, snapshot->n_source_ranges);
	if (whole)
		fill_whole(burst, client);
	else
		fill_changes(burst, client);
	return burst;
}

void ew_burst_destroy(struct ew_burst *burst)
{
	if (burst == NULL)
		return;
	for (size_t i = 0; i < burst->n_routes; i++) {
		free(burst->routes[i].sni);
		xds_cluster_fini(&burst->routes[i].cluster);
		xds_assignment_fini(&burst->routes[i].assignment);
	}
	for (size_t i = 0; i < burst->n_networks; i++) {
		free(burst->networks[i].name);
		xds_network_fini(&burst->networks[i].network);
	}
	free(burst->routes);
	free(burst->networks);
	xds_peers_fini(&burst->peers);
	free(burst->version);
	free(burst->network);
	free(burst->cluster);
	ew_ranges_fini(&burst->sources);
	free(burst);
}
