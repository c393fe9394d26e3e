/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - a probe's side of fedway.probe.v1.Probe/Work: takes tasks from the control plane, runs
 * up to PROBE_WORKER_PARALLEL checks at a time, sends results. Loop thread.
 *
 * Tasks that wait are told by id only as long as the stream lasts; when it breaks they are dropped,
 * since whoever asked is gone.
 */
#pragma once

#include <stddef.h>

#include "base/loop.h"
#include "base/tls.h"
#include "xds/uplink_io.h"

enum {
	PROBE_WORKER_PARALLEL = 64,
	PROBE_WORKER_QUEUE_MAX = 8192 /* waiting tasks; one more is answered as failed */
};

struct probe_worker;

/* uplink is borrowed and outlives the worker. Never NULL. */
struct probe_worker *probe_worker_create(struct loop *loop, struct xds_uplink *uplink);
void probe_worker_destroy(struct probe_worker *worker);
/* For checks from now on (probe_run_tls); a reference is taken. Until then every task fails. */
void probe_worker_set_tls(struct probe_worker *worker, struct tls_ctx *tls);
/* Checks that have ended, since start. */
size_t probe_worker_done(const struct probe_worker *worker);
