/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setters note which services they touch; a build merges those and shares the rest with the mesh of
 * before. What touches all services (settings, a wildcard rule) is rare.
 */
#include "mesh_outages_priv.h"
#include "mesh_priv.h"
#include "mesh_rules_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "model/sni.h"

struct mesh_builder {
	struct mesh_settings settings;
	struct tree *clusters;
	struct tree *networks;
	struct tree *policies;
	struct map snapshots; /* cluster → struct snapshot, one reference each */
	struct map outages;   /* key of service → struct mesh_outages, none empty */
	struct map dirty;     /* keys of services; the value means nothing */
	bool all_dirty;
	bool changed; /* something but services */
	bool views_dirty;
	struct mesh *last;
	uint64_t merges;
};

static void mark(struct mesh_builder *b, struct str key)
{
	if (!b->all_dirty)
		map_add(&b->dirty, key);
}

static void on_snapshot_diff(struct str key, void *old_value, void *new_value, void *arg)
{
	(void)old_value;
	(void)new_value;
	mark(arg, key);
}

static void mesh_destroy(struct shared *value)
{
	struct mesh *m = CONTAINER_OF(value, struct mesh, shared);

	mesh_settings_fini(&m->settings);
	tree_unref(m->clusters);
	tree_unref(m->networks);
	tree_unref(m->services);
	tree_unref(m->policies);
	free(m);
}

struct mesh_builder *mesh_builder_create(void)
{
	struct mesh_builder *b = xcalloc(1, sizeof(*b));

	mesh_settings_init(&b->settings);
	b->last = xcalloc(1, sizeof(*b->last));
	shared_init(&b->last->shared, mesh_destroy);
	mesh_settings_init(&b->last->settings);
	return b;
}

static void free_snapshot(void *value)
{
	snapshot_unref(value);
}

static void free_outages(void *value)
{
	mesh_outages_fini(value);
	free(value);
}

void mesh_builder_destroy(struct mesh_builder *builder)
{
	if (builder == NULL)
		return;
	mesh_settings_fini(&builder->settings);
	tree_unref(builder->clusters);
	tree_unref(builder->networks);
	tree_unref(builder->policies);
	map_fini(&builder->snapshots, free_snapshot);
	map_fini(&builder->outages, free_outages);
	map_fini(&builder->dirty, NULL);
	mesh_unref(builder->last);
	free(builder);
}

void mesh_builder_set_settings(struct mesh_builder *builder, const struct mesh_settings *settings)
{
	if (mesh_settings_eq(&builder->settings, settings))
		return;
	builder->all_dirty =
		builder->all_dirty || builder->settings.export_policy != settings->export_policy ||
		strcmp(builder->settings.cluster_domain, settings->cluster_domain) != 0;
	builder->changed = true;
	builder->views_dirty = true;
	mesh_settings_fini(&builder->settings);
	mesh_settings_copy(&builder->settings, settings);
}

static void mark_cluster(struct mesh_builder *b, const char *name)
{
	struct snapshot *snapshot = map_find_text(&b->snapshots, name);

	if (snapshot != NULL)
		tree_diff(NULL, snapshot->services, on_snapshot_diff, b);
}

void mesh_builder_set_cluster(struct mesh_builder *builder, const struct mesh_cluster *cluster)
{
	struct mesh_cluster *new = mesh_cluster_copy(cluster);
	const struct mesh_cluster *old = tree_find(builder->clusters, str_from(cluster->name));

	if (old == NULL || !mesh_cluster_eq(old, new)) {
		tree_put(&builder->clusters, str_from(new->name), &new->shared);
		mark_cluster(builder, new->name);
		builder->changed = true;
	}
	shared_unref(&new->shared);
}

void mesh_builder_remove_cluster(struct mesh_builder *builder, const char *name)
{
	mark_cluster(builder, name);
	snapshot_unref(map_remove(&builder->snapshots, str_from(name)));
	builder->changed = builder->changed || tree_find(builder->clusters, str_from(name)) != NULL;
	tree_drop(&builder->clusters, str_from(name));
}

