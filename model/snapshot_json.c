/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk copy of a snapshot. Label sets stand once in a table, in the order in which services
 * need them, so equal snapshots give equal bytes whatever pointers they share. An endpoint is
 * [address, port, locality, flags, label set].
 */
#include "snapshot_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"

#define KIND "ClusterSnapshot"

enum {
	FLAG_READY = 1,
	FLAG_TERMINATING = 2,
	FLAG_MTLS = 4
};

struct saver {
	struct map index; /* canonical text of a set → its json_integer */
	json_t *sets;
};

static json_t *save_labels(struct saver *saver, const struct labels *labels)
{
	json_t *obj = labels_encode(labels);
	char *text = json_format_sorted(obj);
	json_t *number = map_find_text(&saver->index, text);

	if (number == NULL) {
		number = json_integer((json_int_t)json_array_size(saver->sets));
		json_array_append(saver->sets, obj);
		map_set(&saver->index, str_from(text), number);
	}
	json_decref(obj);
	free(text);
	return json_incref(number);
}

static json_t *save_endpoint(struct saver *saver, const struct snap_endpoint *ep)
{
	char text[IP_TEXT_MAX];
	json_t *row = json_array();
	int flags = (ep->ready ? FLAG_READY : 0) | (ep->terminating ? FLAG_TERMINATING : 0) |
	            (ep->mtls ? FLAG_MTLS : 0);

	json_array_append_new(row, json_string(ip_format(&ep->ip, text)));
	json_array_append_new(row, json_integer(ep->port));
	json_array_append_new(row, json_string(ep->locality->text));
	json_array_append_new(row, json_integer(flags));
	json_array_append_new(row, save_labels(saver, ep->labels));
	return row;
}

static json_t *save_service(struct saver *saver, const struct snap_service *service)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < service->n_ports; i++) {
		const struct snap_port *port = &service->ports[i];
		json_t *endpoints = json_array();

		for (size_t k = 0; k < port->n_endpoints; k++)
			json_array_append_new(endpoints, save_endpoint(saver, &port->endpoints[k]));
		json_array_append_new(ports, json_pack("{s:s, s:i, s:s, s:o}", "name", port->name,
		                                       "number", (int)port->number, "protocol",
		                                       port->protocol, "endpoints", endpoints));
	}
	return json_pack("{s:s, s:s, s:o, s:i, s:b, s:b, s:o}", "ns", service->ns, "name",
	                 service->name, "labels", save_labels(saver, service->labels), "export",
	                 (int)service->export, "headless", (int)service->headless, "external",
	                 (int)service->external, "ports", ports);
}

static void free_number(void *value)
{
	json_decref(value);
}

char *snapshot_save(const struct snapshot *snapshot, size_t *ret_len)
{
	struct saver saver = {MAP_EMPTY, json_array()};
	json_t *services = json_array();
	struct tree_iter it;

	for (const struct snap_service *s = tree_first(&it, snapshot->services); s != NULL;
	     s = tree_next(&it))
		json_array_append_new(services, save_service(&saver, s));
	json_t *all = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o}", "kind", KIND, "format",
	                        SNAPSHOT_FORMAT, "cluster", snapshot->cluster, "uid", snapshot->uid,
	                        "network", snapshot->network, "labelSets", saver.sets, "services",
	                        services);
	char *text = json_format_sorted(all);

	json_decref(all);
	map_fini(&saver.index, free_number);
	*ret_len = strlen(text);
	return text;
}

struct loader {
	struct labels **sets;
	size_t n_sets;
};

static bool load_sets(const json_t *array, struct loader *loader, struct err *err)
{
	size_t n = json_array_size(array);

	loader->sets = xcalloc(n + 1, sizeof(loader->sets[0]));
	for (size_t i = 0; i < n; i++) {
		struct labels *set = labels_decode(json_array_get(array, i), err);

		if (set == NULL)
			return err_wrap(err, "label set %zu", i);
		loader->sets[loader->n_sets++] = set;
	}
	return true;
}

/* Borrowed; NULL if the number is none of ours. */
static struct labels *load_labels(const struct loader *loader, const json_t *number)
{
	json_int_t i = json_integer_value(number);

	if (!json_is_integer(number) || i < 0 || (size_t)i >= loader->n_sets)
		return NULL;
	return loader->sets[i];
}

