/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "status.h"
#include "world.h"

#include "control/control.h"
#include "discovery/discovery.h"
#include "kube/reflector.h"
#include "model/mesh.h"
#include "netgroups/route_health.h"

enum control_kind {
	KIND_MESH,
	KIND_GROUP,
	KIND_GATEWAY,
	KIND_CLUSTER,
	KIND_RULE,
	KIND_SERVICE,
	KIND_SECRET,
};

enum {
	N_CONTROL_KINDS = KIND_SECRET + 1,
	CONTROL_RETRY_MS = 2000,
	CONTROL_CHECK_MS = 30000,  /* between two looks at what is made in a member */
	CONTROL_JUDGE_MS = 100,    /* at least, between two looks at all failing routes */
	CONTROL_COUNT_MS = 1000,   /* between two counts of acknowledgements */
	CONTROL_SERVICE_MS = 5000, /* between two writes of one MeshService's counts */
	CONTROL_COPY_MS = 30000,   /* an unreachable member counts from its copy after this */
	CONTROL_REACH_MS = 5000,   /* between two TCP tries of an adopted address */
	CONTROL_RETURN_MS = 10000, /* gateways come back within this after a restart */
	CONTROL_DRAIN_MS = 60000   /* of a leaving member, unless its Cluster says otherwise */
};

#define CONTROL_FINALIZER  "fedway.io/leave"
#define CONTROL_MANAGED_BY "app.kubernetes.io/managed-by"
#define CONTROL_CLUSTER    "fedway.io/cluster"
#define CONTROL_DRAIN      "fedway.io/drain-seconds"
#define CONTROL_GONE       "fedway.io/unreachable"
#define CONTROL_NAMESPACE  "fedway-system"

/* What a handler of one kind needs. */
struct control_watch {
	struct control *control;
	enum control_kind kind;
};

struct control {
	struct loop *loop;
	struct kube_client *api;
	struct cert_store *store;
	struct ads *ads; /* NULL before control_start() */
	char *xds_address;
	struct discovery *discovery;
	struct reflector *reflectors[N_CONTROL_KINDS];
	struct control_watch watches[N_CONTROL_KINDS];
	struct world world;
	struct mesh_builder *builder;
	struct mesh *mesh;
	void (*on_mesh)(struct mesh *mesh, void *arg);
	void *on_mesh_arg;
	bool started;     /* all lists have ended once */
	struct map dirty; /* "KIND KEY" → struct dirty: what is to be reconciled */
	struct loop_timer turn;
	int64_t turn_ms;    /* when it comes, if set */
	struct map writes;  /* "KIND KEY" → struct write under way */
	struct map refused; /* "KIND KEY" → what the API server did not keep of its status */
	struct loop_timer publish;
	struct loop_timer judge;
	struct route_health routes; /* what gateways say of their own network's endpoints */
	struct loop_timer judge_routes;
	struct loop_timer reach;
	struct list tries;          /* TCP connects under way */
	struct list reviews;        /* TokenReviews under way */
	struct map service_written; /* MeshService key → struct service_pace */
	struct map making;          /* MeshService key → struct making */
	struct metrics_value *reconciles;
	struct metrics_value *status_writes;
	struct metrics_value *routes_withdrawn;
	struct metrics_value *route_withdrawals;
};

extern const struct kube_resource control_resources[N_CONTROL_KINDS];

/* queue.c: reconciles key of kind in a later turn (in_ms 0: the next). */
void control_enqueue(struct control *control, enum control_kind kind, const char *key,
                     int64_t in_ms);
void control_enqueue_all(struct control *control, enum control_kind kind);
/* Something waits for the next turn, not for a later time. */
bool control_is_due(const struct control *control);
void control_queue_init(struct control *control);
void control_queue_fini(struct control *control);

/* kinds_io.c */
MUST_CHECK
bool control_watch(struct control *control, struct err *err);
/* The object as last seen, borrowed until the next turn; NULL: gone. */
const json_t *control_object(const struct control *control, enum control_kind kind,
                             const char *key);
struct kube_ref control_ref(enum control_kind kind, const json_t *obj);
struct status_now control_now(const struct control *control);

/* write_io.c: writes what differs; takes status. One write an object at a time. */
void control_write_status(struct control *control, enum control_kind kind, const json_t *obj,
                          json_t *status);
/* Merge patch of the object itself; takes patch. */
void control_patch(struct control *control, enum control_kind kind, const json_t *obj,
                   json_t *patch);
bool control_is_writing(const struct control *control, enum control_kind kind, const char *key);
void control_writes_init(struct control *control);
void control_writes_fini(struct control *control);

/* One file a kind. key may name an object that is gone. */
void control_reconcile_mesh(struct control *control, const char *key);
void control_reconcile_group(struct control *control, const char *key);
void control_reconcile_gateway(struct control *control, const char *key);
void control_reconcile_cluster(struct control *control, const char *key);
void control_reconcile_rule(struct control *control, const char *key);
void control_reconcile_service(struct control *control, const char *key);
void control_services_fini(struct control *control);
void control_reconcile_secret(struct control *control, const char *key);

/* reconcile_objects.c: a group's network, or all of them, may be another one now. */
void control_update_network(struct control *control, const char *name);
void control_update_networks(struct control *control);

/* publish_io.c: the mesh is built and published at the end of the turn. */
void control_publish_soon(struct control *control);
MUST_CHECK
bool control_publish_init(struct control *control, const char *data_dir, struct err *err);
void control_publish_fini(struct control *control);

/* member_io.c: a member's own client. */
void control_member_connect(struct control *control, struct member *member);
struct kube_client *control_member_client(const struct member *member);
void control_member_disconnect(struct member *member);

/* member_install_io.c: makes in the member what is wanted, if that has changed or it is time to
 * look; sets setup and found_twin, and queues the Cluster when either has changed. */
void control_member_install(struct control *control, struct member *member);
/* Soon: somebody else may have written there. */
void control_member_look_again(struct member *member);
/* Writes nothing more there. */
void control_member_halt(struct member *member);
void control_member_install_init(struct member_work *work);

/* member_clean_io.c: deletes there what carries the Cluster's label; queues the Cluster when done,
 * or to be called again. */
void control_member_clean(struct member *member);
bool control_member_is_clean(const struct member *member, struct err *ret_err);

/* leave.c: the next step of a member that is being deleted. */
void control_member_leave(struct control *control, struct member *member, const json_t *obj);

/* review_io.c */
void control_review(struct cert_review *review, const char *cluster, const char *token, void *arg);
/* Fails what waits for this client; NULL: all. */
void control_reviews_end(struct control *control, const struct kube_client *client);

/* hooks.c */
void control_judge_soon(struct control *control);
void control_hooks_init(struct control *control);
void control_hooks_fini(struct control *control);

/* outages.c: what gateways say of their own network's endpoints, and what follows for others. */
void control_on_routes(const struct ads_instance *instance, const char *process,
                       const struct ads_route_state *routes, size_t n, void *arg);
void control_outages_init(struct control *control);
void control_outages_fini(struct control *control);

/* reach_io.c */
void control_reach_init(struct control *control);
void control_reach_fini(struct control *control);
