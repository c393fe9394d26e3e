/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world - what the controllers know, as plain data: our objects decoded, what was seen of gateways
 * and addresses, and where each member stands. Filled by the I/O files, read by the pure status
 * functions.
 */
#pragma once

#include "base/map.h"
#include "discovery/discovery.h"
#include "kube/kubeconfig.h"
#include "model/mesh.h"
#include "model/settings.h"
#include "netgroups/health.h"
#include "netgroups/inventory.h"

/* How far the objects that we make in a member have come. */
enum member_setup {
	MEMBER_SETUP_NONE,
	MEMBER_SETUP_RUNNING,
	MEMBER_SETUP_DONE,
	MEMBER_SETUP_FAILED,
};

/* How far a leaving member has come, in order. */
enum member_leave {
	MEMBER_STAYS,
	MEMBER_DRAINING, /* withdrawn; connections may end */
	MEMBER_CLEANING, /* its gateways have been told; what carries its label is deleted */
	MEMBER_GONE,     /* finalizers are released */
};

struct member {
	struct cluster_spec spec;
	int64_t generation;
	/* its kubeconfig */
	struct kubeconfig kubeconfig;
	bool has_kubeconfig;
	struct err secret_err; /* msg "" : none */
	char *uid;             /* of the real cluster, as seen since start; NULL not yet */
	char *clash;           /* name of the older Cluster that is the same real one, NULL none */
	char *found_twin;      /* Cluster whose label the member's objects carry, NULL none */
	/* what we make in it */
	struct member_work *work; /* member_io.c's own */
	enum member_setup setup;
	struct err setup_err;
	enum member_leave leave;
	char *held;       /* joined group that leaving would cut off, NULL: nothing holds it */
	int64_t leave_ms; /* when the present step of leaving began */
	int64_t added_ms;
	bool was_member; /* its status had a uid when it was added */
	bool complete;   /* its lists have ended since start, or it counts from its copy */
	bool lost;       /* was a member, but neither its copy nor an answer is there: what
	                  * MeshService.status says of it is held */
	bool followed;   /* discovery and ads know it */
};

/* A DestinationRule. */
struct rule {
	struct policy *policy; /* shared */
	char *host;            /* full */
	char *version;         /* resourceVersion that it was decoded from */
};

struct world {
	bool has_mesh;
	struct mesh_settings mesh;
	struct map members;  /* Cluster name → struct member */
	struct map groups;   /* name → struct group_spec */
	struct map gateways; /* name → struct gateway_spec */
	struct map rules;    /* "NAMESPACE/NAME" → struct rule */
	struct inventory inventory;
	struct health health;
	struct map reached;   /* "ADDRESS:PORT" → itself: adopted addresses that answer TCP */
	struct map in_effect; /* names of groups that are joined in effect */
};

void world_init(struct world *world);
void world_fini(struct world *world);

struct member *world_member(const struct world *world, const char *cluster);
/* Decoded copies replace what was there. False with err: the object is left as it was before. */
MUST_CHECK
bool world_set_mesh(struct world *world, const json_t *obj, bool *ret_changed, struct err *err);
MUST_CHECK
bool world_set_member(struct world *world, const json_t *obj, int64_t now_ms, struct err *err);
MUST_CHECK
bool world_set_group(struct world *world, const json_t *obj, struct err *err);
MUST_CHECK
bool world_set_gateway(struct world *world, const json_t *obj, int64_t now_ms, struct err *err);
/* ret_moved: rules of the same host may be shadowed by others now. */
MUST_CHECK
bool world_set_rule(struct world *world, const json_t *obj, bool *ret_moved, struct err *err);
/* False: was not there. */
bool world_remove_rule(struct world *world, const char *key);
const struct rule *world_rule(const struct world *world, const char *key);
/* Of rules for one host in one namespace the oldest is in force, then the lesser name; they are not
 * merged. Its key, if that is not this rule; NULL: it is. Borrowed. */
const char *world_rule_before(const struct world *world, const char *key);
void world_remove_member(struct world *world, const char *name);
void world_remove_group(struct world *world, const char *name);
void world_remove_gateway(struct world *world, const char *name);

/* Of the real cluster, as seen, else as its status says; "" unknown. */
const char *world_uid(const struct member *member);
/* Of two Clusters for one real cluster the one that was created first wins, then the lesser name.
 * The one that this one must yield to, borrowed; NULL: none. */
const char *world_older_twin(const struct world *world, const char *cluster);
/* Must member yield to the Cluster of this name, whose objects are in the same real cluster? Not to
 * one that is gone, leaves, or is known to be another real cluster by now. */
bool world_yields_to(const struct world *world, const struct member *member, const char *name);

/*
 * The network of a group as it is in effect. Fini with network_result_fini(). What is in effect
 * stays so when no gateway is connected any more (or not yet, after a restart): whether one is
 * alive is judged by those that talk to it.
 */
struct network_result world_network(const struct world *world, const struct group_spec *group);
void world_set_in_effect(struct world *world, const char *group, bool in_effect);
bool world_reached(const struct world *world, const char *address, uint16_t port);
