/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what a gateway counts: Istio's TCP metrics by destination, and our own.
 *
 * Series of a destination are made when it is first used and live as long as the process; past
 * EW_SERIES_MAX all share one. Any thread, unless said.
 * Source: istio_tcp_* as Istio's standard metrics define them, reporter "source".
 */
#pragma once

#include "base/metrics.h"
#include "base/str.h"
#include "eastwest/conn.h"

enum {
	EW_SERIES_MAX = 5000,
	EW_ADDRESSES_MAX = 4096
};

/* What a passthrough gateway cannot see is "unknown", as Istio writes it. */
#define EW_ISTIO_LABELS                                                                            \
	"reporter,source_workload,source_workload_namespace,source_principal,source_app,"          \
	"source_version,source_canonical_service,source_canonical_revision,source_cluster,"        \
	"destination_workload,destination_workload_namespace,destination_principal,"               \
	"destination_app,destination_version,destination_service,destination_service_name,"        \
	"destination_service_namespace,destination_canonical_service,"                             \
	"destination_canonical_revision,destination_cluster,request_protocol,response_flags,"      \
	"connection_security_policy"

/* Every metric of the gateway: kind, name, labels, most series, sentence. docs/metrics.md is this
 * table, and tests/test_stats.c holds it against it. */
#define EW_METRICS(X)                                                                              \
	X(EW_METRIC_OPENED, METRICS_COUNTER, "istio_tcp_connections_opened_total",                 \
	  EW_ISTIO_LABELS, EW_SERIES_MAX, "Connections opened to a destination.")                  \
	X(EW_METRIC_CLOSED, METRICS_COUNTER, "istio_tcp_connections_closed_total",                 \
	  EW_ISTIO_LABELS, EW_SERIES_MAX, "Connections to a destination that have ended.")         \
	X(EW_METRIC_SENT, METRICS_COUNTER, "istio_tcp_sent_bytes_total", EW_ISTIO_LABELS,          \
	  EW_SERIES_MAX, "Bytes sent to clients; grows while a connection is open.")               \
	X(EW_METRIC_RECEIVED, METRICS_COUNTER, "istio_tcp_received_bytes_total", EW_ISTIO_LABELS,  \
	  EW_SERIES_MAX, "Bytes received from clients; grows while a connection is open.")         \
	X(EW_METRIC_ACCEPTED, METRICS_COUNTER, "fedway_gateway_accepted_connections_total",        \
	  "door", 2, "Connections that clients have opened.")                                      \
	X(EW_METRIC_ACTIVE, METRICS_GAUGE, "fedway_gateway_active_connections", "door", 2,         \
	  "Client connections that are open now.")                                                 \
	X(EW_METRIC_ENDS, METRICS_COUNTER, "fedway_gateway_closed_connections_total",              \
	  "door,reason,error", 2 * N_EW_CLOSE_REASONS,                                             \
	  "Connections that have ended, by reason; error says whether the reason is one.")         \
	X(EW_METRIC_RETRIES, METRICS_COUNTER, "fedway_gateway_retries_total", "", 1,               \
	  "Connects that were tried again on another endpoint.")                                   \
	X(EW_METRIC_HEDGES, METRICS_COUNTER, "fedway_gateway_hedges_total", "", 1,                 \
	  "Second connects that were begun while a first one was pending.")                        \
	X(EW_METRIC_EJECTIONS, METRICS_COUNTER, "fedway_gateway_ejections_total", "", 1,           \
	  "Addresses that were left out of a route for a while, as connects failed.")              \
	X(EW_METRIC_PAUSES, METRICS_COUNTER, "fedway_gateway_accept_pauses_total", "", 1,          \
	  "Times that accepting was paused, as no file descriptor was left.")                      \
	X(EW_METRIC_LIMIT, METRICS_GAUGE, "fedway_gateway_limit", "limit", 3,                      \
	  "Limits in force, 0 for none; who is over one is in closed_connections by reason.")      \
	X(EW_METRIC_ROUTES, METRICS_GAUGE, "fedway_gateway_routes", "", 1, "Routes in force.")     \
	X(EW_METRIC_VERSION, METRICS_GAUGE, "fedway_gateway_table_version", "", 1,                 \
	  "Number of the route table in force; moves with every change.")                          \
	X(EW_METRIC_TABLE_BYTES, METRICS_GAUGE, "fedway_gateway_table_bytes", "", 1,               \
	  "Memory of the route table in force.")                                                   \
	X(EW_METRIC_RELOADS, METRICS_COUNTER, "fedway_gateway_config_reloads_total", "result", 2,  \
	  "Configurations that were read, by what became of them.")                                \
	X(EW_METRIC_LIVE, METRICS_GAUGE, "fedway_gateway_address_live", "address",                 \
	  EW_ADDRESSES_MAX, "1 while a remote gateway's address answers checks.")                  \
	X(EW_METRIC_PEER_NOT_AFTER, METRICS_GAUGE,                                                 \
	  "fedway_gateway_address_certificate_not_after_seconds", "address", EW_ADDRESSES_MAX,     \
	  "End of the certificate that a remote gateway's address showed, seconds since 1970.")    \
	X(EW_METRIC_LOG_LINES, METRICS_COUNTER, "fedway_gateway_access_log_lines_total", "", 1,    \
	  "Lines of the access log that were written.")                                            \
	X(EW_METRIC_LOG_LOST, METRICS_COUNTER, "fedway_gateway_access_log_lost_lines_total", "",   \
	  1, "Lines of the access log that were dropped: not taken in time, or not written.")      \
	X(EW_METRIC_PLANE_UP, METRICS_GAUGE, "fedway_gateway_control_plane_connected", "", 1,      \
	  "1 while the stream from the control plane is there; absent without one.")               \
	X(EW_METRIC_BURSTS, METRICS_COUNTER, "fedway_gateway_mesh_bursts_total", "", 1,            \
	  "Changes from the control plane that took effect; absent without one.")                  \
	X(EW_METRIC_RESYNCS, METRICS_COUNTER, "fedway_gateway_mesh_resyncs_total", "", 1,          \
	  "Streams begun anew because the counts differed; absent without a control plane.")       \
	X(EW_METRIC_NOT_AFTER, METRICS_GAUGE, "fedway_gateway_certificate_not_after_seconds", "",  \
	  1,                                                                                       \
	  "End of the certificate's validity, seconds since 1970; absent without a control "       \
	  "plane.")                                                                                \
	X(EW_METRIC_BUILD, METRICS_GAUGE, "fedway_build_info", "version", 1,                       \
	  "Always 1; the version is in the label.")

