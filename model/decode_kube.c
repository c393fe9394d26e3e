/* SPDX-License-Identifier: Apache-2.0 */
#include "decode_kube_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

bool kube_decode_key(const json_t *obj, const char **ret_ns, const char **ret_name, struct err *err)
{
	const char *name = json_str_at(obj, "metadata.name", NULL);

	if (name == NULL || name[0] == '\0')
		return err_set(err, ERR_INVALID, "object has no metadata.name");
	*ret_ns = json_str_at(obj, "metadata.namespace", "");
	*ret_name = name;
	return true;
}

struct labels *kube_decode_labels(const json_t *obj, struct err *err)
{
	return labels_decode(json_at(obj, "metadata.labels"), err);
}

static void ports_fini(struct kube_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(ports[i].name);
		free(ports[i].protocol);
	}
	free(ports);
}

struct err_limit {
	const char *what;
	size_t max;
};

/* Service and EndpointSlice write ports alike. A port without a number stands for all ports and
 * joins nothing. */
static bool decode_ports(const json_t *array, const struct err_limit *limit,
                         struct kube_port **ret_ports, size_t *ret_n, struct err *err)
{
	size_t n = json_array_size(array), used = 0;

	if (n > limit->max)
		return err_set(err, ERR_TOO_LARGE, "%s has %zu ports, at most %zu are taken",
		               limit->what, n, limit->max);
	struct kube_port *ports = xcalloc(n + 1, sizeof(ports[0]));

	for (size_t i = 0; i < n; i++) {
		const json_t *port = json_array_get(array, i);
		int64_t number = json_int_at(port, "port", 0);

		if (number < 1 || number > 65535)
			continue;
		ports[used].number = (uint16_t)number;
		ports[used].name = xstrdup(json_str_at(port, "name", ""));
		ports[used].protocol = xstrdup(json_str_at(port, "protocol", "TCP"));
		used++;
	}
	*ret_ports = ports;
	*ret_n = used;
	return true;
}

/* One of the names in a comma-separated list. */
static bool list_has(const char *list, const char *name)
{
	struct str rest = str_from(list), item;

	while (str_split(&rest, ',', &item)) {
		if (str_is(str_trim(item), name))
			return true;
	}
	return false;
}

static enum snap_export decode_export(const struct labels *labels, const struct labels *notes)
{
	const char *word = labels_find(labels, "fedway.io/export");
	const char *to = labels_find(notes, "networking.istio.io/exportTo");

	if (word == NULL)
		word = labels_find(notes, "fedway.io/export");
	if (word != NULL)
		return strcmp(word, "true") == 0 ? SNAP_EXPORT_YES : SNAP_EXPORT_NO;
	if (to != NULL && !list_has(to, "*") && !list_has(to, "istio-system"))
		return SNAP_EXPORT_NO;
	return SNAP_EXPORT_DEFAULT;
}

/* Annotations hold whole objects at times, so only the two that matter are looked at. */
static struct labels *decode_notes(const json_t *obj, struct err *err)
{
	static const char *const keys[] = {"fedway.io/export", "networking.istio.io/exportTo"};
	const json_t *all = json_at(obj, "metadata.annotations");
	json_t *some = json_object();

	for (size_t i = 0; i < N_ELEMS(keys); i++) {
		json_t *value = json_object_get(all, keys[i]);

		if (json_is_string(value))
			json_object_set(some, keys[i], value);
	}
	struct labels *notes = labels_decode(some, err);

	json_decref(some);
	return notes;
}