void mesh_builder_set_snapshot(struct mesh_builder *builder, const char *cluster,
                               struct snapshot *snapshot)
{
	struct snapshot *old = map_find_text(&builder->snapshots, cluster);

	tree_diff(old != NULL ? old->services : NULL, snapshot != NULL ? snapshot->services : NULL,
	          on_snapshot_diff, builder);
	if (snapshot != NULL)
		map_set(&builder->snapshots, str_from(cluster), snapshot_ref(snapshot));
	else
		map_remove(&builder->snapshots, str_from(cluster));
	snapshot_unref(old);
}

void mesh_builder_set_network(struct mesh_builder *builder, const struct mesh_network *network)
{
	struct mesh_network *new = mesh_network_copy(network);
	const struct mesh_network *old = tree_find(builder->networks, str_from(network->name));

	if (old == NULL || old->joined != new->joined)
		builder->views_dirty = true;
	if (old == NULL || !mesh_network_eq(old, new)) {
		tree_put(&builder->networks, str_from(new->name), &new->shared);
		builder->changed = true;
	}
	shared_unref(&new->shared);
}

void mesh_builder_remove_network(struct mesh_builder *builder, const char *name)
{
	if (tree_find(builder->networks, str_from(name)) == NULL)
		return;
	tree_drop(&builder->networks, str_from(name));
	builder->changed = true;
	builder->views_dirty = true;
}

/* The services that the rule may be about. */
static void mark_policy(struct mesh_builder *b, const struct policy *policy)
{
	CLEANUP(free_ptr) char *host = policy_full_host(policy, b->settings.cluster_domain);
	struct str ns, name, domain;

	b->changed = true;
	if (host[0] == '*') {
		b->all_dirty = true;
	} else if (sni_split_host(str_from(host), &ns, &name, &domain)) {
		CLEANUP(free_ptr) char *key = xasprintf("%.*s/%.*s", STR_ARG(ns), STR_ARG(name));

		mark(b, str_from(key));
	}
}

void mesh_builder_set_policy(struct mesh_builder *builder, struct policy *policy)
{
	const struct policy *old = tree_find(builder->policies, str_from(policy->key));

	if (old == policy)
		return;
	if (old != NULL)
		mark_policy(builder, old);
	mark_policy(builder, policy);
	tree_put(&builder->policies, str_from(policy->key), &policy->shared);
}

void mesh_builder_remove_policy(struct mesh_builder *builder, const char *key)
{
	const struct policy *old = tree_find(builder->policies, str_from(key));

	if (old == NULL)
		return;
	mark_policy(builder, old);
	tree_drop(&builder->policies, str_from(key));
}

/* NULL: the name is no service's. Owned. */
static char *key_of_sni(const char *sni)
{
	struct sni name;
	struct str ns, service, domain;

	if (!sni_parse(str_from(sni), &name) || name.kind != SNI_SERVICE ||
	    !sni_split_host(name.host, &ns, &service, &domain))
		return NULL;
	return xasprintf("%.*s/%.*s", STR_ARG(ns), STR_ARG(service));
}

void mesh_builder_set_outage(struct mesh_builder *builder, const struct mesh_outage *outage)
{
	CLEANUP(free_ptr) char *key = key_of_sni(outage->sni);
	struct mesh_outages *have;

	if (key == NULL)
		return;
	have = map_find_text(&builder->outages, key);
	if (have == NULL) {
		have = xcalloc(1, sizeof(*have));
		map_set(&builder->outages, str_from(key), have);
	}
	if (mesh_outages_put(have, outage))
		mark(builder, str_from(key));
}

