/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_priv - what the files of the control loop share: control_io.c (life and drain),
 * doors_io.c (listening sockets), reload_io.c (configuration), admin_io.c (health, metrics, admin).
 */
#pragma once

#include "base/buf.h"
#include "base/http.h"
#include "base/loop.h"
#include "control/check_io.h"
#include "control/control.h"
#include "control/plane_io.h"
#include "control/resolve_io.h"
#include "control/takeover_io.h"
#include "eastwest/config.h"
#include "path/record.h"
#include "path/stats.h"
#include "path/worker_io.h"

enum ew_control_state {
	EW_CONTROL_STARTING, /* no complete table yet: the doors are not open */
	EW_CONTROL_SERVING,
	EW_CONTROL_DRAINING, /* unready, still accepting */
	EW_CONTROL_CLOSED,   /* no more accepts; waits for connections to end */
	EW_CONTROL_STOPPED
};

struct ew_control {
	const struct ew_options *options;
	struct loop *loop;
	enum ew_control_state state;
	bool failed; /* stopped because something could not be begun */

	struct ew_config *boot;   /* what only a restart changes is taken from here */
	struct ew_config *config; /* in force; may be boot */
	bool from_copy;           /* config came from the disk copy */
	unsigned char digest[32]; /* SHA-256 of the file when it was last read */
	bool text_is_good;
	struct ew_table *table; /* in force */

	struct ew_health_registry *registry;
	struct ew_stats *stats;
	struct ew_recorder *recorder;
	struct ew_access_log *access_log;
	struct ew_limiter *limiter;
	struct ew_checker *checker;
	struct ew_resolver *resolver;
	struct ew_plane *plane; /* NULL: the file has the routes */

	struct ew_worker_setup setup;
	struct ew_worker **workers; /* owned */
	uint32_t n_workers;
	struct ew_doors *doors; /* in force; NULL: not open yet */
	int *door_fds;          /* the workers': [worker * doors->n + door]; owned, not the fds */

	struct ew_taken taken;        /* from a predecessor, until we serve */
	struct ew_takeover *takeover; /* waits for a successor; NULL without dataDir */
	bool taken_over;              /* a successor serves */
	bool terminated;              /* and we were asked to end */

	struct http_server *health;
	int health_fd;  /* listening; the server's once we serve; -1 none */
	int metrics_fd; /* likewise */
	struct addr health_bound;
	struct addr metrics_bound;
	struct http_server *metrics;
	struct http_server *admin;

	struct loop_signal *signals[3];
	int watch_fd;
	struct loop_io watch;
	struct loop_timer settle;
	struct loop_timer reload_soon;
	struct loop_timer drain_delay;
	struct loop_timer drain_timeout;
	struct loop_timer drain_poll;
};

/* --- reload_io.c ------------------------------------------------------------------------------ */

/* At start: from the file, or else from the disk copy. */
MUST_CHECK
bool ew_control_load(struct ew_control *control, struct err *err);
/* The file again. A bad one changes nothing and is logged; an unchanged one is left alone, and
 * that is only logged when somebody asked. */
void ew_control_reload(struct ew_control *control, bool asked);
/* Begins to watch the file's folder. */
void ew_control_watch(struct ew_control *control);
/* The same configuration with what host names mean now. */
void ew_control_on_resolved(void *control);

/* --- control_io.c ----------------------------------------------------------------------------- */

/* Gives the table to everybody and keeps it. Takes the reference. */
void ew_control_set_table(struct ew_control *control, struct ew_table *table);
void ew_control_drain(struct ew_control *control);
/* The table is complete: opens the doors, if they are not open yet. */
void ew_control_on_complete(struct ew_control *control);
uint32_t ew_control_connections(const struct ew_control *control);
/* A successor accepts from our listeners, but for those it has left: ends when the open connections
 * do. */
void ew_control_on_taken(struct ew_control *control, const struct ew_left *left);

/* --- doors_io.c ------------------------------------------------------------------------------- */

/* The listening sockets and their workers. */
MUST_CHECK
bool ew_doors_open(struct ew_control *control, struct err *err);

/* Other listeners, with whatever could fail done: new sockets are open, those that stay are not
 * touched. */
struct ew_doors_change {
	struct ew_doors *doors; /* NULL: nothing changes */
	int *fds;               /* as door_fds; -1: the socket stays */
};

MUST_CHECK
bool ew_doors_prepare(struct ew_control *control, const struct ew_config *config,
                      struct ew_doors_change *ret_change, struct err *err);
/* The workers accept from them. One of both for every change that was prepared. */
void ew_doors_commit(struct ew_control *control, struct ew_doors_change *change);
void ew_doors_abandon(struct ew_control *control, struct ew_doors_change *change);
/* Those at these addresses are closed once their queues are empty. */
void ew_doors_drop(struct ew_control *control, const struct ew_left *left);
/* We serve: the predecessor may go, and a successor may come. */
void ew_doors_settle(struct ew_control *control);

/* --- admin_io.c ------------------------------------------------------------------------------- */

/* What a predecessor has handed over is answered from ew_admin_serve() on, everything else now. */
MUST_CHECK
bool ew_admin_start(struct ew_control *control, struct err *err);
void ew_admin_serve(struct ew_control *control);
void ew_admin_stop(struct ew_control *control);
