/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_pods.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kube/meta.h"

static bool is_selected(json_t *selector, const json_t *pod)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)selector, key, value) {
		const char *have = kube_label_find(pod, key);
		if (have == NULL || strcmp(have, json_string_value(value)) != 0)
			return false;
	}
	return true;
}

static json_t *endpoint(const json_t *pod)
{
	bool ready = kube_condition_is_true(pod, "Ready");
	json_t *made = json_pack("{s[s] s{sb sb sb} s{ss ss ss}}", "addresses",
	                         json_str_at(pod, "status.podIP", ""), "conditions", "ready", ready,
	                         "serving", ready, "terminating", false, "targetRef", "kind", "Pod",
	                         "namespace", kube_namespace(pod), "name", kube_name(pod));
	const char *node = json_str_at(pod, "spec.nodeName", NULL);
	if (node != NULL)
		json_object_set_new(made, "nodeName", json_string(node));
	return made;
}

static json_t *port_of_pods(const json_t *port)
{
	int64_t number = json_int_at(port, "targetPort", json_int_at(port, "port", 0));
	json_t *made = json_pack("{sI ss}", "port", (json_int_t)number, "protocol",
	                         json_str_at(port, "protocol", "TCP"));
	const char *name = json_str_at(port, "name", NULL);
	const char *app = json_str_at(port, "appProtocol", NULL);
	if (name != NULL)
		json_object_set_new(made, "name", json_string(name));
	if (app != NULL)
		json_object_set_new(made, "appProtocol", json_string(app));
	return made;
}

json_t *lab_slice(const json_t *service, const json_t *pods)
{
	char name[KUBE_NAME_MAX + sizeof("-1")];
	json_t *selector = json_at(service, "spec.selector");
	const json_t *ports = json_at(service, "spec.ports");
	snprintf(name, sizeof(name), "%.*s-1", KUBE_NAME_MAX, kube_name(service));
	struct kube_ref ref = {&KUBE_ENDPOINT_SLICES, kube_namespace(service), name, NULL};
	if (json_object_size(selector) == 0)
		return NULL;
	json_t *slice = kube_object_create(&ref);
	json_t *endpoints = json_array();
	json_t *numbers = json_array();
	kube_label_set(slice, "kubernetes.io/service-name", kube_name(service));
	for (size_t i = 0; i < json_array_size(pods); i++) {
		const json_t *pod = json_array_get(pods, i);
		if (strcmp(kube_namespace(pod), kube_namespace(service)) == 0 &&
		    is_selected(selector, pod))
			json_array_append_new(endpoints, endpoint(pod));
	}
	for (size_t i = 0; i < json_array_size(ports); i++)
		json_array_append_new(numbers, port_of_pods(json_array_get(ports, i)));
	json_object_set_new(slice, "addressType", json_string("IPv4"));
	json_object_set_new(slice, "ports", numbers);
	json_object_set_new(slice, "endpoints", endpoints);
	return slice;
}