bool kube_decode_service(const json_t *obj, struct kube_service *ret_service, struct err *err)
{
	static const struct err_limit limit = {"Service", SNAPSHOT_PORTS_MAX};
	struct kube_service s = {0};
	struct labels *notes = decode_notes(obj, err);

	s.labels = notes != NULL ? kube_decode_labels(obj, err) : NULL;
	if (s.labels == NULL ||
	    !decode_ports(json_at(obj, "spec.ports"), &limit, &s.ports, &s.n_ports, err)) {
		labels_unref(notes);
		kube_service_fini(&s);
		return false;
	}
	s.export = decode_export(s.labels, notes);
	s.headless = strcmp(json_str_at(obj, "spec.clusterIP", ""), "None") == 0;
	s.external = strcmp(json_str_at(obj, "spec.type", ""), "ExternalName") == 0;
	s.mtls = kube_is_mtls(s.labels);
	labels_unref(notes);
	*ret_service = s;
	return true;
}

void kube_service_fini(struct kube_service *service)
{
	labels_unref(service->labels);
	ports_fini(service->ports, service->n_ports);
	*service = (struct kube_service){0};
}

static char *dup_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? xstrdup(text) : NULL;
}

/* False: no address we can use (a host name, or none). */
static bool decode_endpoint(const json_t *obj, struct kube_endpoint *ep)
{
	const char *address =
		json_string_value(json_array_get(json_object_get(obj, "addresses"), 0));

	if (address == NULL || !ip_parse(str_from(address), &ep->ip))
		return false;
	ep->terminating = json_bool_at(obj, "conditions.terminating", false);
	ep->ready = json_bool_at(obj, "conditions.ready", true);
	if (strcmp(json_str_at(obj, "targetRef.kind", ""), "Pod") == 0)
		ep->pod = dup_or_null(json_str_at(obj, "targetRef.name", NULL));
	ep->node = dup_or_null(json_str_at(obj, "nodeName", NULL));
	return true;
}

bool kube_decode_slice(const json_t *obj, struct kube_slice *ret_slice, struct err *err)
{
	static const struct err_limit limit = {"EndpointSlice", KUBE_SLICE_PORTS_MAX};
	const json_t *endpoints = json_object_get(obj, "endpoints");
	const json_t *labels = json_at(obj, "metadata.labels");
	size_t n = json_array_size(endpoints);
	struct kube_slice s = {0};

	if (n > KUBE_SLICE_ENDPOINTS_MAX)
		return err_set(err, ERR_TOO_LARGE,
		               "EndpointSlice has %zu endpoints, at most %d are taken", n,
		               KUBE_SLICE_ENDPOINTS_MAX);
	if (!decode_ports(json_object_get(obj, "ports"), &limit, &s.ports, &s.n_ports, err))
		return false;
	s.service = dup_or_null(
		json_string_value(json_object_get(labels, "kubernetes.io/service-name")));
	s.endpoints = xcalloc(n + 1, sizeof(s.endpoints[0]));
	for (size_t i = 0; i < n; i++) {
		if (decode_endpoint(json_array_get(endpoints, i), &s.endpoints[s.n_endpoints]))
			s.n_endpoints++;
	}
	*ret_slice = s;
	return true;
}

void kube_slice_fini(struct kube_slice *slice)
{
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		free(slice->endpoints[i].pod);
		free(slice->endpoints[i].node);
	}
	free(slice->endpoints);
	ports_fini(slice->ports, slice->n_ports);
	free(slice->service);
	*slice = (struct kube_slice){0};
}

static struct str label_text(const struct labels *labels, const char *key)
{
	const char *value = labels_find(labels, key);

	return value != NULL ? str_from(value) : STR_LIT("");
}

const struct locality *kube_node_locality(const struct labels *labels)
{
	return locality_make(label_text(labels, "topology.kubernetes.io/region"),
	                     label_text(labels, "topology.kubernetes.io/zone"),
	                     label_text(labels, "topology.istio.io/subzone"));
}

const struct locality *kube_pod_locality(const struct labels *labels)
{
	struct str text = label_text(labels, "topology.istio.io/locality");

	if (text.len == 0)
		text = label_text(labels, "istio-locality");
	return locality_parse_label(text);
}

bool kube_is_mtls(const struct labels *labels)
{
	return str_is(label_text(labels, KUBE_TLS_MODE_LABEL), "istio");
}
