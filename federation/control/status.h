/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - what each kind's status should say, from the world. Pure: the object (for its conditions
 * and generation), the world, and wall time in; a new status object out, owned by the caller.
 *
 * Conditions keep lastTransitionTime while their status stays the same, so that an unchanged world
 * gives an equal status, and nothing is written.
 */
#pragma once

#include "world.h"

#include <jansson.h>
#include <stdint.h>

#include "certs/store.h"
#include "discovery/discovery.h"

struct status_now {
	int64_t wall_s;
	int64_t mono_ms;
};

struct status_certificate {
	const char *serial; /* "" none */
	int64_t not_after_s;
};

/* seen: NULL while discovery does not know the cluster. */
json_t *status_cluster(const json_t *obj, const struct member *member,
                       const struct discovery_status *seen,
                       const struct status_certificate *certificate, struct status_now now);
json_t *status_group(const json_t *obj, const struct world *world, const struct group_spec *group,
                     struct status_now now);
json_t *status_gateway(const json_t *obj, const struct world *world,
                       const struct gateway_spec *gateway, struct status_now now);

struct status_counts {
	size_t services;
	size_t connected;
	size_t acknowledged;
};
json_t *status_mesh(const json_t *obj, const struct world *world, const struct cert_store *store,
                    const struct status_counts *counts, struct status_now now);
json_t *status_service(const json_t *obj, const struct mesh *mesh,
                       const struct mesh_service *service, struct status_now now);
/* used: the rule's host is a service of the mesh. */
json_t *status_rule(const json_t *obj, const struct policy *policy, bool used,
                    struct status_now now);

/* Phase of a Cluster, as in its schema. */
const char *status_phase(const struct member *member, const struct discovery_status *seen);
