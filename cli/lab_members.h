/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_members - API servers that somebody else has started inside the lab: a YAML file that names
 * each cluster's kubeconfig, with an address that the lab's hosts reach.
 *
 *   mdemo-cluster1: /path/to/its/kubeconfig      (or cluster1)
 *   mdemo-cluster2: /path/to/another
 *   mdemo-cluster3: third/relative/to/this/file
 */
#pragma once

#include "lab.h"

#include <jansson.h>

#include "base/str.h"

enum {
	LAB_MEMBERS_MAX = 64 << 10 /* bytes of the file */
};

/* {host name: path}, all clusters of the lab and no others. Pure. ERR_INVALID. Owned. */
MUST_CHECK
json_t *lab_members_parse(struct str text, const char *name, struct err *err);

/* Reads the file and keeps a flat copy of each kubeconfig as DIR/HOST/kubeconfig, and the mark that
 * the API servers are external. */
MUST_CHECK
bool lab_members_adopt(const char *dir, const char *file, struct err *err);
bool lab_members_are_external(const char *dir);
