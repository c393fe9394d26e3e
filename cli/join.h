/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - a cluster's way in, as data: what the preflight found, the plan, the objects to make.
 * Pure; cmd_cluster_join.c asks and writes.
 */
#pragma once

#include "common.h"

#include <jansson.h>

#include "kube/meta.h"

#define JOIN_NAMESPACE "fedway-system"

/* What the control plane does in a member, one right each. */
struct join_right {
	const char *verb;
	const char *group;
	const char *resource;
	const char *namespace_; /* "" all */
};
extern const struct join_right join_rights[];
extern const size_t join_n_rights;

/* Body of a SelfSubjectAccessReview. Owned. */
json_t *join_review(const struct join_right *right);

/* Adds {id, state, code, message, evidence} to preflight.checks and lowers its verdict. state:
 * "Passed", "Warning", "Failed", "Skipped". */
struct join_check {
	const char *id;
	const char *state;
	const char *code; /* "" none */
	const char *message;
	const char *evidence;
};
json_t *join_preflight(const char *cluster);
void join_add_check(json_t *preflight, const struct join_check *check);
bool join_has_failed(const json_t *preflight);
void join_format_preflight(const json_t *preflight, struct look look, struct buf *out);

/* The uid of kube-system in `uid`: the name of another Cluster that has it; NULL: none. */
const char *join_find_clash(const json_t *clusters, const char *cluster, const char *uid);

struct join_wish {
	const char *cluster;
	const char *group;
	const char *region; /* "" none, as the others */
	const char *zone;
	const char *subzone;
	const char *kubeconfig; /* flattened */
	bool paused;
};

/* Owned; the Secret and the Cluster carry our labels, so that leave knows what join made. */
json_t *join_secret(const struct join_wish *wish);
json_t *join_cluster(const struct join_wish *wish);
json_t *join_group(const struct join_wish *wish);

/* How far a Cluster has come: the message of the first condition that is not True ("" all are). */
const char *join_waits_for(const json_t *cluster);
