/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service - the control plane's side of fedway.probe.v1.Probe/Work: knows which cluster has a
 * probe, has the checks of a matrix run by them, and keeps the last matrix. Loop thread.
 *
 *   IDLE ──run or interval──▶ RUNNING ──all answered, or the deadline──▶ IDLE
 *
 * A cluster may have several probe pods; the one that came last works. A run asked for during a run
 * joins it. Every run also asks each gateway address, once from each cluster, for a name that must
 * be refused.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/grpc.h"
#include "base/loop.h"
#include "probe/matrix.h"

enum {
	PROBE_SERVICE_INTERVAL_MS = 30000,
	PROBE_SERVICE_MARGIN_MS = 2000 /* for a result to come home, behind the checks' deadlines */
};

struct probe_service;

struct probe_service_config {
	struct loop *loop;        /* borrowed */
	struct grpc_server *grpc; /* borrowed; must be destroyed before the service */
	const char *trust_domain; /* copied */
	int64_t interval_ms; /* between runs of its own; 0: PROBE_SERVICE_INTERVAL_MS, -1: none */
	uint32_t check_deadline_ms; /* 0: PROBE_DEADLINE_MS */
	uint32_t payload;           /* bytes to be echoed */
	/* May a probe of this cluster work? (The Cluster exists and is not leaving.) NULL: any. */
	bool (*cluster_may)(const char *cluster, void *arg, struct err *err);
	/* A run has ended, asked for or not. May be NULL. */
	void (*on_matrix)(const struct probe_matrix *matrix, void *arg);
	void *arg;
};

struct probe_service *probe_service_create(const struct probe_service_config *config);
/* Runs that were asked for get no callback. NULL is harmless. */
void probe_service_destroy(struct probe_service *service);

/* What there is now: copied; results of cells that stay are kept. A run begins
 * anew; whoever waits for it goes on waiting. The same as before: nothing. ERR_TOO_LARGE: the
 * topology before stays. */
MUST_CHECK
bool probe_service_set_topology(struct probe_service *service,
                                const struct probe_topology *topology, struct err *err);

/* Is a probe of this cluster connected? */
bool probe_service_has_probe(const struct probe_service *service, const char *cluster);
/* Borrowed until the next turn; empty before the first topology. */
const struct probe_matrix *probe_service_matrix(const struct probe_service *service);

/* The matrix after all checks have been run anew; borrowed for the call. */
typedef void (*probe_service_cb)(const struct probe_matrix *matrix, void *arg);
/* cb exactly once, in a later turn, unless cancelled or the service is destroyed. */
void probe_service_run(struct probe_service *service, probe_service_cb cb, void *arg);
/* Forgets every run asked for with this arg. */
void probe_service_cancel(struct probe_service *service, const void *arg);
