/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_kube - Kubernetes objects, as far as a cluster snapshot needs them. Missing fields have
 * Kubernetes' meaning of "missing"; what is no object of the kind at all is an error.
 *
 * Source: core/v1 Service, Node, Pod, Namespace; discovery.k8s.io/v1 EndpointSlice.
 */
#pragma once

#include "base/json.h"
#include "model/snapshot.h"

enum {
	KUBE_SLICE_ENDPOINTS_MAX = 1000, /* the API's own limit */
	KUBE_SLICE_PORTS_MAX = 100       /* likewise */
};

#define KUBE_TLS_MODE_LABEL "security.istio.io/tlsMode"
#define KUBE_NETWORK_LABEL  "topology.istio.io/network"

struct kube_port {
	char *name;
	char *protocol;
	uint16_t number;
};

struct kube_service {
	struct labels *labels;
	struct kube_port *ports;
	size_t n_ports;
	enum snap_export export;
	bool headless;
	bool external;
	bool mtls; /* for endpoints without a Pod */
};

struct kube_endpoint {
	struct ip ip;
	bool ready;
	bool terminating;
	char *pod;  /* name, NULL: none */
	char *node; /* NULL unknown */
};

struct kube_slice {
	char *service; /* name; NULL: belongs to none */
	struct kube_port *ports;
	size_t n_ports;
	struct kube_endpoint *endpoints;
	size_t n_endpoints;
};

/* metadata.namespace and metadata.name, borrowed from obj. ERR_INVALID without a name. */
MUST_CHECK
bool kube_decode_key(const json_t *obj, const char **ret_ns, const char **ret_name,
                     struct err *err);
MUST_CHECK
bool kube_decode_service(const json_t *obj, struct kube_service *ret_service, struct err *err);
void kube_service_fini(struct kube_service *service);
MUST_CHECK
bool kube_decode_slice(const json_t *obj, struct kube_slice *ret_slice, struct err *err);
void kube_slice_fini(struct kube_slice *slice);
/* Owned labels of any object; NULL with err. */
MUST_CHECK
struct labels *kube_decode_labels(const json_t *obj, struct err *err);

/* Region, zone and subzone labels of a Node. */
const struct locality *kube_node_locality(const struct labels *labels);
/* The Pod's own word, locality_none() if it has none. */
const struct locality *kube_pod_locality(const struct labels *labels);
bool kube_is_mtls(const struct labels *labels);
