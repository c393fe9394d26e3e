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

/* Of an object that could not be taken over: only condition Accepted. */
json_t *status_refused(const json_t *obj, const struct err *err, struct status_now now);

struct status_counts {
	size_t services;
	size_t connected;
	size_t acknowledged;
};
json_t *status_mesh(const json_t *obj, const struct world *world, const struct cert_store *store,
                    const struct status_counts *counts, struct status_now now);
json_t *status_service(const json_t *obj, const struct mesh *mesh,
                       const struct mesh_service *service, struct status_now now);
struct status_rule_use {
	bool found; /* the rule's host is a service of the mesh */
	const char *
		before; /* the older rule for the same host, which is in force instead; NULL none */
};
json_t *status_rule(const json_t *obj, const struct policy *policy,
                    const struct status_rule_use *use, struct status_now now);

/* Since when the Cluster is withdrawn, as its status says; 0: it is not. Wall clock. */
int64_t status_withdrawn_s(const json_t *obj);

/* Phase of a Cluster, as in its schema. */
const char *status_phase(const struct member *member, const struct discovery_status *seen);

/* What stands for a member after a start, until its lists have ended again. */
enum status_source {
	SOURCE_NOT_YET, /* its copy, which is held */
	SOURCE_LISTS,
	SOURCE_COPY,    /* its copy, which counts */
	SOURCE_NOTHING, /* it never was a member, is paused or leaves: nothing is to be held */
	SOURCE_LOST,    /* it was a member and has no copy: MeshService.status is held */
};
/* waited: it had its time to answer. */
enum status_source status_source(const struct member *member, const struct discovery_status *seen,
                                 bool waited);
const char *status_source_word(enum status_source source);
/* False: it was a member before this start and its API server has neither answered all nor failed
 * yet, so that its status stays as it is. waited: it had its time to answer. */
bool status_is_known(const struct member *member, const struct discovery_status *seen, bool waited);
/* The service's last status counts a member that is lost, so nobody knows what it is now. */
bool status_service_is_lost(const json_t *obj, const struct world *world);