static bool load_endpoint(const struct loader *loader, const json_t *row, struct snap_endpoint *ep)
{
	const char *address = json_string_value(json_array_get(row, 0));
	json_int_t port = json_integer_value(json_array_get(row, 1));
	const char *locality = json_string_value(json_array_get(row, 2));
	json_int_t flags = json_integer_value(json_array_get(row, 3));
	struct labels *labels = load_labels(loader, json_array_get(row, 4));

	if (address == NULL || !ip_parse(str_from(address), &ep->ip) || port < 1 || port > 65535 ||
	    locality == NULL || labels == NULL)
		return false;
	ep->port = (uint16_t)port;
	ep->locality = locality_parse(str_from(locality));
	ep->ready = (flags & FLAG_READY) != 0;
	ep->terminating = (flags & FLAG_TERMINATING) != 0;
	ep->mtls = (flags & FLAG_MTLS) != 0;
	ep->labels = labels_ref(labels);
	return true;
}

static bool load_port(const struct loader *loader, const json_t *obj, struct snap_port *port)
{
	const json_t *endpoints = json_object_get(obj, "endpoints");
	int64_t number = json_int_at(obj, "number", 0);
	size_t n = json_array_size(endpoints);

	if (number < 1 || number > 65535 || n > SNAPSHOT_ENDPOINTS_MAX)
		return false;
	port->number = (uint16_t)number;
	port->name = xstrdup(json_str_at(obj, "name", ""));
	port->protocol = xstrdup(json_str_at(obj, "protocol", "TCP"));
	port->endpoints = xcalloc(n + 1, sizeof(port->endpoints[0]));
	for (; port->n_endpoints < n; port->n_endpoints++) {
		if (!load_endpoint(loader, json_array_get(endpoints, port->n_endpoints),
		                   &port->endpoints[port->n_endpoints]))
			return false;
	}
	return true;
}

/* NULL: broken. */
static struct snap_service *load_service(const struct loader *loader, const json_t *obj)
{
	const char *ns = json_str_at(obj, "ns", ""), *name = json_str_at(obj, "name", "");
	const json_t *ports = json_object_get(obj, "ports");
	struct labels *labels = load_labels(loader, json_object_get(obj, "labels"));
	int64_t export = json_int_at(obj, "export", -1);
	size_t n = json_array_size(ports);

	if (ns[0] == '\0' || name[0] == '\0' || labels == NULL || n > SNAPSHOT_PORTS_MAX ||
	    export < SNAP_EXPORT_DEFAULT || export > SNAP_EXPORT_NO)
		return NULL;
	struct snap_service *s = snap_service_create(str_from(ns), str_from(name));

	s->labels = labels_ref(labels);
	s->export = (enum snap_export) export;
	s->headless = json_bool_at(obj, "headless", false);
	s->external = json_bool_at(obj, "external", false);
	s->ports = xcalloc(n + 1, sizeof(s->ports[0]));
	for (size_t i = 0; i < n; i++) {
		s->n_ports = i + 1;
		if (!load_port(loader, json_array_get(ports, i), &s->ports[i])) {
			shared_unref(&s->shared);
			return NULL;
		}
	}
	snap_service_finish(s);
	return s;
}

static bool load_services(const struct loader *loader, const json_t *array, struct snapshot *to,
                          struct err *err)
{
	size_t n = json_array_size(array);

	if (n > SNAPSHOT_SERVICES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu services, at most %d are taken", n,
		               SNAPSHOT_SERVICES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct snap_service *s = load_service(loader, json_array_get(array, i));

		if (s == NULL)
			return err_set(err, ERR_INVALID, "service %zu is broken", i);
		tree_put(&to->services, str_from(s->key), &s->shared);
		snap_service_count(s, &to->n_endpoints, &to->n_ready);
		shared_unref(&s->shared);
	}
	return true;
}

struct snapshot *snapshot_load(struct str text, struct err *err)
{
	CLEANUP(json_cleanup) json_t *all = json_parse(text, err);
	struct loader loader = {0};
	struct snapshot *s = NULL;

	if (all == NULL)
		return NULL;
	if (strcmp(json_str_at(all, "kind", ""), KIND) != 0 ||
	    json_int_at(all, "format", 0) != SNAPSHOT_FORMAT) {
		err_set(err, ERR_INVALID, "not a %s of format %d", KIND, SNAPSHOT_FORMAT);
		return NULL;
	}
	s = snapshot_make(json_str_at(all, "cluster", ""), json_str_at(all, "uid", ""),
	                  json_str_at(all, "network", ""), NULL);
	if (!load_sets(json_object_get(all, "labelSets"), &loader, err) ||
	    !load_services(&loader, json_object_get(all, "services"), s, err)) {
		snapshot_unref(s);
		s = NULL;
	}
	for (size_t i = 0; i < loader.n_sets; i++)
		labels_unref(loader.sets[i]);
	free(loader.sets);
	return s;
}
