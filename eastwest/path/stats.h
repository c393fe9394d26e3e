/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what a gateway counts: Istio's TCP metrics by destination, and our own.
 *
 * Series of a destination are made when it is first used and live as long as the process; past
 * EW_SERIES_MAX all share one. Any thread.
 * Source: istio_tcp_* as Istio's standard metrics define them, reporter "source".
 */
#pragma once

#include "base/metrics.h"
#include "base/str.h"
#include "eastwest/conn.h"

enum {
	EW_SERIES_MAX = 5000
};

/* One destination's counters. */
struct ew_series {
	struct metrics_value *opened;
	struct metrics_value *closed;
	struct metrics_value *sent;     /* to the client */
	struct metrics_value *received; /* from the client */
};

struct ew_stats {
	struct metrics *metrics; /* owned */
	struct metrics_family *opened;
	struct metrics_family *closed;
	struct metrics_family *sent;
	struct metrics_family *received;
	struct metrics_family *live;
	struct metrics_value *ends[2][N_EW_CLOSE_REASONS]; /* by door and reason */
	struct metrics_value *accepted[2];
	struct metrics_value *active[2];
	struct metrics_value *retries;
	struct metrics_value *hedges;
	struct metrics_value *ejections;
	struct metrics_value *accept_pauses;
	struct metrics_value *reloads_ok;
	struct metrics_value *reloads_bad;
	struct metrics_value *routes;
	struct metrics_value *version;
	struct metrics_value *table_bytes;
};

struct ew_stats *ew_stats_create(void);
void ew_stats_destroy(struct ew_stats *stats);

/* Beside the name, "" for what is not known. */
struct ew_destination {
	const char *own_cluster;
	const char *cluster;
	const char *flags; /* Envoy's response flags, "-" for none */
};

/* The counters of a destination; sni as in the table. */
void ew_stats_series(struct ew_stats *stats, struct str sni, const struct ew_destination *to,
                     struct ew_series *ret_series);
/* The 0/1 gauge of a gateway address. */
struct metrics_value *ew_stats_live(struct ew_stats *stats, const char *address);
