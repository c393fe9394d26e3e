/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod_node - who a gateway is to an istiod: the node of its xDS stream and the URI of its
 * certificate. An istiod knows a proxy by the form of the node's id and by its metadata; a Gateway
 * selects it by LABELS, and REQUESTED_NETWORK_VIEW leaves only endpoints of its own network.
 *
 * Pure; any thread. Source: Istio's node metadata.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "eastwest/config.h"

/* What only the running pod knows. Borrowed. */
struct ew_istiod_pod {
	const char *name;
	const char *ip;
};

enum {
	EW_ISTIOD_NODE_MAX = 64 << 10
};

/* Appends the bytes of an envoy.config.core.v3.Node. ERR_INVALID: what is missing or has the wrong
 * form, by its key. */
MUST_CHECK
bool ew_istiod_node_encode(const struct ew_config *config, const struct ew_istiod_pod *pod,
                           struct buf *out, struct err *err);
/* "spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT". ERR_INVALID. Owned by the caller. */
MUST_CHECK
bool ew_istiod_node_uri(const struct ew_istiod_config *config, char **ret_uri, struct err *err);
