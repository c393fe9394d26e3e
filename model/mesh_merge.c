/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One service out of the Services of that namespace and name in all clusters. Ports join by name,
 * as Istio does it; where a number has two names the oldest Cluster decides, so that a new member
 * cannot change what an old one means.
 */
#include "mesh_outages_priv.h"
#include "mesh_priv.h"
#include "notes_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/sni.h"

static int by_age(const void *a, const void *b)
{
	const struct merge_input *x = a, *y = b;

	return mesh_cluster_cmp(x->cluster, y->cluster);
}

/* Istio's defaults, and our own namespace. */
static bool is_cluster_local(const char *ns, const char *name)
{
	return strcmp(ns, "kube-system") == 0 || strcmp(ns, "fedway-system") == 0 ||
	       (strcmp(ns, "default") == 0 && strcmp(name, "kubernetes") == 0);
}

static bool is_exported(const struct snap_service *service, enum export_policy policy)
{
	if (service->export != SNAP_EXPORT_DEFAULT)
		return service->export == SNAP_EXPORT_YES;
	return policy == EXPORT_ALL;
}

static struct mesh_port *find_number(const struct mesh_service *s, uint16_t number)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		if (s->ports[i].number == number)
			return &s->ports[i];
	}
	return NULL;
}

static const struct mesh_port *find_name(const struct mesh_service *s, const char *name)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		if (strcmp(s->ports[i].name, name) == 0)
			return &s->ports[i];
	}
	return NULL;
}

static void add_port(struct mesh_service *s, const struct mesh_part *part,
                     const struct snap_port *port, struct notes *conflicts)
{
	const struct mesh_port *same = find_number(s, port->number);
	const struct mesh_port *other = find_name(s, port->name);

	if (strcmp(port->protocol, "TCP") != 0)
		return;
	if (same != NULL) {
		if (strcmp(same->name, port->name) != 0)
			notes_add(
				conflicts,
				"port %u is '%s' in %s, but '%s' in an older Cluster, which counts",
				port->number, port->name, part->cluster->name, same->name);
		return;
	}
	if (s->n_ports == SNAPSHOT_PORTS_MAX) {
		notes_add(conflicts, "over %d different ports; the rest has no route",
		          SNAPSHOT_PORTS_MAX);
		return;
	}
	if (other != NULL)
		notes_add(conflicts, "port '%s' is %u in %s and %u in an older Cluster; both work",
		          port->name, port->number, part->cluster->name, other->number);
	/* The name's text belongs to the part's service, which the merged one references. */
	s->ports[s->n_ports++] = (struct mesh_port){port->name, port->number};
}

static int by_number(const void *a, const void *b)
{
	const struct mesh_port *x = a, *y = b;

	return (int)x->number - (int)y->number;
}

static void merge_ports(struct mesh_service *s, struct notes *conflicts)
{
	s->ports = xcalloc(SNAPSHOT_PORTS_MAX, sizeof(s->ports[0]));
	for (size_t i = 0; i < s->n_parts; i++) {
		const struct mesh_part *part = &s->parts[i];

		for (size_t k = 0; part->exported && k < part->service->n_ports; k++)
			add_port(s, part, &part->service->ports[k], conflicts);
		if (part->service->headless != s->parts[0].service->headless)
			notes_add(conflicts, "%s in %s, unlike in %s",
			          part->service->headless ? "headless" : "not headless",
			          part->cluster->name, s->parts[0].cluster->name);
	}
	s->ports = xrealloc(s->ports, (s->n_ports + 1) * sizeof(s->ports[0]));
	if (s->n_ports > 1)
		qsort(s->ports, s->n_ports, sizeof(s->ports[0]), by_number);
}

static void count_part(const struct mesh_service *s, struct mesh_part *part)
{
	for (size_t i = 0; i < part->service->n_ports; i++) {
		const struct snap_port *port = &part->service->ports[i];
		uint32_t ready = 0, total = 0;

		if (mesh_part_judge(s, part, port) != MESH_USED)
			continue;
		for (size_t k = 0; k < port->n_endpoints; k++) {
			if (mesh_endpoint_judge(&port->endpoints[k]) != MESH_USED)
				continue;
			total++;
			ready += port->endpoints[k].ready;
		}
		if (total > part->total || (total == part->total && ready > part->ready)) {
			part->total = total;
			part->ready = ready;
		}
	}
}

