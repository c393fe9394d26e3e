/* SPDX-License-Identifier: Apache-2.0 */
#include "model/snapshot.h"

#include "snapshot_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

static void destroy(struct shared *value)
{
	struct snapshot *s = CONTAINER_OF(value, struct snapshot, shared);

	free((char *)(uintptr_t)s->cluster);
	free((char *)(uintptr_t)s->uid);
	free((char *)(uintptr_t)s->network);
	tree_unref(s->services);
	free(s);
}

struct snapshot *snapshot_make(const char *cluster, const char *uid, const char *network,
                               struct tree *services)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	shared_init(&s->shared, destroy);
	s->cluster = xstrdup(cluster);
	s->uid = xstrdup(uid);
	s->network = xstrdup(network);
	s->services = tree_ref(services);
	return s;
}

struct snapshot *snapshot_create(const char *cluster)
{
	return snapshot_make(cluster, "", "", NULL);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	shared_ref(&snapshot->shared);
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (snapshot != NULL)
		shared_unref(&snapshot->shared);
}

const struct snap_service *snapshot_find(const struct snapshot *snapshot, const char *key)
{
	return tree_find(snapshot->services, str_from(key));
}

const struct snap_port *snap_service_find_port(const struct snap_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		if (strcmp(service->ports[i].name, name) == 0)
			return &service->ports[i];
	}
	return NULL;
}

static void service_destroy(struct shared *value)
{
	struct snap_service *s = CONTAINER_OF(value, struct snap_service, shared);

	for (size_t i = 0; i < s->n_ports; i++) {
		struct snap_port *port = &s->ports[i];

		for (size_t k = 0; k < port->n_endpoints; k++)
			labels_unref(port->endpoints[k].labels);
		free(port->endpoints);
		free((char *)(uintptr_t)port->name);
		free((char *)(uintptr_t)port->protocol);
	}
	free(s->ports);
	labels_unref(s->labels);
	free((char *)(uintptr_t)s->key);
	free((char *)(uintptr_t)s->ns);
	free((char *)(uintptr_t)s->name);
	free(s);
}

struct snap_service *snap_service_create(struct str ns, struct str name)
{
	struct snap_service *s = xcalloc(1, sizeof(*s));

	shared_init(&s->shared, service_destroy);
	s->key = xasprintf("%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	s->ns = str_dup(ns);
	s->name = str_dup(name);
	return s;
}

static int by_number(const void *a, const void *b)
{
	const struct snap_port *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The better of two entries of one address stands first: it is the one that is kept. */
static int by_address(const void *a, const void *b)
{
	const struct snap_endpoint *x = a, *y = b;
	int cmp = memcmp(&x->ip, &y->ip, sizeof(x->ip));

	if (cmp != 0)
		return cmp;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->terminating != y->terminating)
		return x->terminating ? 1 : -1;
	if (x->ready != y->ready)
		return x->ready ? -1 : 1;
	return 0;
}

static void finish_port(struct snap_port *port)
{
	size_t n = 0;

	if (port->n_endpoints > 1)
		qsort(port->endpoints, port->n_endpoints, sizeof(port->endpoints[0]), by_address);
	for (size_t i = 0; i < port->n_endpoints; i++) {
		struct snap_endpoint *ep = &port->endpoints[i];

		if (n > 0 && ip_eq(&port->endpoints[n - 1].ip, &ep->ip) &&
		    port->endpoints[n - 1].port == ep->port)
			labels_unref(ep->labels);
		else
			port->endpoints[n++] = *ep;
	}
	port->n_endpoints = n;
}

void snap_service_finish(struct snap_service *service)
{
	if (service->n_ports > 1)
		qsort(service->ports, service->n_ports, sizeof(service->ports[0]), by_number);
	for (size_t i = 0; i < service->n_ports; i++)
		finish_port(&service->ports[i]);
}

void snap_service_count(const struct snap_service *service, size_t *endpoints, size_t *ready)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		*endpoints += service->ports[i].n_endpoints;
		for (size_t k = 0; k < service->ports[i].n_endpoints; k++)
			*ready += service->ports[i].endpoints[k].ready;
	}
}

static bool endpoint_eq(const struct snap_endpoint *a, const struct snap_endpoint *b)
{
	return ip_eq(&a->ip, &b->ip) && a->port == b->port && a->locality == b->locality &&
	       a->ready == b->ready && a->terminating == b->terminating && a->mtls == b->mtls &&
	       labels_eq(a->labels, b->labels);
}

static bool port_eq(const struct snap_port *a, const struct snap_port *b)
{
	if (a->number != b->number || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->protocol, b->protocol) != 0 || a->n_endpoints != b->n_endpoints)
		return false;
	for (size_t i = 0; i < a->n_endpoints; i++) {
		if (!endpoint_eq(&a->endpoints[i], &b->endpoints[i]))
			return false;
	}
	return true;
}

bool snap_service_eq(const struct snap_service *a, const struct snap_service *b)
{
	if (a == b)
		return true;
	if (strcmp(a->key, b->key) != 0 || a->n_ports != b->n_ports || a->export != b->export ||
	    a->headless != b->headless || a->external != b->external ||
	    !labels_eq(a->labels, b->labels))
		return false;
	for (size_t i = 0; i < a->n_ports; i++) {
		if (!port_eq(&a->ports[i], &b->ports[i]))
			return false;
	}
	return true;
}

static void on_diff(struct str key, void *old_value, void *new_value, void *arg)
{
	bool *equal = arg;

	(void)key;
	if (old_value == NULL || new_value == NULL || !snap_service_eq(old_value, new_value))
		*equal = false;
}

bool snapshot_eq(const struct snapshot *a, const struct snapshot *b)
{
	bool equal = strcmp(a->cluster, b->cluster) == 0 && strcmp(a->uid, b->uid) == 0 &&
	             strcmp(a->network, b->network) == 0;

	if (equal)
		tree_diff(a->services, b->services, on_diff, &equal);
	return equal;
}
