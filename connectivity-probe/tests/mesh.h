/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh - a root and certificates for tests.
 */
#pragma once

#include "unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "certs/ca.h"
#include "certs/key.h"

#define MESH_TD "cluster.local"

enum {
	MESH_DAY_S = 24 * 3600
};

struct mesh_leaf {
	struct buf chain;
	struct buf key;
};

static inline struct cert_ca *mesh_root(int64_t now_s)
{
	return cert_ca_create_root(MESH_TD, CERT_ROOT_TTL_S, now_s);
}

static inline void mesh_roots(const struct cert_ca *root, struct buf *roots)
{
	buf_init(roots, CERT_PEM_MAX);
	cert_x509_encode(cert_ca_x509(root), roots);
}

/* A leaf of this kind and cluster, signed as if it were now_s. */
static inline struct mesh_leaf mesh_issue(const struct cert_ca *root, enum cert_kind kind,
                                          const char *cluster, const char *name, int64_t now_s)
{
	struct mesh_leaf leaf;
	struct err err;
	struct cert_identity identity = {.kind = kind, .trust_domain = MESH_TD};
	struct cert_own_request request = {
		.identity = &identity, .ttl_s = MESH_DAY_S, .now_wall_s = now_s};
	snprintf(identity.cluster, sizeof(identity.cluster), "%s", cluster);
	snprintf(identity.name, sizeof(identity.name), "%s", name);
	struct cert_ca *ca = cert_ca_create_intermediate(
		root, MESH_TD, kind == CERT_CONTROL_PLANE ? NULL : cluster, 30 * MESH_DAY_S,
		clock_wall_s() < now_s ? clock_wall_s() : now_s, &err);
	assert_non_null(ca);
	buf_init(&leaf.chain, CERT_PEM_MAX);
	buf_init(&leaf.key, CERT_PEM_MAX);
	if (!cert_ca_issue_own(ca, &request, &leaf.chain, &leaf.key, &err))
		fail_msg("%s", err.msg);
	cert_ca_destroy(ca);
	return leaf;
}

static inline void mesh_leaf_fini(struct mesh_leaf *leaf)
{
	buf_fini(&leaf->chain);
	buf_fini(&leaf->key);
}
