/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structs of xds/ own their texts in general, but encoding only reads them, so what lives in
 * the view is lent without a copy.
 */
#include "encode.h"

#include "base/alloc.h"
#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/network.h"

static enum xds_lb lb_of(enum lb_kind kind)
{
	switch (kind) {
	case LB_DEFAULT:
	case LB_PASSTHROUGH:
	case LB_ROUND_ROBIN:
		return XDS_LB_ROUND_ROBIN;
	case LB_LEAST_REQUEST:
		return XDS_LB_LEAST_REQUEST;
	case LB_RANDOM:
		return XDS_LB_RANDOM;
	case LB_SOURCE_IP:
		return XDS_LB_SOURCE_IP;
	}
	UNREACHABLE("lb_kind");
}

struct xds_resource *encode_cluster(const struct view_route *route, struct err *err)
{
	const struct outlier *outlier = &route->policy.outlier;
	struct xds_cluster cluster = {
		.sni = str_lend(route->sni),
		.service = str_lend(route->service),
		.port_name = str_lend(route->port_name),
		.exposed = route->exposed,
		.weighted = route->weighted,
		.lb = lb_of(route->policy.lb),
		.connect_timeout_ms = route->policy.tcp.connect_timeout_ms,
		.idle_timeout_ms = route->policy.tcp.idle_timeout_ms,
		.max_connections = route->policy.tcp.max_connections,
		.panic_percent = route->panic_percent,
	};
	if (outlier->present)
		cluster.outlier = (struct xds_outlier){
			.consecutive = outlier->consecutive,
			.interval_ms = outlier->interval_ms,
			.base_ejection_ms = outlier->base_ejection_ms,
			.max_ejection_percent = outlier->max_ejection_percent,
		};
	return xds_cluster_encode(&cluster, err);
}

static void lend_group(const struct view_group *group, struct xds_locality *to,
                       struct xds_endpoint *endpoints)
{
	*to = (struct xds_locality){
		.region = str_lend(group->locality->region),
		.zone = str_lend(group->locality->zone),
		.subzone = str_lend(group->locality->subzone),
		.priority = group->priority,
		.weight = group->weight,
		.endpoints = endpoints,
		.n_endpoints = group->n_endpoints,
	};
	for (size_t i = 0; i < group->n_endpoints; i++) {
		const struct view_endpoint *from = &group->endpoints[i];
		endpoints[i] = (struct xds_endpoint){
			.network = from->remote ? str_lend(from->network) : NULL,
			.cluster = str_lend(from->cluster),
			.addr = {.ip = from->ip, .port = from->port},
			.weight = from->weight,
			.healthy = from->ready,
		};
	}
}

struct xds_resource *encode_assignment(const struct view_route *route, struct err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < route->n_groups; i++)
		n += route->groups[i].n_endpoints;
	struct xds_endpoint *endpoints = xcalloc(n + 1, sizeof(*endpoints));
	struct xds_locality *localities = xcalloc(route->n_groups + 1, sizeof(*localities));
	size_t used = 0;
	for (size_t i = 0; i < route->n_groups; i++) {
		lend_group(&route->groups[i], &localities[i], endpoints + used);
		used += route->groups[i].n_endpoints;
	}
	struct xds_assignment assignment = {
		.sni = str_lend(route->sni),
		.weighted_health = true,
		.localities = localities,
		.n_localities = route->n_groups,
	};
	struct xds_resource *resource = xds_assignment_encode(&assignment, err);
	free(localities);
	free(endpoints);
	return resource;
}

/* Addresses that everybody finds dead are told all the same: whoever gets a Network checks its
 * addresses itself, and only who still checks a dead one can report that it lives again. */
struct xds_resource *encode_network(const struct mesh_network *network, struct err *err)
{
	struct xds_gateway *gateways = xcalloc(network->n_gateways + 1, sizeof(*gateways));
	size_t n = 0;
	for (size_t i = 0; i < network->n_gateways; i++) {
		const struct mesh_gateway *from = &network->gateways[i];
		gateways[n++] = (struct xds_gateway){
			.name = str_lend(from->name),
			.cluster = str_lend(from->cluster),
			.address = str_lend(from->address),
			.port = from->port,
			.weight = from->weight > 0 ? from->weight : 1,
			.mark = from->mark,
		};
	}
	struct xds_network encoded = {
		.name = str_lend(network->name), .gateways = gateways, .n_gateways = n};
	struct xds_resource *resource = xds_network_encode(&encoded, err);
	free(gateways);
	return resource;
}

struct xds_resource *encode_peers(const struct view *view, struct err *err)
{
	char **clusters = xcalloc(view->n_peers + 1, sizeof(*clusters));
	for (size_t i = 0; i < view->n_peers; i++)
		clusters[i] = str_lend(view->peers[i]);
	struct xds_peers peers = {.clusters = clusters, .n_clusters = view->n_peers};
	struct xds_resource *resource = xds_peers_encode(&peers, err);
	free(clusters);
	return resource;
}
