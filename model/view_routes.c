/* SPDX-License-Identifier: Apache-2.0 */
#include "view_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/sni.h"

struct items {
	struct view_item *list;
	size_t n;
	size_t cap;
};

static void items_add(struct items *items, struct view_item item)
{
	if (items->n == items->cap) {
		items->cap = items->cap > 0 ? 2 * items->cap : 16;
		items->list = xrealloc(items->list, items->cap * sizeof(items->list[0]));
	}
	items->list[items->n++] = item;
}

bool view_sees_network(const struct view *view, const char *network)
{
	if (network[0] == '\0')
		return false;
	if (strcmp(network, view->network) == 0)
		return true;
	return view->role == VIEW_GATEWAY && view->joined && mesh_is_joined(view->mesh, network);
}

static struct view_item make_item(const struct view *view, const struct mesh_part *part,
                                  const struct snap_endpoint *ep)
{
	bool remote = strcmp(part->cluster->network, view->network) != 0;
	struct view_item item = {
		.endpoint = {.remote = remote,
	                     .ready = ep->ready,
	                     .weight = 1,
	                     .network = part->cluster->network,
	                     .cluster = part->cluster->name},
		.locality = mesh_endpoint_locality(part, ep),
		.cluster = part->cluster,
		.labels = ep->labels,
	};

	if (!remote) {
		item.endpoint.ip = ep->ip;
		item.endpoint.port = ep->port;
	}
	return item;
}

static void collect_part(const struct view *view, const struct mesh_service *service,
                         const struct mesh_part *part, const struct view_route *route,
                         struct items *items)
{
	const struct snap_port *port = snap_service_find_port(part->service, route->port_name);
	const struct policy_subset *subset =
		route->subset[0] != '\0' ? policy_find_subset(service->policy, route->subset)
					 : NULL;

	bool refusing = strcmp(part->cluster->network, view->network) != 0 &&
	                mesh_find_outage(service, part->cluster->network, route->sni) != NULL;

	if (!view_sees_network(view, part->cluster->network) || port == NULL ||
	    mesh_part_judge(service, part, port) != MESH_USED)
		return;
	for (size_t i = 0; i < port->n_endpoints; i++) {
		const struct snap_endpoint *ep = &port->endpoints[i];

		if (mesh_endpoint_judge(ep) == MESH_USED &&
		    (subset == NULL || labels_match(ep->labels, subset->labels))) {
			struct view_item item = make_item(view, part, ep);

			item.endpoint.refusing = refusing && ep->ready;
			item.endpoint.ready = !refusing && ep->ready;
			items_add(items, item);
		}
	}
}

static int endpoint_cmp(const struct view_endpoint *a, const struct view_endpoint *b)
{
	int cmp;

	if (a->remote != b->remote)
		return a->remote ? 1 : -1;
	cmp = memcmp(&a->ip, &b->ip, sizeof(a->ip));
	if (cmp == 0)
		cmp = (int)a->port - (int)b->port;
	if (cmp == 0)
		cmp = strcmp(a->network, b->network);
	if (cmp == 0)
		cmp = strcmp(a->cluster, b->cluster);
	if (cmp == 0 && a->ready != b->ready)
		cmp = a->ready ? -1 : 1;
	if (cmp == 0 && a->refusing != b->refusing)
		cmp = a->refusing ? -1 : 1;
	return cmp;
}

static int by_endpoint(const void *a, const void *b)
{
	const struct view_item *x = a, *y = b;
	int cmp = endpoint_cmp(&x->endpoint, &y->endpoint);

	return cmp != 0 ? cmp : locality_cmp(x->locality, y->locality);
}

static int by_group(const void *a, const void *b)
{
	const struct view_item *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->locality != y->locality)
		return locality_cmp(x->locality, y->locality);
	return endpoint_cmp(&x->endpoint, &y->endpoint);
}