static enum mesh_left_out judge_service(const struct mesh_service *s)
{
	size_t exported = 0, external = 0;

	if (is_cluster_local(s->ns, s->name) || sni_is_refused_host(str_from(s->host)))
		return MESH_CLUSTER_LOCAL;
	for (size_t i = 0; i < s->n_parts; i++) {
		exported += s->parts[i].exported;
		external += s->parts[i].service->external;
	}
	if (exported == 0)
		return MESH_NOT_EXPORTED;
	return external == s->n_parts ? MESH_EXTERNAL : MESH_USED;
}

static void destroy(struct shared *value)
{
	struct mesh_service *s = CONTAINER_OF(value, struct mesh_service, shared);

	for (size_t i = 0; i < s->n_parts; i++) {
		shared_unref(&s->parts[i].cluster->shared);
		shared_unref(&s->parts[i].service->shared);
	}
	free(s->parts);
	free(s->ports);
	policy_unref(s->policy);
	mesh_outages_fini(&s->outages);
	notes_free(s->conflicts, s->n_conflicts);
	free((char *)(uintptr_t)s->key);
	free((char *)(uintptr_t)s->host);
	free((char *)(uintptr_t)s->ns);
	free((char *)(uintptr_t)s->name);
	free(s);
}

char *mesh_host_of(const char *key, const char *cluster_domain)
{
	struct str name = str_from(key), ns;

	str_split(&name, '/', &ns);
	return xasprintf("%.*s.%.*s.svc.%s", STR_ARG(name), STR_ARG(ns), cluster_domain);
}

struct mesh_service *mesh_merge(struct merge_input *inputs, size_t n,
                                const struct mesh_settings *settings,
                                const struct merge_extras *extras)
{
	struct mesh_service *s = xcalloc(1, sizeof(*s));
	const struct snap_service *first = inputs[0].service;
	struct notes conflicts = {0};

	shared_init(&s->shared, destroy);
	s->key = xstrdup(first->key);
	s->ns = xstrdup(first->ns);
	s->name = xstrdup(first->name);
	s->host = mesh_host_of(first->key, settings->cluster_domain);
	s->policy = extras->policy != NULL ? policy_ref(extras->policy) : NULL;
	if (extras->outages != NULL)
		mesh_outages_copy(&s->outages, extras->outages);
	s->parts = xcalloc(n, sizeof(s->parts[0]));
	qsort(inputs, n, sizeof(inputs[0]), by_age);
	for (size_t i = 0; i < n; i++) {
		struct mesh_part *part = &s->parts[s->n_parts++];

		shared_ref(&inputs[i].cluster->shared);
		shared_ref(&inputs[i].service->shared);
		part->cluster = inputs[i].cluster;
		part->service = inputs[i].service;
		part->exported = is_exported(part->service, settings->export_policy);
	}
	s->left_out = judge_service(s);
	if (s->left_out == MESH_USED)
		merge_ports(s, &conflicts);
	notes_take(&conflicts, &s->conflicts, &s->n_conflicts);
	for (size_t i = 0; i < n; i++)
		count_part(s, &s->parts[i]);
	return s;
}

/* The rest follows from what is compared. */
bool mesh_service_eq(const struct mesh_service *a, const struct mesh_service *b)
{
	if (a->policy != b->policy || a->n_parts != b->n_parts || a->left_out != b->left_out ||
	    strcmp(a->host, b->host) != 0 || !mesh_outages_eq(&a->outages, &b->outages))
		return false;
	for (size_t i = 0; i < a->n_parts; i++) {
		if (a->parts[i].cluster != b->parts[i].cluster ||
		    a->parts[i].service != b->parts[i].service ||
		    a->parts[i].exported != b->parts[i].exported)
			return false;
	}
	return true;
}
