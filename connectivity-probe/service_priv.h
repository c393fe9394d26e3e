/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the service: streams of probes (service_io.c) and runs over them (service_run_io.c).
 */
#pragma once

#include "base/list.h"
#include "certs/identity.h"
#include "probe/service_io.h"

/* A probe with a stream. */
struct agent {
	struct list link;
	struct probe_service *service;
	struct cert_identity who;
	struct grpc_call *call;
};

/* A task that was sent, or would have been. */
struct pending {
	size_t cell;
	struct agent *agent; /* NULL: answered, or given up */
	bool refusal;        /* the negative check of the cell's address */
};

struct probe_service {
	struct probe_service_config config;
	char *trust_domain;
	struct grpc_method method;
	struct list agents; /* newest first */
	struct probe_matrix *matrix;
	struct list waiters;
	struct loop_timer next;     /* IDLE: the next run of its own */
	struct loop_timer deadline; /* RUNNING: when it is over at the latest; 0 when all is in */
	bool running;
	uint32_t run; /* number, first half of the ids */
	struct pending *pendings;
	size_t n_pendings;
	size_t n_open;
	struct probe_result *refusals; /* for each pending that is a refusal and failed */
	size_t *refusal_cells;
	size_t n_refusals;
};

struct agent *probe_service_find(const struct probe_service *service, const char *cluster);

void probe_service_runs_init(struct probe_service *service);
void probe_service_runs_fini(struct probe_service *service);
/* Starts, or starts anew when the topology has changed under a run. */
void probe_service_begin(struct probe_service *service);
/* A probe has come: a run of our own soon. */
void probe_service_hurry(struct probe_service *service);
void probe_service_on_result(struct probe_service *service, const struct agent *agent,
                             const char *id, const struct probe_result *result);
/* Its open tasks have no result. */
void probe_service_on_agent_gone(struct probe_service *service, const struct agent *agent);
