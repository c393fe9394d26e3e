/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells of built-in kinds that no path gives, as kubectl's own printers write them.
 * Source: the columns of kubernetes pkg/printers/internalversion, by their output.
 */
#include "kinds.h"

#include <string.h>

#include "base/buf.h"
#include "kube/meta.h"

enum {
	CELL_MAX = 4096,
	SLICE_SHOWN = 3 /* endpoints and ports named before "+ N more..." */
};

static json_t *cell(struct buf *text)
{
	json_t *value = json_string(buf_text(text));
	buf_fini(text);
	return value != NULL ? value : json_string("");
}

static json_t *or_none(const char *text)
{
	return json_string(text != NULL && text[0] != '\0' ? text : "<none>");
}

static json_t *count(size_t n)
{
	char text[24];
	snprintf(text, sizeof(text), "%zu", n);
	return json_string(text);
}

/* --- Secret, ConfigMap, ServiceAccount -------------------------------------------------------- */

static json_t *secret_data(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return count(json_object_size(json_object_get(obj, "data")));
}

static json_t *configmap_data(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return count(json_object_size(json_object_get(obj, "data")) +
	             json_object_size(json_object_get(obj, "binaryData")));
}

static json_t *account_secrets(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return count(json_array_size(json_object_get(obj, "secrets")));
}

/* --- Service ---------------------------------------------------------------------------------- */

static json_t *service_ip(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return or_none(json_str_at(obj, "spec.clusterIP", ""));
}

static json_t *service_external(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	const char *type = json_str_at(obj, "spec.type", "");
	if (strcmp(type, "ExternalName") == 0)
		buf_add_text(&text, json_str_at(obj, "spec.externalName", ""));
	const json_t *ingress = json_at(obj, "status.loadBalancer.ingress");
	for (size_t i = 0; i < json_array_size(ingress); i++) {
		const json_t *item = json_array_get(ingress, i);
		const char *name = json_str_at(item, "ip", json_str_at(item, "hostname", ""));
		buf_printf(&text, "%s%s", text.len > 0 ? "," : "", name);
	}
	const json_t *addresses = json_at(obj, "spec.externalIPs");
	for (size_t i = 0; i < json_array_size(addresses); i++)
		buf_printf(&text, "%s%s", text.len > 0 ? "," : "",
		           json_string_value(json_array_get(addresses, i)));
	if (text.len == 0)
		buf_add_text(&text, strcmp(type, "LoadBalancer") == 0 ? "<pending>" : "<none>");
	return cell(&text);
}

static json_t *service_ports(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	const json_t *ports = json_at(obj, "spec.ports");
	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *port = json_array_get(ports, i);
		int64_t node_port = json_int_at(port, "nodePort", 0);
		buf_printf(&text, "%s%lld", i > 0 ? "," : "",
		           (long long)json_int_at(port, "port", 0));
		if (node_port > 0)
			buf_printf(&text, ":%lld", (long long)node_port);
		buf_printf(&text, "/%s", json_str_at(port, "protocol", "TCP"));
	}
	if (text.len == 0)
		buf_add_text(&text, "<none>");
	return cell(&text);
}

static json_t *service_selector(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	const char *key;
	json_t *value;
	json_object_foreach (json_at(obj, "spec.selector"), key, value) {
		buf_printf(&text, "%s%s=%s", text.len > 0 ? "," : "", key,
		           json_string_value(value));
	}
	if (text.len == 0)
		buf_add_text(&text, "<none>");
	return cell(&text);
}

/* --- Node ------------------------------------------------------------------------------------- */

static json_t *node_status(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	const json_t *ready = kube_condition_find(obj, "Ready");
	const char *status = json_str_at(ready, "status", "");
	if (ready == NULL)
		buf_add_text(&text, "Unknown");
	else
		buf_add_text(&text, strcmp(status, "True") == 0 ? "Ready" : "NotReady");
	if (json_bool_at(obj, "spec.unschedulable", false))
		buf_add_text(&text, ",SchedulingDisabled");
	return cell(&text);
}

static json_t *node_roles(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	static const char prefix[] = "node-role.kubernetes.io/";
	struct buf text;
	buf_init(&text, CELL_MAX);
	const char *key;
	json_t *value;
	json_object_foreach (json_at(obj, "metadata.labels"), key, value) {
		if (strncmp(key, prefix, sizeof(prefix) - 1) == 0)
			buf_printf(&text, "%s%s", text.len > 0 ? "," : "",
			           key + sizeof(prefix) - 1);
	}
	if (text.len == 0)
		buf_add_text(&text, "<none>");
	return cell(&text);
}

static json_t *node_address(const json_t *obj, const char *type)
{
	const json_t *addresses = json_at(obj, "status.addresses");
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const json_t *address = json_array_get(addresses, i);
		if (strcmp(json_str_at(address, "type", ""), type) == 0)
			return or_none(json_str_at(address, "address", ""));
	}
	return or_none(NULL);
}

static json_t *node_internal_ip(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return node_address(obj, "InternalIP");
}

static json_t *node_external_ip(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return node_address(obj, "ExternalIP");
}

/* --- Pod -------------------------------------------------------------------------------------- */

static json_t *pod_ready(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	char text[48];
	size_t ready = 0;
	const json_t *statuses = json_at(obj, "status.containerStatuses");
	for (size_t i = 0; i < json_array_size(statuses); i++)
		ready += json_bool_at(json_array_get(statuses, i), "ready", false);
	snprintf(text, sizeof(text), "%zu/%zu", ready,
	         json_array_size(json_at(obj, "spec.containers")));
	return json_string(text);
}

