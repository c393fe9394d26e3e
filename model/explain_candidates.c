/* SPDX-License-Identifier: Apache-2.0 */
#include "explain_priv.h"
#include "view_priv.h"

#include <stdio.h>

#include "base/alloc.h"

enum {
	CANDIDATES_MAX = 2000,
	BECAUSE_MAX = 512
};

struct candidate {
	const char *cluster;
	const char *network;
	const char *locality;
	const char *via;
	const char *address;
	uint16_t port;
	uint32_t priority;
	uint32_t weight;
	double share;
	const char *health;
	bool used;
	const char *because;
	const char *code;
};

static void add(struct explaining *ex, const struct candidate *c)
{
	if (json_array_size(ex->candidates) >= CANDIDATES_MAX) {
		ex->n_dropped++;
		return;
	}
	json_array_append_new(
		ex->candidates,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:s, s:b, s:s, s:s}",
	                  "cluster", c->cluster, "network", c->network, "locality", c->locality,
	                  "via", c->via, "address", c->address, "port", (int)c->port, "priority",
	                  (int)c->priority, "weight", (int)c->weight, "share",
	                  (double)(uint32_t)(c->share * 1e6 + 0.5) / 1e6, "health", c->health,
	                  "used", (int)c->used, "because", c->because, "code", c->code));
}

/* The rule of distribute that decided for this group; NULL: none. */
static const struct distribute_to *find_share(const struct explaining *ex,
                                              const struct locality *locality)
{
	const struct locality_setting *setting = &ex->in_force.policy.locality;

	for (size_t i = 0; i < setting->n_distribute; i++) {
		const struct distribute *rule = &setting->distribute[i];

		if (!locality_rule_matches(str_from(rule->from), ex->view->locality))
			continue;
		for (size_t k = 0; k < rule->n_to; k++) {
			if (locality_rule_matches(str_from(rule->to[k].rule), locality))
				return &rule->to[k];
		}
		return NULL;
	}
	return NULL;
}

static const char *failover_target(const struct explaining *ex)
{
	const struct locality_setting *setting = &ex->in_force.policy.locality;

	for (size_t i = 0; i < setting->n_failover; i++) {
		if (strcmp(setting->failover[i].from, ex->view->locality->region) == 0)
			return setting->failover[i].to;
	}
	return NULL;
}

/* Why the group stands where it does. */
static void say_place(const struct explaining *ex, const struct view_group *group,
                      char text[BECAUSE_MAX])
{
	const char *near = locality_rank_text(locality_rank(ex->view->locality, group->locality));
	const struct distribute_to *to = find_share(ex, group->locality);
	const char *target = failover_target(ex);

	switch (ex->route->mode) {
	case VIEW_MODE_NONE:
		snprintf(text, BECAUSE_MAX, "no locality policy: all share evenly");
		return;
	case VIEW_MODE_LOCALITY:
		snprintf(text, BECAUSE_MAX, "%s", near);
		return;
	case VIEW_MODE_FAILOVER:
		if (target != NULL && strcmp(target, group->locality->region) == 0)
			snprintf(text, BECAUSE_MAX, "failover %s to %s", ex->view->locality->region,
			         target);
		else
			snprintf(text, BECAUSE_MAX, "%s", near);
		return;
	case VIEW_MODE_PRIORITY:
		snprintf(text, BECAUSE_MAX, "by the labels of failoverPriority");
		return;
	case VIEW_MODE_DISTRIBUTE:
		if (!ex->route->weighted)
			snprintf(text, BECAUSE_MAX,
			         "no distribute rule is from %s: all share evenly",
			         ex->view->locality->text);
		else if (to != NULL)
			snprintf(text, BECAUSE_MAX, "distribute %s: %u %%", to->rule, to->percent);
		else
			snprintf(text, BECAUSE_MAX, "distribute gives this locality nothing");
		return;
	}
}

