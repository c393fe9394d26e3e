/* SPDX-License-Identifier: Apache-2.0 */
#include "ads/program.h"

#include "encode.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "xds/ingress.h"

/* When an assignment last went out, and whether a weight change waits for its second. */
struct pace {
	int64_t sent_ms;
	bool waits;
};

struct program {
	char *network;
	char *cluster;
	struct view_key key;
	program_held_cb held;
	void *held_arg;
	struct view *view; /* NULL before the first mesh */
	struct xds_set *set;
	struct map paces; /* SNI → struct pace, of assignments that ever had a weight change */
	uint64_t encoded;
	/* of the update under way */
	int64_t now_ms;
	bool changed;
};

/* Who and where the consumer is, and who may call it: as its own group says. */
static bool describe(struct program *program, const struct mesh_network *network)
{
	struct xds_set_info info = {
		.network = program->network,
		.cluster = program->cluster,
		.locality = program->key.locality->text,
		.source_ranges = network != NULL ? network->source_ranges : NULL,
		.n_source_ranges = network != NULL ? network->n_source_ranges : 0,
	};
	return xds_set_describe(program->set, &info);
}

struct program *program_create(const struct program_config *config)
{
	struct program *program = xcalloc(1, sizeof(*program));
	program->network = xstrdup(config->key.network);
	program->cluster = xstrdup(config->key.cluster);
	program->key = (struct view_key){
		.network = program->network,
		.cluster = program->cluster,
		.locality = config->key.locality,
		.role = config->key.role,
	};
	program->held = config->held;
	program->held_arg = config->arg;
	program->set = xds_set_create();
	describe(program, NULL);
	return program;
}

void program_destroy(struct program *program)
{
	if (program == NULL)
		return;
	view_unref(program->view);
	xds_set_unref(program->set);
	map_fini(&program->paces, free);
	free(program->network);
	free(program->cluster);
	free(program);
}

struct xds_set *program_set(const struct program *program)
{
	return program->set;
}

const struct view *program_view(const struct program *program)
{
	return program->view;
}

uint64_t program_encoded(const struct program *program)
{
	return program->encoded;
}

bool program_is_for(const struct program *program, const struct view_key *key)
{
	return program->key.role == key->role && program->key.locality == key->locality &&
	       strcmp(program->network, key->network) == 0 &&
	       strcmp(program->cluster, key->cluster) == 0;
}

/* --- resources into the set ------------------------------------------------------------------- */

static bool route_is_held(const struct program *program, const struct view_route *route)
{
	if (program->held == NULL)
		return false;
	struct view_service *service = tree_find(program->view->services, str_from(route->service));
	return service != NULL && program->held(service->service, program->held_arg);
}

/* Takes resource. A resource that could not be encoded is logged, and what was there stays. */
static void put(struct program *program, struct xds_resource *resource, bool hold,
                const struct err *err)
{
	if (resource == NULL) {
		log_error("xds", "resource left as it was: %s", err->msg);
		return;
	}
	program->encoded++;
	program->changed |= xds_set_put(program->set, resource, hold);
	xds_resource_unref(resource);
}

static void put_cluster(struct program *program, const struct view_route *route)
{
	struct err err;
	put(program, encode_cluster(route, &err), route_is_held(program, route), &err);
}

static void put_assignment(struct program *program, const struct view_route *route)
{
	struct err err;
	put(program, encode_assignment(route, &err), route_is_held(program, route), &err);
	struct pace *pace = map_find_text(&program->paces, route->sni);
	if (pace != NULL)
		*pace = (struct pace){.sent_ms = program->now_ms};
}

/* A pure weight change: at once if the last one is a second ago, else later. */
static void put_weights(struct program *program, const struct view_route *route)
{
	struct pace *pace = map_find_text(&program->paces, route->sni);
	if (pace == NULL) {
		pace = xcalloc(1, sizeof(*pace));
		pace->sent_ms = program->now_ms;
		map_set(&program->paces, str_from(route->sni), pace);
		put_assignment(program, route);
	} else if (program->now_ms - pace->sent_ms >= PROGRAM_WEIGHTS_MS) {
		put_assignment(program, route);
	} else {
		pace->waits = true;
	}
}

