/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode - parts of a model view as xDS resources. Pure.
 *
 * All return an owned resource, or NULL with err: what cannot be encoded (a limit passed) harms
 * only itself.
 */
#pragma once

#include "model/view.h"
#include "xds/resource.h"

MUST_CHECK
struct xds_resource *encode_cluster(const struct view_route *route, struct err *err);
MUST_CHECK
struct xds_resource *encode_assignment(const struct view_route *route, struct err *err);
MUST_CHECK
struct xds_resource *encode_network(const struct mesh_network *network, struct err *err);
MUST_CHECK
struct xds_resource *encode_peers(const struct view *view, struct err *err);
