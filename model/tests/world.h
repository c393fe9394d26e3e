/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests: members with nodes and services, networks with gateways, and the mesh of
 * them. Members are set with world_cluster, filled with world_node and world_service; world_mesh
 * builds.
 */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/yaml.h"
#include "model/mesh.h"
#include "model/snapshot_builder.h"
#include "tests/check.h"
#include "tests/objects.h"

enum {
	WORLD_CLUSTERS = 8
};

struct world {
	struct mesh_builder *builder;
	struct {
		char name[32];
		struct snapshot_builder *snapshots;
	} clusters[WORLD_CLUSTERS];
	size_t n_clusters;
	struct mesh *mesh; /* the last one built */
};

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->builder = mesh_builder_create();
}

static inline void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		snapshot_builder_destroy(w->clusters[i].snapshots);
	mesh_builder_destroy(w->builder);
	mesh_unref(w->mesh);
}

static inline struct snapshot_builder *world_snapshots(struct world *w, const char *cluster)
{
	for (size_t i = 0; i < w->n_clusters; i++) {
		if (strcmp(w->clusters[i].name, cluster) == 0)
			return w->clusters[i].snapshots;
	}
	size_t i = w->n_clusters++;

	assert_true(i < WORLD_CLUSTERS);
	snprintf(w->clusters[i].name, sizeof(w->clusters[i].name), "%s", cluster);
	w->clusters[i].snapshots = snapshot_builder_create(cluster);
	return w->clusters[i].snapshots;
}

/* Clusters are the older the earlier in the alphabet. */
static inline void world_cluster(struct world *w, const char *name, const char *network,
                                 const char *locality)
{
	struct mesh_cluster c = {.name = name,
	                         .network = network,
	                         .locality = locality_parse(str_from(locality)),
	                         .created_s = 100};

	mesh_builder_set_cluster(w->builder, &c);
	world_snapshots(w, name);
}

/* A joined network with one gateway per address ("gw-c1@c1:192.0.2.1"; a '-' in front: dead). */
static inline void world_network(struct world *w, const char *name, bool joined,
                                 const char *gateways)
{
	struct mesh_gateway list[8];
	struct mesh_network n = {.name = name, .joined = joined, .gateways = list};
	char text[256];

	snprintf(text, sizeof(text), "%s", gateways);
	for (char *rest = text, *at; (at = strsep(&rest, " ")) != NULL;) {
		if (at[0] == '\0')
			continue;
		bool live = at[0] != '-';
		char *address = strchr(at, ':'), *cluster = strchr(at, '@');

		*address++ = *cluster++ = '\0';
		list[n.n_gateways++] = (struct mesh_gateway){.name = at + !live,
		                                             .cluster = cluster,
		                                             .address = address,
		                                             .port = 15443,
		                                             .weight = 1,
		                                             .mark = true,
		                                             .live = live,
		                                             .reason = live ? "" : "cut"};
	}
	mesh_builder_set_network(w->builder, &n);
}

/* Endpoints of the demo's service in this network do not answer; why NULL: they do again. */
static inline void world_outage(struct world *w, const char *network, const char *why)
{
	struct mesh_outage outage = {network, "outbound_.5000_._.hello.sample.svc.cluster.local",
	                             why};

	if (why != NULL)
		mesh_builder_set_outage(w->builder, &outage);
	else
		mesh_builder_remove_outage(w->builder, network, outage.sni);
}

static inline void world_node(struct world *w, const char *cluster, const char *node,
                              const char *locality)
{
	const struct locality *l = locality_parse(str_from(locality));
	char *text = xasprintf("{kind: Node, metadata: {name: %s, labels: "
	                       "{topology.kubernetes.io/region: %s, topology.kubernetes.io/zone: "
	                       "\"%s\", topology.istio.io/subzone: \"%s\"}}}",
	                       node, l->region, l->zone, l->subzone);

	objects_put(world_snapshots(w, cluster), text);
	free(text);
}

static inline void world_endpoint(struct snapshot_builder *b, struct buf *slice, const char *ns,
                                  char *spec)
{
	bool ready = true, terminating = false, mtls = true;
	char *node = strchr(spec, '@'), *version = strchr(spec, '=');
	char last = spec[strlen(spec) - 1];

	if (last == '-' || last == '~' || last == '!') {
		ready = last == '!';
		terminating = last == '~';
		mtls = last != '!';
		spec[strlen(spec) - 1] = '\0';
	}
	if (version != NULL)
		*version++ = '\0';
	if (node != NULL)
		*node++ = '\0';
	buf_printf(slice,
	           "{addresses: [%s], nodeName: %s, conditions: {ready: %s, terminating: %s}, "
	           "targetRef: {kind: Pod, name: p-%s}},",
	           spec, node != NULL ? node : "none", ready ? "true" : "false",
	           terminating ? "true" : "false", spec);
	char *pod =
		xasprintf("{kind: Pod, metadata: {namespace: %s, name: p-%s, labels: {version: "
	                  "\"%s\", security.istio.io/tlsMode: %s}}}",
	                  ns, spec, version != NULL ? version : "v1", mtls ? "istio" : "disabled");

	objects_put(b, pod);
	free(pod);
}