/* An address of the own network counts once, however many Services name it. */
static void drop_repeated(struct items *items)
{
	size_t n = 0;

	if (items->n > 1)
		qsort(items->list, items->n, sizeof(items->list[0]), by_endpoint);
	for (size_t i = 0; i < items->n; i++) {
		const struct view_endpoint *last = n > 0 ? &items->list[n - 1].endpoint : NULL;
		const struct view_endpoint *ep = &items->list[i].endpoint;

		if (last != NULL && !ep->remote && ip_eq(&last->ip, &ep->ip) &&
		    last->port == ep->port)
			continue;
		items->list[n++] = items->list[i];
	}
	items->n = n;
}

/* Sorted items become groups; remote ones of one network, cluster and readiness become one. */
static void make_groups(struct view_route *route, struct items *items)
{
	struct view_group *group = NULL;

	if (items->n > 1)
		qsort(items->list, items->n, sizeof(items->list[0]), by_group);
	route->groups = xcalloc(items->n + 1, sizeof(route->groups[0]));
	for (size_t i = 0; i < items->n; i++) {
		const struct view_item *item = &items->list[i];

		if (group == NULL || group->locality != item->locality ||
		    group->priority != item->priority) {
			group = &route->groups[route->n_groups++];
			group->locality = item->locality;
			group->priority = item->priority;
			group->endpoints = xcalloc(items->n - i, sizeof(group->endpoints[0]));
		}
		struct view_endpoint *last =
			group->n_endpoints > 0 ? &group->endpoints[group->n_endpoints - 1] : NULL;

		if (last != NULL && item->endpoint.remote &&
		    endpoint_cmp(last, &item->endpoint) == 0)
			last->weight++;
		else
			group->endpoints[group->n_endpoints++] = item->endpoint;
	}
	for (size_t i = 0; i < route->n_groups; i++) {
		group = &route->groups[i];
		group->endpoints = xrealloc(group->endpoints,
		                            group->n_endpoints * sizeof(group->endpoints[0]));
	}
	route->groups = xrealloc(route->groups, (route->n_groups + 1) * sizeof(route->groups[0]));
}

static void finish_route(const struct view *view, struct view_route *route, struct items *items)
{
	drop_repeated(items);
	route->n_priorities = view_policy_order(view, route, items->list, items->n);
	make_groups(route, items);
	view_policy_weigh(view, route);
	route->exposed = view->joined;
	/* Belongs to the mesh of now, which this route may outlive. */
	route->policy.locality = (struct locality_setting){0};
	free(items->list);
}

/* Where nothing else is ready there is nowhere to go: then what refuses is tried all the same, and
 * the first that accepts is known at once. */
static void keep_the_last(struct items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		if (items->list[i].endpoint.ready)
			return;
	}
	for (size_t i = 0; i < items->n; i++) {
		struct view_endpoint *ep = &items->list[i].endpoint;

		ep->ready = ep->refusing;
		ep->refusing = false;
	}
}

/* False: the name would be too long. */
static bool make_route(const struct view *view, const struct mesh_service *service,
                       const struct mesh_port *port, const char *subset, struct view_route *route)
{
	char sni[SNI_MAX + 1];
	struct items items = {0};

	if (!sni_format(port->number, str_from(subset), str_from(service->host), sni))
		return false;
	*route = (struct view_route){
		.sni = xstrdup(sni),
		.service = service->key,
		.port_name = port->name,
		.port = port->number,
		.subset = subset,
	};
	view_policy_choose(view->mesh, service, route);
	for (size_t i = 0; i < service->n_parts; i++)
		collect_part(view, service, &service->parts[i], route, &items);
	keep_the_last(&items);
	finish_route(view, route, &items);
	return true;
}

/* `_probe.CLUSTER`: whatever the probe's Service names, without merge, export or the mTLS label. */
static bool make_probe_route(const struct view *view, const struct mesh_part *part,
                             struct view_route *route)
{
	char sni[SNI_MAX + 1];
	struct items items = {0};
	const struct snap_port *port = NULL;