static void say_health(const struct explaining *ex, const struct view_endpoint *ep,
                       enum health health, char text[BECAUSE_MAX])
{
	const struct mesh_outage *outage =
		mesh_find_outage(ex->service, ep->network, ex->route->sni);

	switch (health) {
	case HEALTH_OK:
		return;
	case HEALTH_NOT_READY:
		snprintf(text, BECAUSE_MAX, "not ready");
		return;
	case HEALTH_REFUSING:
		snprintf(text, BECAUSE_MAX, "%s", outage != NULL ? outage->why : "");
		return;
	case HEALTH_NO_GATEWAY:
		snprintf(text, BECAUSE_MAX, "network %s has no gateway", ep->network);
		return;
	case HEALTH_DEAD:
		snprintf(text, BECAUSE_MAX, "no gateway of network %s is live", ep->network);
		return;
	}
}

/* Part of all traffic that one unit of weight in this group gets, if it is healthy. */
static double unit_share(const struct explaining *ex, const struct view_group *group, bool panic)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < group->n_endpoints; i++) {
		if (panic || health_of_endpoint(ex->view, &group->endpoints[i]) == HEALTH_OK)
			weight += group->endpoints[i].weight;
	}
	if (weight == 0 || !ex->usable)
		return 0;
	return ex->levels[group->priority].load / 100.0 *
	       health_group_share(ex->view, ex->route, group) / 1e6 / (double)weight;
}

static void add_gateways(struct explaining *ex, const struct view_endpoint *ep,
                         const struct candidate *like)
{
	const struct mesh_network *network = tree_find(ex->view->networks, str_from(ep->network));
	uint64_t sum = 0;

	if (network == NULL || network->n_gateways == 0) {
		add(ex, like);
		return;
	}
	for (size_t i = 0; i < network->n_gateways; i++) {
		if (health_uses_gateway(network, &network->gateways[i], ep->cluster))
			sum += network->gateways[i].weight;
	}
	for (size_t i = 0; i < network->n_gateways; i++) {
		const struct mesh_gateway *gateway = &network->gateways[i];
		struct candidate c = *like;
		char because[BECAUSE_MAX];

		c.address = gateway->address;
		c.port = gateway->port;
		if (!gateway->live) {
			snprintf(because, sizeof(because), "gateway %s:%u is not live: %.200s",
			         gateway->address, gateway->port, gateway->reason);
			c.because = because;
			c.code = health_code(HEALTH_DEAD);
			c.health = health_text(HEALTH_DEAD);
			c.used = false;
			c.share = 0;
		} else if (health_uses_gateway(network, gateway, ep->cluster)) {
			c.share = sum > 0 ? c.share * gateway->weight / (double)sum : 0;
		} else {
			continue; /* live, but another cluster's while its own work */
		}
		add(ex, &c);
	}
}

static void add_endpoint(struct explaining *ex, const struct view_group *group,
                         const struct view_endpoint *ep, double unit)
{
	enum health health = health_of_endpoint(ex->view, ep);
	bool panic = ex->levels[group->priority].panic;
	char ip[IP_TEXT_MAX], because[BECAUSE_MAX] = "";
	struct candidate c = {
		.cluster = ep->cluster,
		.network = ep->network,
		.locality = group->locality->text,
		.via = ep->remote ? "gateway" : "direct",
		.address = ep->remote ? "" : ip_format(&ep->ip, ip),
		.port = ep->port,
		.priority = group->priority,
		.weight = ep->weight,
		.health = health_text(health),
		.used = health == HEALTH_OK ||
	                (panic && (health == HEALTH_NOT_READY || health == HEALTH_REFUSING)),
		.because = because,
		.code = health_code(health),
	};

	say_place(ex, group, because);
	if (!c.used)
		say_health(ex, ep, health, because);
	if (c.used)
		c.share = unit * ep->weight;
	if (ex->route->weighted && group->weight == 0)
		c.used = false;
	if (ep->remote)
		add_gateways(ex, ep, &c);
	else
		add(ex, &c);
}

