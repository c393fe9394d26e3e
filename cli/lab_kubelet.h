/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_kubelet - plays the kubelet of one cluster of the lab, from inside its host: writes Node and
 * Pods, ready as long as their port is open, and keeps in each Pod's folder what would be mounted
 * there: `token` (bound to the Pod, anew after 80 % of its life) and `trust.pem`.
 *
 * Where no kube-controller-manager runs it writes the EndpointSlices of Services as well.
 */
#pragma once

#include "lab.h"

struct lab_kubelet_config {
	const struct lab_host *host;
	const char *dir; /* of the lab; the API server is that of DIR/HOST/kubeconfig */
	bool slices;
};

/* Until SIGTERM or SIGINT. An API server that does not answer is tried again. False: could not
 * start. */
MUST_CHECK
bool lab_kubelet_run(const struct lab_kubelet_config *config, struct err *err);