	for (size_t i = 0; i < part->service->n_ports && port == NULL; i++) {
		if (strcmp(part->service->ports[i].protocol, "TCP") == 0)
			port = &part->service->ports[i];
	}
	if (strcmp(part->cluster->network, view->network) != 0 || port == NULL ||
	    !sni_format_probe(str_from(part->cluster->name), sni))
		return false;
	*route = (struct view_route){
		.sni = xstrdup(sni),
		.service = part->service->key,
		.port_name = port->name,
		.port = port->number,
		.subset = "",
		.policy_source = xstrdup(""),
		.policy_field = "",
	};
	for (size_t i = 0; i < port->n_endpoints; i++) {
		if (!port->endpoints[i].terminating)
			items_add(&items, make_item(view, part, &port->endpoints[i]));
	}
	finish_route(view, route, &items);
	return true;
}

static int by_sni(const void *a, const void *b)
{
	const struct view_route *x = a, *y = b;

	return strcmp(x->sni, y->sni);
}

static void route_fini(struct view_route *route)
{
	for (size_t i = 0; i < route->n_groups; i++)
		free(route->groups[i].endpoints);
	free(route->groups);
	free(route->policy_source);
	free(route->sni);
}

static void destroy(struct shared *value)
{
	struct view_service *vs = CONTAINER_OF(value, struct view_service, shared);

	for (size_t i = 0; i < vs->n_routes; i++)
		route_fini(&vs->routes[i]);
	free(vs->routes);
	shared_unref(&vs->service->shared);
	free(vs);
}

/* A Service somewhere within sight makes the routes exist, even without endpoints. */
static bool is_visible(const struct view *view, const struct mesh_service *service)
{
	bool probe = strcmp(service->key, MESH_PROBE_KEY) == 0;

	if (view->role == VIEW_INGRESS && !view->joined)
		return false;
	for (size_t i = 0; i < service->n_parts; i++) {
		if ((probe || service->parts[i].exported) &&
		    view_sees_network(view, service->parts[i].cluster->network))
			return true;
	}
	return false;
}

static void add_routes(const struct view *view, struct view_service *vs)
{
	const struct mesh_service *service = vs->service;
	size_t n_subsets = service->policy != NULL ? service->policy->n_subsets : 0;

	vs->routes = xcalloc(service->n_ports * (n_subsets + 1) + 1, sizeof(vs->routes[0]));
	for (size_t i = 0; i < service->n_ports; i++) {
		for (size_t k = 0; k <= n_subsets; k++) {
			const char *subset = k > 0 ? service->policy->subsets[k - 1].name : "";

			if (make_route(view, service, &service->ports[i], subset,
			               &vs->routes[vs->n_routes]))
				vs->n_routes++;
		}
	}
}

static void add_probe_routes(const struct view *view, struct view_service *vs)
{
	const struct mesh_service *service = vs->service;

	vs->routes = xcalloc(service->n_parts + 1, sizeof(vs->routes[0]));
	for (size_t i = 0; i < service->n_parts; i++) {
		if (make_probe_route(view, &service->parts[i], &vs->routes[vs->n_routes]))
			vs->n_routes++;
	}
}

struct view_service *view_service_create(const struct view *view, struct mesh_service *service)
{
	bool probe = strcmp(service->key, MESH_PROBE_KEY) == 0;

	if ((!probe && service->n_ports == 0) || !is_visible(view, service))
		return NULL;
	struct view_service *vs = xcalloc(1, sizeof(*vs));

	shared_init(&vs->shared, destroy);
	shared_ref(&service->shared);
	vs->service = service;
	if (probe)
		add_probe_routes(view, vs);
	else
		add_routes(view, vs);
	if (vs->n_routes > 1)
		qsort(vs->routes, vs->n_routes, sizeof(vs->routes[0]), by_sni);
	if (vs->n_routes > 0)
		return vs;
	shared_unref(&vs->shared);
	return NULL;
}