void mesh_builder_remove_outage(struct mesh_builder *builder, const char *network, const char *sni)
{
	CLEANUP(free_ptr) char *key = key_of_sni(sni);
	struct mesh_outages *have = key != NULL ? map_find_text(&builder->outages, key) : NULL;

	if (have == NULL || !mesh_outages_drop(have, network, sni))
		return;
	mark(builder, str_from(key));
	if (have->n == 0)
		free_outages(map_remove(&builder->outages, str_from(key)));
}

struct build {
	struct mesh_builder *b;
	struct mesh *next;
	struct mesh_rules rules;
	struct merge_input *inputs;
	bool differs;
};

static void merge_key(struct build *build, struct str key)
{
	struct mesh_builder *b = build->b;
	const struct mesh_service *old = tree_find(build->next->services, key);
	struct tree_iter it;
	size_t n = 0;

	for (struct mesh_cluster *c = tree_first(&it, b->clusters); c != NULL; c = tree_next(&it)) {
		struct snapshot *snapshot = map_find_text(&b->snapshots, c->name);
		struct snap_service *s =
			snapshot != NULL ? tree_find(snapshot->services, key) : NULL;

		if (s != NULL)
			build->inputs[n++] = (struct merge_input){c, s};
	}
	b->merges++;
	if (n == 0) {
		build->differs = build->differs || old != NULL;
		tree_drop(&build->next->services, key);
		return;
	}
	CLEANUP(free_ptr)
	char *host = mesh_host_of(build->inputs[0].service->key, b->settings.cluster_domain);
	struct merge_extras extras = {
		.policy = mesh_rules_find(&build->rules, str_from(build->inputs[0].service->ns),
	                                  host),
		.outages = map_find(&b->outages, key),
	};
	struct mesh_service *new = mesh_merge(build->inputs, n, &b->settings, &extras);

	if (old == NULL || !mesh_service_eq(old, new)) {
		tree_put(&build->next->services, str_from(new->key), &new->shared);
		build->differs = true;
	}
	shared_unref(&new->shared);
}

static void mark_all(struct mesh_builder *b)
{
	b->all_dirty = false;
	tree_diff(NULL, b->last->services, on_snapshot_diff, b);
	map_for_each (it, &b->snapshots) {
		const struct snapshot *snapshot = map_value(it);

		tree_diff(NULL, snapshot->services, on_snapshot_diff, b);
	}
}

static struct mesh *start_next(const struct mesh_builder *b)
{
	struct mesh *next = xcalloc(1, sizeof(*next));

	shared_init(&next->shared, mesh_destroy);
	next->revision = b->last->revision + 1;
	next->settings_revision = b->last->settings_revision + b->views_dirty;
	mesh_settings_copy(&next->settings, &b->settings);
	next->clusters = tree_ref(b->clusters);
	next->networks = tree_ref(b->networks);
	next->policies = tree_ref(b->policies);
	next->services = tree_ref(b->last->services);
	return next;
}

struct mesh *mesh_builder_build(struct mesh_builder *builder)
{
	if (builder->all_dirty)
		mark_all(builder);
	if (!builder->changed && builder->dirty.head == NULL)
		return mesh_ref(builder->last);
	struct build build = {.b = builder, .next = start_next(builder)};

	build.differs = builder->changed;
	build.inputs = xcalloc(tree_len(builder->clusters) + 1, sizeof(build.inputs[0]));
	mesh_rules_init(&build.rules, builder->policies, builder->settings.cluster_domain);
	map_for_each (it, &builder->dirty)
		merge_key(&build, map_key(it));
	mesh_rules_fini(&build.rules);
	free(build.inputs);
	map_fini(&builder->dirty, NULL);
	builder->changed = builder->views_dirty = false;
	if (!build.differs) {
		mesh_unref(build.next);
		return mesh_ref(builder->last);
	}
	mesh_unref(builder->last);
	builder->last = build.next;
	return mesh_ref(build.next);
}

uint64_t mesh_builder_merges(const struct mesh_builder *builder)
{
	return builder->merges;
}
