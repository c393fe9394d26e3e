/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the controllers of fedwayd: from the objects users write and what members have, to the
 * mesh that gateways get and the status users read.
 *
 *   objects ──reflectors──▶ world ──▶ mesh_builder ──▶ ads_publish
 *      ▲                     ▲  ▲
 *      │ status, applies     │  └── discovery (members' services)
 *      └──── reconcilers ────┘
 *
 * Everything goes through the Kubernetes client, so it is the same on the hosted API and on an
 * external one. Level-triggered: each reconciler computes what should be from what is, and writes
 * only what differs. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ads/ads.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "certs/store.h"
#include "kube/client.h"

struct control;

struct control_config {
	struct loop *loop;
	struct kube_client *api; /* of the objects; borrowed, outlives control */
	struct cert_store *store;
	struct metrics *metrics;
	const char *data_dir; /* copies of members lie in DIR/members */
};

MUST_CHECK
struct control *control_create(const struct control_config *config, struct err *err);
/* What ads asks and tells. */
struct ads_control control_ads_hooks(struct control *control);
/* Begins to watch. ads is borrowed; streams are answered once the objects and the copies of the
 * members have been read. xds_address: HOST:PORT that members are told (ConfigMap fedway-trust). */
void control_start(struct control *control, struct ads *ads, const char *xds_address);
/* Ends what ads waits for; before ads_destroy(). NULL is harmless, as below. */
void control_stop(struct control *control);
void control_destroy(struct control *control);

/* Told of each mesh after it was published. */
void control_on_mesh(struct control *control, void (*cb)(struct mesh *mesh, void *arg), void *arg);
/* May a component of this cluster be served? False with err: not a member, or it leaves. */
MUST_CHECK
bool control_cluster_may(struct control *control, const char *cluster, struct err *err);

/* The mesh as published last; borrowed until the next turn, NULL before the first. */
struct mesh *control_mesh(const struct control *control);