enum ew_metric {
#define X(metric, kind, name, labels, series, help) metric,
	EW_METRICS(X)
#undef X
};

enum {
#define X(metric, kind, name, labels, series, help) +1
	N_EW_METRICS = 0 EW_METRICS(X)
#undef X
};

struct ew_metric_facts {
	enum metrics_kind kind;
	const char *name;
	const char *labels; /* comma list */
	size_t series_max;
	const char *help;
};
const struct ew_metric_facts *ew_metric_facts(enum ew_metric metric);

/* One destination's counters. */
struct ew_series {
	struct metrics_value *opened;
	struct metrics_value *closed;
	struct metrics_value *sent;     /* to the client */
	struct metrics_value *received; /* from the client */
};

struct ew_stats {
	struct metrics *metrics;                           /* owned */
	struct metrics_family *families[N_EW_METRICS];     /* NULL: not asked for yet */
	struct metrics_value *ends[2][N_EW_CLOSE_REASONS]; /* by door and reason */
	struct metrics_value *accepted[2];
	struct metrics_value *active[2];
	struct metrics_value *retries;
	struct metrics_value *hedges;
	struct metrics_value *ejections;
	struct metrics_value *accept_pauses;
	struct metrics_value *log_lines;
	struct metrics_value *log_lost;
	struct metrics_value *reloads_ok;
	struct metrics_value *reloads_bad;
	struct metrics_value *routes;
	struct metrics_value *version;
	struct metrics_value *table_bytes;
};

struct ew_stats *ew_stats_create(void);
void ew_stats_destroy(struct ew_stats *stats);

/* A metric without labels. For the thread that has made stats. */
struct metrics_value *ew_stats_single(struct ew_stats *stats, enum ew_metric metric);

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
struct metrics_value *ew_stats_peer_not_after(struct ew_stats *stats, const char *address);
void ew_stats_set_limits(struct ew_stats *stats, const struct ew_limits *limits);
