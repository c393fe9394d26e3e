/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an istiod's resources to the burst that a table is built of, and to the disk copy.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "uplink/burst.h"
#include "uplink/istiod_priv.h"
#include "xds/network.h"

void istiod_touch(struct ew_istiod *istiod, struct str name)
{
	map_add(&istiod->changed, name);
}

static bool is_exposed(const struct ew_istiod *istiod, struct str name)
{
	map_for_each (it, &istiod->listeners) {
		if (ew_exposed_has(map_value(it), name))
			return true;
	}
	return false;
}

static bool is_routable(const struct ew_istiod *istiod, struct str name)
{
	return map_find(&istiod->clusters, name) != NULL &&
	       map_find(&istiod->assignments, name) != NULL && is_exposed(istiod, name);
}

/* --- bursts ----------------------------------------------------------------------------------- */

/* Held resources were checked, so decoding them again cannot fail; if it does, they count as not
 * there. */
static void add_route(const struct ew_istiod *istiod, struct ew_burst *burst, struct str name)
{
	struct ew_burst_route *route = &burst->routes[burst->n_routes++];
	struct err err;
	*route = (struct ew_burst_route){.sni = str_dup(name)};
	if (!is_routable(istiod, name))
		return;
	const struct istiod_held *cluster = map_find(&istiod->clusters, name);
	const struct istiod_held *assignment = map_find(&istiod->assignments, name);
	route->present = xds_cluster_decode(cluster->resource->bytes, &route->cluster, &err);
	if (!xds_assignment_decode(assignment->resource->bytes, &route->assignment, &err))
		route->assignment = (struct xds_assignment){0};
}

/* Notes whether the name is a route now, and whether that is any news. */
static bool is_news(struct ew_istiod *istiod, struct str name)
{
	bool before = map_find(&istiod->routed, name) != NULL;
	bool now = is_routable(istiod, name);
	if (now)
		map_add(&istiod->routed, name);
	else
		map_remove(&istiod->routed, name);
	return before || now;
}

/* Without a network of its own: the names of Fedway's gateways prove nothing to an istiod's mesh
 * and are not answered. */
static struct ew_burst *make_burst(const struct ew_istiod *istiod, size_t max)
{
	struct ew_burst *burst = xcalloc(1, sizeof(*burst));
	burst->whole = !istiod->told_whole;
	burst->routes = xcalloc(max + 1, sizeof(*burst->routes));
	burst->networks = xcalloc(1, sizeof(*burst->networks));
	burst->version = xstrdup(istiod->version);
	burst->network = xstrdup("");
	burst->cluster = xstrdup(istiod->cluster);
	return burst;
}

struct ew_burst *ew_istiod_take_burst(struct ew_istiod *istiod)
{
	if (!istiod->complete)
		return NULL;
	struct ew_burst *burst = make_burst(istiod, map_len(&istiod->changed));
	map_for_each (it, &istiod->changed) {
		if (is_news(istiod, map_key(it)))
			add_route(istiod, burst, map_key(it));
	}
	map_fini(&istiod->changed, NULL);
	if (burst->n_routes == 0 && istiod->told_whole) {
		ew_burst_destroy(burst);
		return NULL;
	}
	istiod->told_whole = true;
	return burst;
}

/* --- disk copy -------------------------------------------------------------------------------- */

static void copy_snapshot(const struct ew_istiod *istiod, struct xds_delta_client *to)
{
	struct err err;
	struct xds_snapshot snapshot = {.version = istiod->version, .cluster = istiod->cluster};
	struct xds_resource *resource = xds_snapshot_encode(&snapshot, &err);
	if (resource != NULL)
		xds_delta_client_restore(to, resource);
	xds_resource_unref(resource);
}

void ew_istiod_copy(const struct ew_istiod *istiod, struct xds_delta_client *to)
{
	map_for_each (it, &istiod->clusters) {
		if (!is_routable(istiod, map_key(it)))
			continue;
		const struct istiod_held *cluster = map_value(it);
		const struct istiod_held *assignment = map_find(&istiod->assignments, map_key(it));
		xds_delta_client_restore(to, cluster->resource);
		xds_delta_client_restore(to, assignment->resource);
	}
	copy_snapshot(istiod, to);
}
