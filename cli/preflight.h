/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight - can this cluster be a member: what the control plane finds when it asks it.
 */
#pragma once

#include "join.h"
#include "remote.h"

/* {apiVersion, kind: Preflight, cluster, checks, verdict}; owned. wish->kubeconfig NULL: the
 * Cluster's own. An API server that serves no preflights: one check that says so, Skipped. NULL
 * with err. */
json_t *preflight_ask(struct remote *hub, const struct join_wish *wish, struct err *err);
bool preflight_has_failed(const json_t *preflight);
/* One line a check, then how to repair what is wrong. */
void preflight_format(const json_t *preflight, struct look look, struct buf *out);
/* Whether the cluster's way to the control plane was seen, as one sentence. */
const char *preflight_way_back(const json_t *preflight, bool *ret_seen);
