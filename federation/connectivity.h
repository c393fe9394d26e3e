/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connectivity - the checks between clusters, as the mesh stands: what probes are asked, and the
 * answer ConnectivityMatrix. Loop thread.
 */
#pragma once

#include "answer.h"

#include "base/grpc.h"
#include "base/loop.h"
#include "model/mesh.h"
#include "probe/service_io.h"

struct connectivity;

struct connectivity_config {
	struct loop *loop;
	struct grpc_server *grpc; /* borrowed; destroyed before connectivity */
	const char *trust_domain;
	bool (*cluster_may)(const char *cluster, void *arg, struct err *err);
	void *arg;
};

struct connectivity *connectivity_create(const struct connectivity_config *config);
void connectivity_destroy(struct connectivity *connectivity);
/* Clusters, networks and gateways as they are now. */
void connectivity_follow(struct connectivity *connectivity, struct mesh *mesh);
/* Has a probe of this cluster a stream? */
bool connectivity_has_probe(const struct connectivity *connectivity, const char *cluster);
/* spec.run true: all checks first, then the answer; else the last results with their age. */
void connectivity_answer(struct connectivity *connectivity, struct answer *answer,
                         const json_t *body);
