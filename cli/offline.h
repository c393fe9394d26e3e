/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline - a mesh from plain manifests, without a server: hosted objects and each member's own.
 * Clusters and gateway addresses without status count as reachable and live. Pure.
 */
#pragma once

#include "base/json.h"
#include "model/mesh.h"

struct offline;

struct offline *offline_create(void);
void offline_destroy(struct offline *offline);

/*
 * One object; a List is taken apart. cluster NULL: a hosted one (Mesh, Cluster, NetworkGroup,
 * EastWestGateway, DestinationRule); else that member's (Service, EndpointSlice, Pod, Node,
 * Namespace). Other kinds are left alone. ERR_INVALID, ERR_TOO_LARGE say what is wrong with it.
 */
MUST_CHECK
bool offline_add(struct offline *offline, const char *cluster, const json_t *obj, struct err *err);

/* Owned (one reference). ERR_INVALID: objects of a member that has no Cluster. */
MUST_CHECK
struct mesh *offline_mesh(struct offline *offline, struct err *err);

/*
 * The tree DIR: hosted objects at its top, a member's below DIR/CLUSTER/. Every *.yaml, *.yml,
 * *.json is read. ERR_NOT_FOUND: no such folder, or nothing in it; ERR_TOO_LARGE: over 20,000
 * files, or 64 MiB in one; errors name the file.
 */
MUST_CHECK
bool offline_load(struct offline *offline, const char *dir, struct err *err);
