/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflights - the answer Preflight: asks the API server of a cluster, from here, what a member
 * needs, and has model/preflight judge it. Reads only, but for reviews, which nobody stores.
 * Loop thread.
 *
 *   Clusters ─▶ (Secret) ─▶ kubeconfig ─▶ GET /version ─▶ all other questions at once ─▶ answer
 *
 * spec: {cluster, kubeconfig, networkGroup, locality}; kubeconfig is the text of one that is
 * complete in itself, without it that of the Cluster's Secret is taken, and the Cluster's group and
 * locality. It is neither stored nor logged.
 */
#pragma once

#include "connectivity.h"

#include "ads/ads.h"
#include "control/control.h"
#include "kube/client.h"

struct preflights;

enum {
	PREFLIGHTS_MAX = 8,            /* under way at once; more are refused with 429 */
	PREFLIGHT_REACH_MS = 5000,     /* for the first answer of the cluster */
	PREFLIGHT_DEADLINE_MS = 12000, /* for the whole; the CLI waits 15 s */
};

/* All borrowed. */
struct preflights_config {
	struct loop *loop;
	struct kube_client *api; /* of our objects */
	struct control *control;
	struct ads *ads;
	struct connectivity *connectivity;
};

struct preflights *preflights_create(const struct preflights_config *config);
/* What is under way is refused. NULL is harmless. */
void preflights_destroy(struct preflights *preflights);
void preflights_answer(struct preflights *preflights, struct answer *answer, const json_t *body);
