/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_pods - what runs in each cluster of the lab, as its Kubernetes is told: a Node and the Pods.
 * Pure; results are owned.
 */
#pragma once

#include "lab.h"

#include <jansson.h>
#include <stdint.h>

#include "base/addr.h"

#define LAB_NODE      "node-1"
#define LAB_NAMESPACE "sample"

enum {
	LAB_PODS = 4,
	LAB_NAME_MAX = 64
};

struct lab_pod {
	const char *program; /* its folder, below the cluster's */
	const char *name;
	const char *namespace_;
	const char *account; /* "" that of the cluster's gateway, which carries its name */
	const char *label;
	const char *value;
	const char *tail; /* of the address: ".0.10" */
	uint16_t port;    /* open: it is ready; 0: it is always */
	const char *audience;
};

extern const struct lab_pod lab_pods[LAB_PODS];
/* NULL: none. */
const struct lab_pod *lab_pod_find(const char *program);

/* Return text. */
const char *lab_pod_address(const struct lab_host *host, const struct lab_pod *pod,
                            char text[LAB_NAME_MAX]);
const char *lab_pod_account(const struct lab_host *host, const struct lab_pod *pod,
                            char text[LAB_NAME_MAX]);

json_t *lab_node_object(const struct lab_host *host);
/* As its kubelet has it: with status. */
json_t *lab_pod_object(const struct lab_host *host, const struct lab_pod *pod, bool ready);
/* TokenRequest for a token that is worth something while this Pod (uid) is there. */
json_t *lab_pod_token_request(const struct lab_pod *pod, const char *uid, int64_t lives_s);

/* The EndpointSlice of a Service over these Pods (an array), as kube-controller-manager writes it:
 * ready Pods are, all others are not. NULL: the Service has no selector. Ports by number only: of a
 * named targetPort the port's own number is taken. */
json_t *lab_slice(const json_t *service, const json_t *pods);
