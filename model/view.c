/* SPDX-License-Identifier: Apache-2.0 */
#include "model/view.h"

#include "view_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/sni.h"

static void destroy(struct shared *value)
{
	struct view *v = CONTAINER_OF(value, struct view, shared);

	tree_unref(v->services);
	tree_unref(v->networks);
	free(v->peers);
	free(v->network);
	free(v->cluster);
	mesh_unref(v->mesh);
	free(v);
}

struct view *view_ref(struct view *view)
{
	shared_ref(&view->shared);
	return view;
}

void view_unref(struct view *view)
{
	if (view != NULL)
		shared_unref(&view->shared);
}

static void fill_networks(struct view *v)
{
	struct tree_iter it;

	if (!v->joined)
		return;
	for (struct mesh_network *n = tree_first(&it, v->mesh->networks); n != NULL;
	     n = tree_next(&it)) {
		if (n->joined && strcmp(n->name, v->network) != 0)
			tree_put(&v->networks, str_from(n->name), &n->shared);
	}
}

static void fill_peers(struct view *v)
{
	struct tree_iter it;

	v->peers = xcalloc(tree_len(v->mesh->clusters) + 1, sizeof(v->peers[0]));
	for (const struct mesh_cluster *c = tree_first(&it, v->mesh->clusters); c != NULL;
	     c = tree_next(&it)) {
		bool own = strcmp(c->network, v->network) == 0;

		if (own || (v->joined && mesh_is_joined(v->mesh, c->network)))
			v->peers[v->n_peers++] = c->name;
	}
}

/* Everything but services. */
static struct view *start(struct mesh *mesh, const struct view_key *key)
{
	struct view *v = xcalloc(1, sizeof(*v));

	shared_init(&v->shared, destroy);
	v->mesh = mesh_ref(mesh);
	v->network = xstrdup(key->network);
	v->cluster = xstrdup(key->cluster);
	v->locality = key->locality;
	v->role = key->role;
	v->joined = mesh_is_joined(mesh, key->network);
	fill_networks(v);
	fill_peers(v);
	return v;
}

/* The service anew in view arg; keeps the value of before if nothing differs. */
static void on_service(struct str key, void *old_value, void *new_value, void *arg)
{
	struct view *v = arg;
	const struct view_service *before = tree_find(v->services, key);
	struct view_service *after = new_value != NULL ? view_service_create(v, new_value) : NULL;

	(void)old_value;
	if (after == NULL)
		tree_drop(&v->services, key);
	else if (before == NULL || !view_service_eq(before, after))
		tree_put(&v->services, str_from(after->service->key), &after->shared);
	if (after != NULL)
		shared_unref(&after->shared);
}

struct view *view_create(struct mesh *mesh, const struct view_key *key)
{
	struct view *v = start(mesh, key);

	tree_diff(NULL, mesh->services, on_service, v);
	return v;
}

struct view *view_update(struct view *old, struct mesh *mesh)
{
	struct view_key key = {old->network, old->cluster, old->locality, old->role};

	if (old->mesh == mesh)
		return view_ref(old);
	struct view *v = start(mesh, &key);

	v->services = tree_ref(old->services);
	tree_diff(old->mesh->services, mesh->services, on_service, v);
	/* What concerns all services: those of both meshes are looked at once more. */
	if (old->mesh->settings_revision != mesh->settings_revision)
		tree_diff(NULL, mesh->services, on_service, v);
	return v;
}

const struct view_route *view_find_route(const struct view *view, const char *sni)
{
	const struct view_service *vs = NULL;
	struct sni name;
	struct str ns, service, domain;

	if (!sni_parse(str_from(sni), &name))
		return NULL;
	if (name.kind == SNI_PROBE) {
		vs = tree_find(view->services, STR_LIT(MESH_PROBE_KEY));
	} else if (name.kind == SNI_SERVICE && sni_split_host(name.host, &ns, &service, &domain)) {
		CLEANUP(free_ptr) char *key = xasprintf("%.*s/%.*s", STR_ARG(ns), STR_ARG(service));

		vs = tree_find(view->services, str_from(key));
	}
	for (size_t i = 0; vs != NULL && i < vs->n_routes; i++) {
		if (strcmp(vs->routes[i].sni, sni) == 0)
			return &vs->routes[i];
	}
	return NULL;
}

size_t view_n_routes(const struct view *view)
{
	struct tree_iter it;
	size_t n = 0;

	for (const struct view_service *vs = tree_first(&it, view->services); vs != NULL;
	     vs = tree_next(&it))
		n += vs->n_routes;
	return n;
}
