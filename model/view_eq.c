/* SPDX-License-Identifier: Apache-2.0 */
#include "view_priv.h"

static bool endpoint_eq(const struct view_endpoint *a, const struct view_endpoint *b)
{
	return a->remote == b->remote && a->ready == b->ready && a->refusing == b->refusing &&
	       a->weight == b->weight && ip_eq(&a->ip, &b->ip) && a->port == b->port &&
	       strcmp(a->network, b->network) == 0 && strcmp(a->cluster, b->cluster) == 0;
}

bool view_groups_eq(const struct view_route *a, const struct view_route *b)
{
	if (a->n_groups != b->n_groups || a->n_priorities != b->n_priorities)
		return false;
	for (size_t i = 0; i < a->n_groups; i++) {
		const struct view_group *x = &a->groups[i], *y = &b->groups[i];

		if (x->locality != y->locality || x->priority != y->priority ||
		    x->weight != y->weight || x->n_endpoints != y->n_endpoints)
			return false;
		for (size_t k = 0; k < x->n_endpoints; k++) {
			if (!endpoint_eq(&x->endpoints[k], &y->endpoints[k]))
				return false;
		}
	}
	return true;
}

static bool outlier_eq(const struct outlier *a, const struct outlier *b)
{
	return a->present == b->present && a->consecutive == b->consecutive &&
	       a->interval_ms == b->interval_ms && a->base_ejection_ms == b->base_ejection_ms &&
	       a->max_ejection_percent == b->max_ejection_percent &&
	       a->min_health_percent == b->min_health_percent;
}

static bool tcp_eq(const struct tcp_pool *a, const struct tcp_pool *b)
{
	return a->present == b->present && a->max_connections == b->max_connections &&
	       a->connect_timeout_ms == b->connect_timeout_ms &&
	       a->idle_timeout_ms == b->idle_timeout_ms && a->keepalive_s == b->keepalive_s;
}

bool view_definition_eq(const struct view_route *a, const struct view_route *b)
{
	return strcmp(a->port_name, b->port_name) == 0 && a->port == b->port &&
	       a->exposed == b->exposed && a->weighted == b->weighted && a->mode == b->mode &&
	       strcmp(a->policy_source, b->policy_source) == 0 &&
	       strcmp(a->policy_field, b->policy_field) == 0 && a->policy.lb == b->policy.lb &&
	       outlier_eq(&a->policy.outlier, &b->policy.outlier) &&
	       tcp_eq(&a->policy.tcp, &b->policy.tcp) && a->panic_percent == b->panic_percent;
}

bool view_service_eq(const struct view_service *a, const struct view_service *b)
{
	if (a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_routes; i++) {
		if (strcmp(a->routes[i].sni, b->routes[i].sni) != 0 ||
		    !view_definition_eq(&a->routes[i], &b->routes[i]) ||
		    !view_groups_eq(&a->routes[i], &b->routes[i]))
			return false;
	}
	return true;
}
