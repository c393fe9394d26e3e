/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_status - what a MeshService's status says: the merged view of one service. Conditions and
 * their times are the controller's.
 */
#pragma once

#include "base/json.h"
#include "model/mesh.h"

/* {ports, clusters, policy, conflicts, clusterNames, endpoints} as in the CRD; canonical order, so
 * equal states give equal JSON. Owned. */
json_t *service_status(const struct mesh *mesh, const struct mesh_service *service);
/* The service gets a MeshService: it is not local to each cluster. */
bool service_has_status(const struct mesh_service *service);