/* key "NS/NAME"; ports "http:5000 web:80"; endpoints "10.0.0.1@node=v2-": node, version label, and
 * at the end '-' not ready, '~' terminating, '!' no mTLS. extra goes into the Service's metadata.
 */
static inline void world_service(struct world *w, const char *cluster, const char *key,
                                 const char *ports, const char *endpoints, const char *extra)
{
	struct snapshot_builder *b = world_snapshots(w, cluster);
	struct buf service, slice;
	char text[1024], ns[64];
	const char *name = strchr(key, '/') + 1;

	snprintf(ns, sizeof(ns), "%.*s", (int)(name - 1 - key), key);
	buf_init(&service, 1 << 20);
	buf_init(&slice, 1 << 20);
	buf_printf(&service,
	           "{kind: Service, metadata: {namespace: %s, name: %s%s}, spec: {ports: [", ns,
	           name, extra);
	buf_printf(&slice,
	           "{kind: EndpointSlice, metadata: {namespace: %s, name: %s-1, labels: "
	           "{kubernetes.io/service-name: %s}}, ports: [",
	           ns, name, name);
	snprintf(text, sizeof(text), "%s", ports);
	for (char *rest = text, *at; (at = strsep(&rest, " ")) != NULL;) {
		char *number = strchr(at, ':');

		*number++ = '\0';
		buf_printf(&service, "{name: \"%s\", port: %s},", at, number);
		buf_printf(&slice, "{name: \"%s\", port: %s},", at, number);
	}
	buf_add_text(&slice, "], endpoints: [");
	snprintf(text, sizeof(text), "%s", endpoints);
	for (char *rest = text, *at; (at = strsep(&rest, " ")) != NULL;) {
		if (at[0] != '\0')
			world_endpoint(b, &slice, ns, at);
	}
	buf_add_text(&service, "]}}");
	buf_add_text(&slice, "]}");
	objects_put(b, buf_text(&service));
	objects_put(b, buf_text(&slice));
	buf_fini(&service);
	buf_fini(&slice);
}

static inline void world_rule(struct world *w, const char *text)
{
	struct err err = {0};
	json_t *obj = yaml_parse(str_from(text), "rule", &err);
	struct policy *policy = obj != NULL ? policy_decode(obj, &err) : NULL;

	if (policy == NULL)
		fail_msg("%s: %s", text, err.msg);
	mesh_builder_set_policy(w->builder, policy);
	policy_unref(policy);
	json_decref(obj);
}

static inline void world_settings(struct world *w, const char *spec)
{
	struct err err = {0};
	char *text = xasprintf("{metadata: {name: default}, spec: %s}", spec);
	json_t *obj = yaml_parse(str_from(text), "mesh", &err);
	struct mesh_settings settings;

	if (obj == NULL || !mesh_settings_decode(obj, &settings, &err))
		fail_msg("%s: %s", spec, err.msg);
	mesh_builder_set_settings(w->builder, &settings);
	mesh_settings_fini(&settings);
	json_decref(obj);
	free(text);
}

/* Borrowed from the world until the next call. */
static inline struct mesh *world_mesh(struct world *w)
{
	for (size_t i = 0; i < w->n_clusters; i++) {
		struct snapshot *s = snapshot_builder_build(w->clusters[i].snapshots);

		mesh_builder_set_snapshot(w->builder, w->clusters[i].name, s);
		snapshot_unref(s);
	}
	mesh_unref(w->mesh);
	w->mesh = mesh_builder_build(w->builder);
	return w->mesh;
}

/* The three clusters of the demo: c1 and c2 in one region, c3 in another, a network each. */
static inline void world_demo(struct world *w)
{
	static const struct {
		const char *cluster, *network, *locality, *gateways;
	} rows[] = {
		{"c1", "n1", "region1/zone1/subzone1", "gw1@c1:192.0.2.1"},
		{"c2", "n2", "region1/zone2/subzone2", "gw2@c2:192.0.2.2"},
		{"c3", "n3", "region2/zone3/subzone3", "gw3@c3:192.0.2.3"},
	};

	world_init(w);
	for (size_t i = 0; i < 3; i++) {
		world_cluster(w, rows[i].cluster, rows[i].network, "");
		world_network(w, rows[i].network, true, rows[i].gateways);
		world_node(w, rows[i].cluster, "node", rows[i].locality);
	}
	world_service(w, "c1", "sample/hello", "http:5000", "10.0.0.1@node 10.0.0.2@node", "");
	world_service(w, "c2", "sample/hello", "http:5000", "10.0.0.1@node 10.0.0.2@node", "");
	world_service(w, "c3", "sample/hello", "http:5000", "10.0.0.1@node 10.0.0.2@node", "");
}
