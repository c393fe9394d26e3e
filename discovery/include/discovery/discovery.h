/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery - follows the member clusters: one watcher each, from its API server to snapshots.
 *
 *   Services ───────┐
 *   EndpointSlices ─┤ reflectors ──▶ snapshot_builder ──▶ copy on disk ──▶ on_snapshot
 *   Nodes ──────────┤
 *   Namespaces ─────┤ (Pods: metadata only)
 *   Pods ───────────┘
 *
 * Complete or nothing: a snapshot is made only when all five lists have ended; until then, and as
 * long as a cluster is away, the last one stays in force (from the disk copy after a restart), with
 * its age. Order: the copy is written before on_snapshot is called; while it cannot be written
 * nothing is published, and the status says so. One dead cluster costs no other one anything: each
 * has its own client, pace and back-off.
 *
 * Loop thread only. Handlers may call anything here but discovery_destroy().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "kube/kubeconfig.h"
#include "model/snapshot.h"

struct discovery;

enum {
	DISCOVERY_CLUSTERS_MAX = 1000,
	DISCOVERY_KINDS = 5,
	DISCOVERY_LOST_MS = 5000 /* no kind answers for this long: the cluster is unreachable */
};

struct discovery_change {
	const char *cluster;
	struct snapshot *snapshot; /* borrowed for the call; snapshot_ref() to keep */
	struct snapshot *old;      /* the one before; NULL: none */
	bool from_copy;            /* loaded from disk: the cluster has not been heard yet */
	/* Services that were added, changed or removed, sorted: "NAMESPACE/NAME". */
	const char *const *services;
	size_t n_services;
};

/* All may be NULL. */
struct discovery_handlers {
	void (*on_snapshot)(const struct discovery_change *change, void *arg);
	/* Something in the cluster's status other than counts, events and times has changed. */
	void (*on_status)(const char *cluster, void *arg);
	void *arg;
};

/* dir holds the copies (DIR/CLUSTER.snapshot, .journal) and is made if missing. ERR_IO. */
MUST_CHECK
struct discovery *discovery_create(struct loop *loop, const char *dir,
                                   const struct discovery_handlers *handlers, struct err *err);
/* Stops all; the copies stay. NULL is harmless. */
void discovery_destroy(struct discovery *discovery);

/* For tests: how connections are made instead of dialling (kube/client.h). Before any put. */
void discovery_set_dial(struct discovery *discovery, int (*dial)(void *arg), void *arg);

/*
 * Adds a cluster, or gives it another kubeconfig. When it is added its copy is loaded, and
 * on_snapshot called with from_copy, before this returns. config is copied; NULL: the cluster has
 * none (yet or any more), and only its copy is there. Credentials are changed without a new list;
 * another server leads to new lists, which diff.
 *
 * ERR_INVALID: name is no DNS label, or the kubeconfig's certificates are no good (the cluster is
 * there all the same, with what it had before); ERR_TOO_LARGE: DISCOVERY_CLUSTERS_MAX. A copy that
 * cannot be read is no error here: see copy_error in the status.
 */
MUST_CHECK
bool discovery_put(struct discovery *discovery, const char *cluster,
                   const struct kubeconfig *config, struct err *err);
/* Forgets the cluster and deletes its copy. No handler is called. Harmless if unknown. */
void discovery_remove(struct discovery *discovery, const char *cluster);
/* While paused its API server is not asked; the snapshot stays. Harmless if unknown. */
void discovery_set_paused(struct discovery *discovery, const char *cluster, bool paused);

/* Borrowed until the next turn; NULL: unknown cluster, or nothing known of it. */
struct snapshot *discovery_snapshot(const struct discovery *discovery, const char *cluster);

struct discovery_kind_status {
	const char *plural; /* "services" ... */
	bool synced;        /* its list has ended at least once */
	bool reachable;     /* its last request was answered as it should */
	size_t objects;
	const char *error; /* "" none; e.g. which right is missing */
	enum err_code error_code;
};

struct discovery_status {
	bool configured; /* has a kubeconfig */
	bool paused;
	bool complete;  /* every list has ended since it was added: the snapshot is of today */
	bool from_copy; /* the snapshot is still the copy's */
	bool reachable;
	int64_t observed_wall_s; /* last sign of life, also from before a restart; 0: never */
	int64_t age_s;           /* how old the snapshot may be: 0 while reachable and complete */
	int64_t retry_in_ms;     /* longest wait of a kind */
	size_t services;
	size_t endpoints;
	size_t ready;
	const char *uid;     /* of kube-system; "" unknown */
	const char *network; /* label of istio-system; "" none */
	const char *version; /* "v1.36.3", "" unknown */
	uint64_t lists;
	uint64_t events;
	uint64_t bad;           /* objects that were refused: last good stays */
	const char *bad_object; /* the last of them and why, "" */
	const char *copy_error; /* why the copy cannot be written or was not loaded, "" */
	const char *error;      /* of the first kind that has one, "" */
	enum err_code error_code;
	struct discovery_kind_status kinds[DISCOVERY_KINDS];
};

/* Texts are borrowed until the next turn. False: unknown cluster. */
bool discovery_status(const struct discovery *discovery, const char *cluster,
                      struct discovery_status *ret_status);