static json_t *pod_status(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	const char *status = json_str_at(obj, "status.phase", "Unknown");
	const char *reason = json_str_at(obj, "status.reason", "");
	const json_t *statuses = json_at(obj, "status.containerStatuses");
	if (reason[0] != '\0')
		status = reason;
	for (size_t i = 0; i < json_array_size(statuses); i++) {
		const json_t *state = json_object_get(json_array_get(statuses, i), "state");
		const char *waiting = json_str_at(state, "waiting.reason", "");
		const char *ended = json_str_at(state, "terminated.reason", "");
		if (waiting[0] != '\0')
			status = waiting;
		else if (ended[0] != '\0')
			status = ended;
	}
	return json_string(kube_is_deleting(obj) ? "Terminating" : status);
}

static json_t *pod_restarts(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	size_t restarts = 0;
	const json_t *statuses = json_at(obj, "status.containerStatuses");
	for (size_t i = 0; i < json_array_size(statuses); i++)
		restarts += (size_t)json_int_at(json_array_get(statuses, i), "restartCount", 0);
	return count(restarts);
}

static json_t *pod_ip(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return or_none(json_str_at(obj, "status.podIP", ""));
}

static json_t *pod_node(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return or_none(json_str_at(obj, "spec.nodeName", ""));
}

static json_t *pod_nominated(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return or_none(json_str_at(obj, "status.nominatedNodeName", ""));
}

static json_t *pod_gates(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	char text[48];
	size_t open = 0;
	const json_t *gates = json_at(obj, "spec.readinessGates");
	size_t n = json_array_size(gates);
	for (size_t i = 0; i < n; i++)
		open += kube_condition_is_true(
			obj, json_str_at(json_array_get(gates, i), "conditionType", ""));
	snprintf(text, sizeof(text), "%zu/%zu", open, n);
	return or_none(n > 0 ? text : NULL);
}

/* --- Event ------------------------------------------------------------------------------------ */

static json_t *event_age(const json_t *obj, const char *field, int64_t now_s)
{
	char text[PRINTER_AGE_MAX];
	const char *time = json_str_at(obj, field, "");
	if (time[0] == '\0')
		time = json_str_at(obj, "eventTime", "");
	if (time[0] == '\0')
		time = json_str_at(obj, "metadata.creationTimestamp", "");
	return json_string(printer_age(time, now_s, text));
}

static json_t *event_last_seen(const json_t *obj, int64_t now_s)
{
	return event_age(obj, "lastTimestamp", now_s);
}

static json_t *event_first_seen(const json_t *obj, int64_t now_s)
{
	return event_age(obj, "firstTimestamp", now_s);
}

static json_t *event_object(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	buf_add_text(&text, json_str_at(obj, "involvedObject.kind", ""));
	for (size_t i = 0; i < text.len; i++)
		text.ptr[i] =
			(char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] - 'A' + 'a'
		                                                        : text.ptr[i]);
	buf_printf(&text, "/%s", json_str_at(obj, "involvedObject.name", ""));
	return cell(&text);
}

/* --- EndpointSlice ---------------------------------------------------------------------------- */

static void add_more(struct buf *text, size_t n)
{
	if (n > SLICE_SHOWN)
		buf_printf(text, " + %zu more...", n - SLICE_SHOWN);
}

static json_t *slice_ports(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	buf_init(&text, CELL_MAX);
	const json_t *ports = json_object_get(obj, "ports");
	size_t n = json_array_size(ports);
	for (size_t i = 0; i < n && i < SLICE_SHOWN; i++) {
		const json_t *port = json_array_get(ports, i);
		int64_t number = json_int_at(port, "port", 0);
		if (number > 0)
			buf_printf(&text, "%s%lld", i > 0 ? "," : "", (long long)number);
		else
			buf_printf(&text, "%s*", i > 0 ? "," : "");
	}
	add_more(&text, n);
	if (text.len == 0)
		buf_add_text(&text, "<unset>");
	return cell(&text);
}

static json_t *slice_endpoints(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	struct buf text;
	size_t n = 0;
	buf_init(&text, CELL_MAX);
	const json_t *endpoints = json_object_get(obj, "endpoints");
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *addresses =
			json_object_get(json_array_get(endpoints, i), "addresses");
		for (size_t j = 0; j < json_array_size(addresses); j++, n++) {
			if (n < SLICE_SHOWN)
				buf_printf(&text, "%s%s", n > 0 ? "," : "",
				           json_string_value(json_array_get(addresses, j)));
		}
	}
	add_more(&text, n);
	if (text.len == 0)
		buf_add_text(&text, "<unset>");
	return cell(&text);
}

const struct printer_compute api_computes[] = {
	{"secret-data", secret_data},
	{"configmap-data", configmap_data},
	{"account-secrets", account_secrets},
	{"service-ip", service_ip},
	{"service-external", service_external},
	{"service-ports", service_ports},
	{"service-selector", service_selector},
	{"node-status", node_status},
	{"node-roles", node_roles},
	{"node-internal-ip", node_internal_ip},
	{"node-external-ip", node_external_ip},
	{"pod-ready", pod_ready},
	{"pod-status", pod_status},
	{"pod-restarts", pod_restarts},
	{"pod-ip", pod_ip},
	{"pod-node", pod_node},
	{"pod-nominated", pod_nominated},
	{"pod-gates", pod_gates},
	{"event-last-seen", event_last_seen},
	{"event-first-seen", event_first_seen},
	{"event-object", event_object},
	{"slice-ports", slice_ports},
	{"slice-endpoints", slice_endpoints},
	{NULL, NULL},
};
