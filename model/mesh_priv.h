/* SPDX-License-Identifier: Apache-2.0 */
/* How the builder makes the values of a mesh. */
#pragma once

#include "model/mesh.h"

struct mesh_cluster *mesh_cluster_copy(const struct mesh_cluster *from);
bool mesh_cluster_eq(const struct mesh_cluster *a, const struct mesh_cluster *b);
/* Older Cluster first, then by name. */
int mesh_cluster_cmp(const struct mesh_cluster *a, const struct mesh_cluster *b);
/* With its gateways sorted. */
struct mesh_network *mesh_network_copy(const struct mesh_network *from);
bool mesh_network_eq(const struct mesh_network *a, const struct mesh_network *b);

/* One cluster's Service, borrowed. */
struct merge_input {
	struct mesh_cluster *cluster;
	struct snap_service *service;
};

/* What of the service the members do not say; borrowed, each may be NULL. */
struct merge_extras {
	struct policy *policy;
	const struct mesh_outages *outages;
};

/* The merged service of n ≥ 1 inputs; sorts them. Owned. */
struct mesh_service *mesh_merge(struct merge_input *inputs, size_t n,
                                const struct mesh_settings *settings,
                                const struct merge_extras *extras);
/* Same inputs, same outcome. */
bool mesh_service_eq(const struct mesh_service *a, const struct mesh_service *b);
/* NAME.NAMESPACE.svc.DOMAIN of "NAMESPACE/NAME"; owned by the caller. */
char *mesh_host_of(const char *key, const char *cluster_domain);