static void remove_route(struct program *program, const char *sni)
{
	struct str name = str_from(sni);
	program->changed |= xds_set_remove(program->set, XDS_CLUSTER, name);
	program->changed |= xds_set_remove(program->set, XDS_ASSIGNMENT, name);
	free(map_remove(&program->paces, name));
}

static void put_network(struct program *program, const char *name)
{
	struct err err;
	const struct mesh_network *network = tree_find(program->view->networks, str_from(name));
	if (network != NULL)
		put(program, encode_network(network, &err), false, &err);
	else
		program->changed |= xds_set_remove(program->set, XDS_NETWORK, str_from(name));
}

static void put_peers(struct program *program)
{
	struct err err;
	put(program, encode_peers(program->view, &err), false, &err);
}

static void on_change(const struct view_diff *diff, void *arg)
{
	struct program *program = arg;
	switch (diff->change) {
	case VIEW_ROUTE_ADDED:
		put_cluster(program, diff->new_route);
		put_assignment(program, diff->new_route);
		break;
	case VIEW_ROUTE_CHANGED:
		put_cluster(program, diff->new_route);
		if (diff->endpoints)
			put_assignment(program, diff->new_route);
		break;
	case VIEW_ENDPOINTS_CHANGED:
		if (diff->urgent)
			put_assignment(program, diff->new_route);
		else
			put_weights(program, diff->new_route);
		break;
	case VIEW_ROUTE_REMOVED:
		remove_route(program, diff->name);
		break;
	case VIEW_NETWORK_CHANGED:
		if (program->key.role == VIEW_GATEWAY)
			put_network(program, diff->name);
		break;
	case VIEW_PEERS_CHANGED:
		if (program->key.role == VIEW_GATEWAY)
			put_peers(program);
		break;
	}
}

static void put_listener(struct program *program)
{
	struct err err;
	struct addr listen;
	if (addr_parse(STR_LIT("0.0.0.0:15443"), &listen))
		put(program, xds_ingress_encode(&listen, &err), false, &err);
}

static void begin(struct program *program, int64_t now_ms)
{
	program->now_ms = now_ms;
	program->changed = false;
}

bool program_update(struct program *program, struct mesh *mesh, int64_t now_ms)
{
	begin(program, now_ms);
	struct view *old = program->view;
	program->view = old != NULL ? view_update(old, mesh) : view_create(mesh, &program->key);
	view_diff(old, program->view, on_change, program);
	program->changed |= describe(program, mesh_find_network(mesh, program->network));
	if (old == NULL) {
		if (program->key.role == VIEW_INGRESS)
			put_listener(program);
		else
			put_peers(program);
	}
	view_unref(old);
	return program->changed;
}

bool program_tick(struct program *program, int64_t now_ms, int64_t *ret_next_ms)
{
	begin(program, now_ms);
	*ret_next_ms = -1;
	map_for_each (it, &program->paces) {
		struct pace *pace = map_value(it);
		struct str sni = map_key(it);
		int64_t due = pace->sent_ms + PROGRAM_WEIGHTS_MS;
		if (pace->waits && due > now_ms) {
			if (*ret_next_ms < 0 || due < *ret_next_ms)
				*ret_next_ms = due;
			continue;
		}
		if (pace->waits) {
			char *name = str_dup(sni);
			const struct view_route *route = view_find_route(program->view, name);
			if (route != NULL)
				put_assignment(program, route);
			free(name);
		} else if (due <= now_ms) {
			free(map_remove(&program->paces, sni));
		}
	}
	return program->changed;
}

bool program_review(struct program *program, bool all_complete)
{
	begin(program, program->now_ms);
	if (program->view != NULL) {
		struct tree_iter it;
		for (struct view_service *service = tree_first(&it, program->view->services);
		     service != NULL; service = tree_next(&it)) {
			for (size_t i = 0; i < service->n_routes; i++) {
				put_cluster(program, &service->routes[i]);
				put_assignment(program, &service->routes[i]);
			}
		}
	}
	if (xds_set_is_complete(program->set) != all_complete) {
		xds_set_set_complete(program->set, all_complete);
		program->changed = true;
	}
	return program->changed;
}
