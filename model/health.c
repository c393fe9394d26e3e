/* SPDX-License-Identifier: Apache-2.0 */
#include "model/health.h"

#include "base/macros.h"
#include "model/sni.h"

static const struct {
	const char *text;
	const char *code;
} rows[] = {
	[HEALTH_OK] = {"Healthy", ""},
	[HEALTH_NOT_READY] = {"NotReady", "FED-131"},
	[HEALTH_REFUSING] = {"NotAnswering", "FED-132"},
	[HEALTH_NO_GATEWAY] = {"NoGateway", "FED-104"},
	[HEALTH_DEAD] = {"GatewayDead", "FED-103"},
};

const char *health_text(enum health health)
{
	return rows[health].text;
}

const char *health_code(enum health health)
{
	return rows[health].code;
}

/* An address typed on the group serves all its clusters. */
static bool is_of_cluster(const struct mesh_gateway *gateway, const char *cluster)
{
	return gateway->cluster[0] == '\0' || strcmp(gateway->cluster, cluster) == 0;
}

static bool has_live_of(const struct mesh_network *network, const char *cluster)
{
	for (size_t i = 0; i < network->n_gateways; i++) {
		if (network->gateways[i].live && is_of_cluster(&network->gateways[i], cluster))
			return true;
	}
	return false;
}

bool health_uses_gateway(const struct mesh_network *network, const struct mesh_gateway *gateway,
                         const char *cluster)
{
	return gateway->live && (is_of_cluster(gateway, cluster) || !has_live_of(network, cluster));
}

enum health health_of_network(const struct mesh_network *network, const char *cluster)
{
	if (network == NULL || network->n_gateways == 0)
		return HEALTH_NO_GATEWAY;
	for (size_t i = 0; i < network->n_gateways; i++) {
		if (health_uses_gateway(network, &network->gateways[i], cluster))
			return HEALTH_OK;
	}
	return HEALTH_DEAD;
}

enum health health_of_endpoint(const struct view *view, const struct view_endpoint *endpoint)
{
	enum health network = HEALTH_OK;

	if (endpoint->remote)
		network = health_of_network(tree_find(view->networks, str_from(endpoint->network)),
		                            endpoint->cluster);
	if (network != HEALTH_OK)
		return network;
	if (endpoint->refusing)
		return HEALTH_REFUSING;
	return endpoint->ready ? HEALTH_OK : HEALTH_NOT_READY;
}

/* On every port, whatever the subset of the others. */
static bool answers_nowhere(const struct mesh_service *service, const char *network)
{
	char sni[SNI_MAX + 1];

	for (size_t i = 0; i < service->n_ports; i++) {
		if (!sni_format(service->ports[i].number, STR_LIT(""), str_from(service->host),
		                sni) ||
		    mesh_find_outage(service, network, sni) == NULL)
			return false;
	}
	return service->outages.n > 0;
}

uint32_t health_ready_of_part(const struct mesh *mesh, const struct mesh_service *service,
                              const struct mesh_part *part)
{
	const char *network = part->cluster->network;

	if (mesh_is_joined(mesh, network) &&
	    health_of_network(mesh_find_network(mesh, network), part->cluster->name) != HEALTH_OK)
		return 0;
	return answers_nowhere(service, network) ? 0 : part->ready;
}

struct amount {
	uint64_t total;
	uint64_t healthy;
};

static struct amount group_amount(const struct view *view, const struct view_group *group)
{
	struct amount sum = {0, 0};

	for (size_t i = 0; i < group->n_endpoints; i++) {
		const struct view_endpoint *ep = &group->endpoints[i];

		sum.total += ep->weight;
		if (health_of_endpoint(view, ep) == HEALTH_OK)
			sum.healthy += ep->weight;
	}
	return sum;
}

bool health_spread(const struct view *view, const struct view_route *route,
                   struct lb_level levels[LB_PRIORITIES_MAX])
{
	for (size_t i = 0; i < route->n_priorities; i++)
		levels[i] = (struct lb_level){0};
	for (size_t i = 0; i < route->n_groups; i++) {
		const struct view_group *group = &route->groups[i];
		struct amount sum = group_amount(view, group);

		/* A group that distribute leaves out is never picked. */
		if (route->weighted && group->weight == 0)
			continue;
		levels[group->priority].total += sum.total;
		levels[group->priority].healthy += sum.healthy;
	}
	return lb_spread(levels, route->n_priorities, route->panic_percent);
}

/* What the group counts among those of its priority. In panic everything counts as healthy. */
static uint64_t pull(const struct view_route *route, const struct view_group *group,
                     struct amount sum, bool panic)
{
	uint64_t healthy = panic ? sum.total : sum.healthy;

	if (!route->weighted)
		return healthy;
	return healthy > 0 ? lb_locality_weight(group->weight, healthy, sum.total) : 0;
}

uint32_t health_group_share(const struct view *view, const struct view_route *route,
                            const struct view_group *group)
{
	struct lb_level levels[LB_PRIORITIES_MAX];
	uint64_t all = 0, own;

	health_spread(view, route, levels);
	bool panic = levels[group->priority].panic;

	for (size_t i = 0; i < route->n_groups; i++) {
		if (route->groups[i].priority == group->priority)
			all += pull(route, &route->groups[i], group_amount(view, &route->groups[i]),
			            panic);
	}
	own = pull(route, group, group_amount(view, group), panic);
	return all > 0 ? (uint32_t)(own * 1000000 / all) : 0;
}
