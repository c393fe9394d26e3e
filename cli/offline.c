/* SPDX-License-Identifier: Apache-2.0 */
#include "offline.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "kube/meta.h"
#include "model/settings.h"
#include "model/snapshot_builder.h"

enum {
	ADDRESSES_MAX = 1024, /* of one network */
	LIST_DEPTH_MAX = 4
};

struct offline {
	struct mesh_settings settings;
	struct map clusters;  /* name → struct cluster_spec */
	struct map groups;    /* name → struct group_spec */
	struct map gateways;  /* name → struct gateway_spec */
	struct map snapshots; /* cluster → struct snapshot_builder */
	struct mesh_builder *builder;
};

struct offline *offline_create(void)
{
	struct offline *offline = xcalloc(1, sizeof(*offline));
	mesh_settings_init(&offline->settings);
	offline->builder = mesh_builder_create();
	return offline;
}

static void free_cluster(void *value)
{
	cluster_spec_fini(value);
	free(value);
}

static void free_group(void *value)
{
	group_spec_fini(value);
	free(value);
}

static void free_gateway(void *value)
{
	gateway_spec_fini(value);
	free(value);
}

static void free_snapshots(void *value)
{
	snapshot_builder_destroy(value);
}

void offline_destroy(struct offline *offline)
{
	if (offline == NULL)
		return;
	mesh_settings_fini(&offline->settings);
	map_fini(&offline->clusters, free_cluster);
	map_fini(&offline->groups, free_group);
	map_fini(&offline->gateways, free_gateway);
	map_fini(&offline->snapshots, free_snapshots);
	mesh_builder_destroy(offline->builder);
	free(offline);
}

/* --- hosted objects --------------------------------------------------------------------------- */

static bool add_mesh(struct offline *offline, const json_t *obj, struct err *err)
{
	struct mesh_settings settings;
	if (!mesh_settings_decode(obj, &settings, err))
		return false;
	mesh_settings_fini(&offline->settings);
	offline->settings = settings;
	return true;
}

static bool put_once(struct map *map, const char *kind, const char *name, void *value,
                     void (*free_value)(void *value), struct err *err)
{
	if (map_find_text(map, name) == NULL) {
		map_set(map, str_from(name), value);
		return true;
	}
	err_set(err, ERR_INVALID, "%s '%s' is there twice", kind, name);
	free_value(value);
	return false;
}

static bool add_cluster(struct offline *offline, const json_t *obj, struct err *err)
{
	struct cluster_spec *spec = xcalloc(1, sizeof(*spec));
	if (!cluster_spec_decode(obj, spec, err)) {
		free(spec);
		return false;
	}
	return put_once(&offline->clusters, "Cluster", spec->name, spec, free_cluster, err);
}

static bool add_group(struct offline *offline, const json_t *obj, struct err *err)
{
	struct group_spec *spec = xcalloc(1, sizeof(*spec));
	if (!group_spec_decode(obj, spec, err)) {
		free(spec);
		return false;
	}
	return put_once(&offline->groups, "NetworkGroup", spec->name, spec, free_group, err);
}

static bool add_gateway(struct offline *offline, const json_t *obj, struct err *err)
{
	struct gateway_spec *spec = xcalloc(1, sizeof(*spec));
	if (!gateway_spec_decode(obj, spec, err)) {
		free(spec);
		return false;
	}
	return put_once(&offline->gateways, "EastWestGateway", spec->name, spec, free_gateway, err);
}

static bool add_rule(struct offline *offline, const json_t *obj, struct err *err)
{
	struct policy *policy = policy_decode(obj, err);
	if (policy == NULL)
		return false;
	mesh_builder_set_policy(offline->builder, policy);
	policy_unref(policy);
	return true;
}

static const struct {
	const char *group;
	const char *kind;
	bool (*add)(struct offline *offline, const json_t *obj, struct err *err);
} hosted[] = {
	{"fedway.io/", "Mesh", add_mesh},
	{"fedway.io/", "Cluster", add_cluster},
	{"fedway.io/", "NetworkGroup", add_group},
	{"fedway.io/", "EastWestGateway", add_gateway},
	{"networking.istio.io/", "DestinationRule", add_rule},
};

static bool add_hosted(struct offline *offline, const json_t *obj, struct err *err)
{
	struct str version = str_from(json_str_at(obj, "apiVersion", ""));
	const char *kind = json_str_at(obj, "kind", "");
	for (size_t i = 0; i < N_ELEMS(hosted); i++) {
		if (strcmp(kind, hosted[i].kind) == 0 &&
		    str_starts_with(version, str_from(hosted[i].group)))
			return hosted[i].add(offline, obj, err) ||
			       err_wrap(err, "%s '%s'", kind, kube_name(obj));
	}
	return true;
}

/* --- a member's objects ----------------------------------------------------------------------- */

static bool add_member(struct offline *offline, const char *cluster, const json_t *obj,
                       struct err *err)
{
	static const char *const kinds[] = {"Service", "EndpointSlice", "Node", "Namespace", "Pod"};
	const char *kind = json_str_at(obj, "kind", "");
	struct snapshot_builder *builder = map_find_text(&offline->snapshots, cluster);
	if (builder == NULL) {
		builder = snapshot_builder_create(cluster);
		map_set(&offline->snapshots, str_from(cluster), builder);
	}
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return snapshot_builder_put(builder, kind, obj, err) ||
			       err_wrap(err, "%s '%s'", kind, kube_name(obj));
	}
	return true;
}

