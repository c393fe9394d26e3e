/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingress - the constant listener of a stock Envoy: tls_inspector, the mesh ALPNs, sni_cluster,
 * tcp_proxy. What is routable is which clusters exist, so it never changes. Pure.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "xds/resource.h"

/* The five ALPNs that mean mesh traffic: NULL-terminated. */
extern const char *const xds_mesh_alpns[];

/* Resource `fedway-ingress` of type XDS_LISTENER. Owned by the caller. */
MUST_CHECK
struct xds_resource *xds_ingress_encode(const struct addr *listen, struct err *err);