void explain_add_offered(struct explaining *ex)
{
	for (size_t i = 0; ex->route != NULL && i < ex->route->n_groups; i++) {
		const struct view_group *group = &ex->route->groups[i];
		double unit = unit_share(ex, group, ex->levels[group->priority].panic);

		for (size_t k = 0; k < group->n_endpoints; k++)
			add_endpoint(ex, group, &group->endpoints[k], unit);
	}
}

/* A whole part; its endpoints are counted, not listed. */
static void add_part(struct explaining *ex, const struct mesh_part *part, size_t n,
                     const char *because, const char *code)
{
	struct candidate c = {
		.cluster = part->cluster->name,
		.network = part->cluster->network,
		.locality = part->cluster->locality->text,
		.via = strcmp(part->cluster->network, ex->view->network) == 0 ? "direct"
	                                                                      : "gateway",
		.address = "",
		.weight = (uint32_t)n,
		.health = "",
		.because = because,
		.code = code,
	};

	add(ex, &c);
}

static void add_endpoint_left_out(struct explaining *ex, const struct mesh_part *part,
                                  const struct snap_endpoint *ep, const char *because,
                                  const char *code)
{
	char ip[IP_TEXT_MAX];
	struct candidate c = {
		.cluster = part->cluster->name,
		.network = part->cluster->network,
		.locality = mesh_endpoint_locality(part, ep)->text,
		.via = strcmp(part->cluster->network, ex->view->network) == 0 ? "direct"
	                                                                      : "gateway",
		.address = ip_format(&ep->ip, ip),
		.port = ep->port,
		.weight = 1,
		.health = ep->ready ? health_text(HEALTH_OK) : health_text(HEALTH_NOT_READY),
		.because = because,
		.code = code,
	};

	add(ex, &c);
}

static void add_endpoints_left_out(struct explaining *ex, const struct mesh_part *part,
                                   const struct snap_port *port)
{
	const struct policy_subset *subset =
		ex->subset[0] != '\0' ? policy_find_subset(ex->service->policy, ex->subset) : NULL;

	for (size_t i = 0; i < port->n_endpoints; i++) {
		const struct snap_endpoint *ep = &port->endpoints[i];
		enum mesh_left_out reason = mesh_endpoint_judge(ep);

		if (reason != MESH_USED)
			add_endpoint_left_out(ex, part, ep, mesh_left_out_text(reason),
			                      mesh_left_out_code(reason));
		else if (subset != NULL && !labels_match(ep->labels, subset->labels))
			add_endpoint_left_out(ex, part, ep, "not of this subset", "");
	}
}

void explain_add_left_out(struct explaining *ex)
{
	for (size_t i = 0; i < ex->service->n_parts; i++) {
		const struct mesh_part *part = &ex->service->parts[i];
		const struct snap_port *port =
			snap_service_find_port(part->service, ex->port->name);
		enum mesh_left_out reason =
			port != NULL ? mesh_part_judge(ex->service, part, port) : MESH_USED;

		if (ex->service->left_out != MESH_USED)
			add_part(ex, part, 0, mesh_left_out_text(ex->service->left_out),
			         mesh_left_out_code(ex->service->left_out));
		else if (port == NULL)
			add_part(ex, part, 0, "its Service has no port of this name", "FED-217");
		else if (reason != MESH_USED)
			add_part(ex, part, port->n_endpoints,
			         reason == MESH_CLUSTER_WITHDRAWN &&
			                         part->cluster->why_withdrawn[0] != '\0'
			                 ? part->cluster->why_withdrawn
			                 : mesh_left_out_text(reason),
			         mesh_left_out_code(reason));
		else if (!view_sees_network(ex->view, part->cluster->network))
			add_part(ex, part, port->n_endpoints,
			         "its network, or the caller's, is not in the interconnect",
			         "FED-218");
		else
			add_endpoints_left_out(ex, part, port);
	}
}