static bool add_at(struct offline *offline, const char *cluster, const json_t *obj, int depth,
                   struct err *err)
{
	const json_t *items = json_object_get(obj, "items");
	const char *kind = json_str_at(obj, "kind", "");
	if (kind[0] == '\0')
		return err_set(err, ERR_INVALID, "an object without kind");
	if (!str_ends_with(str_from(kind), STR_LIT("List")) || !json_is_array(items))
		return cluster != NULL ? add_member(offline, cluster, obj, err)
		                       : add_hosted(offline, obj, err);
	if (depth >= LIST_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "Lists in Lists, more than %d deep",
		               LIST_DEPTH_MAX);
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (!add_at(offline, cluster, json_array_get(items, i), depth + 1, err))
			return err_wrap(err, "items[%zu]", i);
	}
	return true;
}

bool offline_add(struct offline *offline, const char *cluster, const json_t *obj, struct err *err)
{
	return add_at(offline, cluster, obj, 0, err);
}

/* --- the mesh --------------------------------------------------------------------------------- */

static void set_cluster(struct offline *offline, const struct cluster_spec *spec)
{
	struct mesh_cluster cluster = {
		.name = spec->name,
		.network = spec->network,
		.locality = spec->locality,
		.created_s = spec->created_s,
		.withdrawn = spec->deleting || strcmp(spec->phase, "Leaving") == 0,
		.why_withdrawn = "",
	};
	if (cluster.withdrawn)
		cluster.why_withdrawn = "its cluster leaves";
	mesh_builder_set_cluster(offline->builder, &cluster);
}

/* What the gateway's status says of an address; without a word about it, it is live. */
static const struct gateway_status_address *said_of(const struct gateway_spec *gateway,
                                                    const struct host_port *at)
{
	for (size_t i = 0; i < gateway->n_status_addresses; i++) {
		const struct gateway_status_address *said = &gateway->status_addresses[i];
		if (said->port == at->port && strcmp(said->host, at->host) == 0)
			return said;
	}
	return NULL;
}

static void add_address(struct mesh_network *network, const struct gateway_spec *gateway,
                        const struct host_port *at)
{
	const struct gateway_status_address *said = gateway != NULL ? said_of(gateway, at) : NULL;
	if (network->n_gateways >= ADDRESSES_MAX)
		return;
	network->gateways[network->n_gateways++] = (struct mesh_gateway){
		.name = gateway != NULL ? gateway->name : "",
		.cluster = gateway != NULL ? gateway->cluster : "",
		.address = at->host,
		.port = at->port,
		.weight = 1,
		.mark = true,
		.live = said == NULL || said->live,
		.reason = said != NULL && !said->live ? said->reason : "",
	};
}

static int by_place(const void *a, const void *b)
{
	const struct mesh_gateway *x = a;
	const struct mesh_gateway *y = b;
	int order = strcmp(x->cluster, y->cluster);
	if (order == 0)
		order = strcmp(x->name, y->name);
	if (order == 0)
		order = strcmp(x->address, y->address);
	return order != 0 ? order : (int)x->port - (int)y->port;
}

static bool belongs_to(const struct offline *offline, const struct gateway_spec *gateway,
                       const struct group_spec *group)
{
	const struct cluster_spec *cluster = map_find_text(&offline->clusters, gateway->cluster);
	return cluster != NULL && !gateway->deleting && strcmp(cluster->network, group->name) == 0;
}

static void set_network(struct offline *offline, const struct group_spec *group)
{
	struct mesh_gateway *gateways = xcalloc(ADDRESSES_MAX, sizeof(*gateways));
	struct mesh_network network = {.name = group->name, .gateways = gateways};
	for (size_t i = 0; i < group->n_addresses; i++)
		add_address(&network, NULL, &group->addresses[i]);
	map_for_each (it, &offline->gateways) {
		const struct gateway_spec *gateway = map_value(it);
		bool used = group->n_addresses == 0 && belongs_to(offline, gateway, group);
		for (size_t i = 0; used && i < gateway->n_addresses; i++)
			add_address(&network, gateway, &gateway->addresses[i]);
	}
	qsort(gateways, network.n_gateways, sizeof(*gateways), by_place);
	network.joined =
		group->joined && offline->settings.interconnect_enabled && network.n_gateways > 0;
	mesh_builder_set_network(offline->builder, &network);
	free(gateways);
}

struct mesh *offline_mesh(struct offline *offline, struct err *err)
{
	map_for_each (it, &offline->snapshots) {
		struct str name = map_key(it);
		if (map_find(&offline->clusters, name) == NULL) {
			err_set(err, ERR_INVALID,
			        "folder '%.*s' holds a member's objects, but no Cluster '%.*s' is "
			        "at the top; add one, or rename the folder",
			        STR_ARG(name), STR_ARG(name));
			return NULL;
		}
	}
	mesh_builder_set_settings(offline->builder, &offline->settings);
	map_for_each (it, &offline->clusters)
		set_cluster(offline, map_value(it));
	map_for_each (it, &offline->groups)
		set_network(offline, map_value(it));
	map_for_each (it, &offline->snapshots) {
		char *name = str_dup(map_key(it));
		struct snapshot *snapshot = snapshot_builder_build(map_value(it));
		mesh_builder_set_snapshot(offline->builder, name, snapshot);
		snapshot_unref(snapshot);
		free(name);
	}
	return mesh_builder_build(offline->builder);
}
