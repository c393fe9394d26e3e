/* SPDX-License-Identifier: Apache-2.0 */
#include "view_priv.h"

#include "base/macros.h"

struct walk {
	view_diff_cb cb;
	void *arg;
};

static bool has_ready(const struct view_group *group, const char *network)
{
	for (size_t i = 0; i < group->n_endpoints; i++) {
		if (group->endpoints[i].ready && strcmp(group->endpoints[i].network, network) == 0)
			return true;
	}
	return false;
}

/* Something ready of this network in this locality, whatever the priority. */
static bool route_has_ready(const struct view_route *route, const char *network,
                            const struct locality *locality)
{
	for (size_t i = 0; route != NULL && i < route->n_groups; i++) {
		if (route->groups[i].locality == locality && has_ready(&route->groups[i], network))
			return true;
	}
	return false;
}

/* Some (network, locality) is ready in a and not in b. */
static bool loses(const struct view_route *a, const struct view_route *b)
{
	for (size_t i = 0; i < a->n_groups; i++) {
		const struct view_group *group = &a->groups[i];

		for (size_t k = 0; k < group->n_endpoints; k++) {
			if (group->endpoints[k].ready &&
			    !route_has_ready(b, group->endpoints[k].network, group->locality))
				return true;
		}
	}
	return false;
}

static void tell_route(const struct walk *walk, const struct view_route *old_route,
                       const struct view_route *new_route)
{
	struct view_diff diff = {.old_route = old_route, .new_route = new_route, .endpoints = true};

	diff.name = new_route != NULL ? new_route->sni : old_route->sni;
	if (old_route == NULL) {
		diff.change = VIEW_ROUTE_ADDED;
		diff.urgent = true;
	} else if (new_route == NULL) {
		diff.change = VIEW_ROUTE_REMOVED;
		diff.urgent = true;
	} else {
		bool same = view_definition_eq(old_route, new_route);

		diff.endpoints = !view_groups_eq(old_route, new_route);
		if (same && !diff.endpoints)
			return;
		diff.change = same ? VIEW_ENDPOINTS_CHANGED : VIEW_ROUTE_CHANGED;
		diff.urgent = loses(old_route, new_route) || loses(new_route, old_route) || !same;
	}
	walk->cb(&diff, walk->arg);
}

/* Merges two sorted lists of routes. */
static void on_service(struct str key, void *old_value, void *new_value, void *arg)
{
	const struct view_service *a = old_value, *b = new_value;
	size_t n_a = a != NULL ? a->n_routes : 0, n_b = b != NULL ? b->n_routes : 0;
	size_t i = 0, k = 0;

	(void)key;
	while (i < n_a || k < n_b) {
		int cmp = i == n_a ? 1 : k == n_b ? -1 : strcmp(a->routes[i].sni, b->routes[k].sni);
		const struct view_route *x = cmp <= 0 ? &a->routes[i++] : NULL;
		const struct view_route *y = cmp >= 0 ? &b->routes[k++] : NULL;

		tell_route(arg, x, y);
	}
}

static void on_network(struct str key, void *old_value, void *new_value, void *arg)
{
	const struct walk *walk = arg;
	const struct mesh_network *network = new_value != NULL ? new_value : old_value;
	struct view_diff diff = {
		.change = VIEW_NETWORK_CHANGED, .name = network->name, .urgent = true};

	(void)key;
	walk->cb(&diff, walk->arg);
}

static bool peers_eq(const struct view *a, const struct view *b)
{
	if (a->n_peers != b->n_peers)
		return false;
	for (size_t i = 0; i < a->n_peers; i++) {
		if (strcmp(a->peers[i], b->peers[i]) != 0)
			return false;
	}
	return true;
}

void view_diff(struct view *old_view, struct view *new_view, view_diff_cb cb, void *arg)
{
	struct walk walk = {cb, arg};

	tree_diff(old_view != NULL ? old_view->services : NULL, new_view->services, on_service,
	          &walk);
	tree_diff(old_view != NULL ? old_view->networks : NULL, new_view->networks, on_network,
	          &walk);
	if (old_view == NULL || !peers_eq(old_view, new_view)) {
		struct view_diff diff = {.change = VIEW_PEERS_CHANGED, .name = "default"};

		cb(&diff, arg);
	}
}
