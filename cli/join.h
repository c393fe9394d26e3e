/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - a cluster's way in, as data: the objects to make, and how far they have come.
 * Pure; cmd_cluster_join.c asks and writes.
 */
#pragma once

#include "common.h"

#include <jansson.h>

#include "kube/meta.h"

#define JOIN_NAMESPACE "fedway-system"

struct join_wish {
	const char *cluster;
	const char *group;
	const char *region; /* "" none, as the other two */
	const char *zone;
	const char *subzone;
	const char *kubeconfig; /* flattened; NULL: the Cluster's own (preflight only) */
	bool paused;
};

/* Owned; the Secret and the Cluster carry our labels, so that leave knows what join made. */
json_t *join_secret(const struct join_wish *wish);
json_t *join_cluster(const struct join_wish *wish);
json_t *join_group(const struct join_wish *wish);

/* How far a Cluster has come: the message of the first condition that is not True ("" all are). */
const char *join_waits_for(const json_t *cluster);
