/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_pods.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kube/meta.h"

#define SYSTEM "fedway-system"

const struct lab_pod lab_pods[LAB_PODS] = {
	{"gateway", "gateway-1", SYSTEM, "", "app.kubernetes.io/name", "fedway-gateway", ".0.2",
         15444, "fedway"},
	{"probe", "probe-1", SYSTEM, "fedway-probe", "app.kubernetes.io/name", "fedway-probe",
         ".0.30", 15020, "fedway"},
	{"helloworld", "helloworld-1", LAB_NAMESPACE, "helloworld", "app", "helloworld", ".0.10",
         5000, "istio-ca"},
	{"sleep", "sleep-1", LAB_NAMESPACE, "sleep", "app", "sleep", ".0.20", 0, "istio-ca"},
};

const struct lab_pod *lab_pod_find(const char *program)
{
	for (size_t i = 0; i < LAB_PODS; i++) {
		if (strcmp(lab_pods[i].program, program) == 0)
			return &lab_pods[i];
	}
	return NULL;
}

const char *lab_pod_address(const struct lab_host *host, const struct lab_pod *pod,
                            char text[LAB_NAME_MAX])
{
	snprintf(text, LAB_NAME_MAX, "%s%s", host->prefix, pod->tail);
	return text;
}

const char *lab_pod_account(const struct lab_host *host, const struct lab_pod *pod,
                            char text[LAB_NAME_MAX])
{
	if (pod->account[0] == '\0')
		snprintf(text, LAB_NAME_MAX, "fedway-gateway-gw-%d", host->number);
	else
		snprintf(text, LAB_NAME_MAX, "%s", pod->account);
	return text;
}

json_t *lab_node_object(const struct lab_host *host)
{
	static const char *const labels[] = {"topology.kubernetes.io/region",
	                                     "topology.kubernetes.io/zone",
	                                     "topology.istio.io/subzone"};
	struct kube_ref ref = {&KUBE_NODES, NULL, LAB_NODE, NULL};
	json_t *node = kube_object_create(&ref);
	struct str rest = str_from(host->locality);
	struct str part;
	kube_label_set(node, "kubernetes.io/hostname", LAB_NODE);
	for (size_t i = 0; i < N_ELEMS(labels) && str_split(&rest, '/', &part); i++) {
		char value[LAB_NAME_MAX];
		snprintf(value, sizeof(value), "%.*s", STR_ARG(part));
		kube_label_set(node, labels[i], value);
	}
	return node;
}

json_t *lab_pod_object(const struct lab_host *host, const struct lab_pod *pod, bool ready)
{
	struct kube_ref ref = {&KUBE_PODS, pod->namespace_, pod->name, NULL};
	const char *state = ready ? "True" : "False";
	char account[LAB_NAME_MAX];
	char address[LAB_NAME_MAX];
	json_t *object = kube_object_create(&ref);
	lab_pod_address(host, pod, address);
	kube_label_set(object, pod->label, pod->value);
	/* by it Istio knows that it speaks mutual TLS */
	kube_label_set(object, "security.istio.io/tlsMode", "istio");
	json_object_set_new(object, "spec",
	                    json_pack("{ss ss s[{ss ss}]}", "serviceAccountName",
	                              lab_pod_account(host, pod, account), "nodeName", LAB_NODE,
	                              "containers", "name", "main", "image", "none"));
	json_object_set_new(object, "status",
	                    json_pack("{ss ss s[{ss}] s[{ss ss} {ss ss}]}", "phase", "Running",
	                              "podIP", address, "podIPs", "ip", address, "conditions",
	                              "type", "Ready", "status", state, "type", "ContainersReady",
	                              "status", state));
	return object;
}

json_t *lab_pod_token_request(const struct lab_pod *pod, const char *uid, int64_t lives_s)
{
	return json_pack("{ss ss s{s[s] sI s{ss ss ss ss}}}", "apiVersion",
	                 "authentication.k8s.io/v1", "kind", "TokenRequest", "spec", "audiences",
	                 pod->audience, "expirationSeconds", (json_int_t)lives_s, "boundObjectRef",
	                 "apiVersion", "v1", "kind", "Pod", "name", pod->name, "uid", uid);
}
