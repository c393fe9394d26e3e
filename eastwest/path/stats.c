/* SPDX-License-Identifier: Apache-2.0 */
#include "path/stats.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "model/sni.h"

/* The labels of the istio_tcp_* families in their order. What a passthrough gateway cannot see is
 * "unknown", as Istio writes it. */
enum label {
	LABEL_REPORTER,
	LABEL_SOURCE_WORKLOAD,
	LABEL_SOURCE_NAMESPACE,
	LABEL_SOURCE_PRINCIPAL,
	LABEL_SOURCE_APP,
	LABEL_SOURCE_SERVICE,
	LABEL_SOURCE_CLUSTER,
	LABEL_DESTINATION_WORKLOAD,
	LABEL_DESTINATION_WORKLOAD_NAMESPACE,
	LABEL_DESTINATION_PRINCIPAL,
	LABEL_DESTINATION_APP,
	LABEL_DESTINATION_SERVICE,
	LABEL_DESTINATION_SERVICE_NAME,
	LABEL_DESTINATION_SERVICE_NAMESPACE,
	LABEL_DESTINATION_CLUSTER,
	LABEL_PROTOCOL,
	LABEL_FLAGS,
	LABEL_SECURITY,
};

#define LABELS                                                                                     \
	"reporter,source_workload,source_workload_namespace,source_principal,source_app,"          \
	"source_canonical_service,source_cluster,destination_workload,"                            \
	"destination_workload_namespace,destination_principal,destination_app,"                    \
	"destination_service,destination_service_name,destination_service_namespace,"              \
	"destination_cluster,request_protocol,response_flags,connection_security_policy"

enum {
	N_LABELS = LABEL_SECURITY + 1
};

static struct metrics_value *single(struct ew_stats *stats, enum metrics_kind kind,
                                    const char *name, const char *help)
{
	return metrics_series(metrics_family(stats->metrics, kind, name, help, "", 1), NULL);
}

static void create_doors(struct ew_stats *stats)
{
	static const char *const doors[] = {
		[EW_DOOR_INGRESS] = "ingress", [EW_DOOR_EGRESS] = "egress"};
	struct metrics_family *accepted = metrics_family(
		stats->metrics, METRICS_COUNTER, "fedway_gateway_accepted_connections_total",
		"Connections that clients have opened.", "door", 2);
	struct metrics_family *active =
		metrics_family(stats->metrics, METRICS_GAUGE, "fedway_gateway_active_connections",
	                       "Client connections that are open now.", "door", 2);
	struct metrics_family *ends = metrics_family(
		stats->metrics, METRICS_COUNTER, "fedway_gateway_closed_connections_total",
		"Connections that have ended, by reason; error says whether the "
		"reason is one.",
		"door,reason,error", (size_t)2 * N_EW_CLOSE_REASONS);
	for (size_t d = 0; d < N_ELEMS(doors); d++) {
		stats->accepted[d] = metrics_series(accepted, &doors[d]);
		stats->active[d] = metrics_series(active, &doors[d]);
		for (int r = 0; r < N_EW_CLOSE_REASONS; r++) {
			enum ew_close_reason reason = (enum ew_close_reason)r;
			const char *values[] = {doors[d], ew_close_name(reason),
			                        ew_close_is_error(reason) ? "true" : "false"};
			stats->ends[d][r] = metrics_series(ends, values);
		}
	}
}

static void create_own(struct ew_stats *stats)
{
	static const char *const results[] = {"applied", "rejected"};
	static const char *const version = FEDWAY_VERSION;
	stats->retries = single(stats, METRICS_COUNTER, "fedway_gateway_retries_total",
	                        "Connects that were tried again on another endpoint.");
	stats->hedges = single(stats, METRICS_COUNTER, "fedway_gateway_hedges_total",
	                       "Second connects that were begun while a first one was pending.");
	stats->ejections =
		single(stats, METRICS_COUNTER, "fedway_gateway_ejections_total",
	               "Addresses that were left out of a route for a while, as connects failed.");
	stats->accept_pauses =
		single(stats, METRICS_COUNTER, "fedway_gateway_accept_pauses_total",
	               "Times that accepting was paused, as no file descriptor was left.");
	stats->routes = single(stats, METRICS_GAUGE, "fedway_gateway_routes", "Routes in force.");
	stats->version = single(stats, METRICS_GAUGE, "fedway_gateway_table_version",
	                        "Number of the route table in force; moves with every change.");
	stats->table_bytes = single(stats, METRICS_GAUGE, "fedway_gateway_table_bytes",
	                            "Memory of the route table in force.");
	struct metrics_family *reloads = metrics_family(
		stats->metrics, METRICS_COUNTER, "fedway_gateway_config_reloads_total",
		"Configurations that were read, by what became of them.", "result", 2);
	stats->reloads_ok = metrics_series(reloads, &results[0]);
	stats->reloads_bad = metrics_series(reloads, &results[1]);
	stats->live = metrics_family(stats->metrics, METRICS_GAUGE, "fedway_gateway_address_live",
	                             "1 while a remote gateway's address answers checks.",
	                             "address", 4096);
	struct metrics_family *info =
		metrics_family(stats->metrics, METRICS_GAUGE, "fedway_build_info",
	                       "Always 1; the version is in the label.", "version", 1);
	metrics_set(metrics_series(info, &version), 1);
}

struct ew_stats *ew_stats_create(void)
{
	struct ew_stats *stats = xcalloc(1, sizeof(*stats));
	struct metrics *metrics = metrics_create();
	stats->metrics = metrics;
	stats->opened =
		metrics_family(metrics, METRICS_COUNTER, "istio_tcp_connections_opened_total",
	                       "Connections opened to a destination.", LABELS, EW_SERIES_MAX);
	stats->closed = metrics_family(
		metrics, METRICS_COUNTER, "istio_tcp_connections_closed_total",
		"Connections to a destination that have ended.", LABELS, EW_SERIES_MAX);
	stats->sent = metrics_family(metrics, METRICS_COUNTER, "istio_tcp_sent_bytes_total",
	                             "Bytes sent to clients.", LABELS, EW_SERIES_MAX);
	stats->received = metrics_family(metrics, METRICS_COUNTER, "istio_tcp_received_bytes_total",
	                                 "Bytes received from clients.", LABELS, EW_SERIES_MAX);
	create_doors(stats);
	create_own(stats);
	return stats;
}

void ew_stats_destroy(struct ew_stats *stats)
{
	if (stats == NULL)
		return;
	metrics_destroy(stats->metrics);
	free(stats);
}

/* What the name says of the service. */
struct service {
	char host[SNI_MAX + 1];
	char name[SNI_MAX + 1];
	char namespace[SNI_MAX + 1];
};

static void read_service(struct str sni, struct service *service)
{
	struct sni parsed;
	struct str namespace;
	struct str name;
	struct str domain;
	*service = (struct service){"unknown", "unknown", "unknown"};
	if (!sni_parse(sni, &parsed))
		return;
	snprintf(service->host, sizeof(service->host), "%.*s", STR_ARG(parsed.host));
	if (!sni_split_host(parsed.host, &namespace, &name, &domain))
		return;
	snprintf(service->name, sizeof(service->name), "%.*s", STR_ARG(name));
	snprintf(service->namespace, sizeof(service->namespace), "%.*s", STR_ARG(namespace));
}

static const char *known(const char *text)
{
	return text[0] != '\0' ? text : "unknown";
}

void ew_stats_series(struct ew_stats *stats, struct str sni, const struct ew_destination *to,
                     struct ew_series *ret_series)
{
	const char *values[N_LABELS];
	struct service service;
	read_service(sni, &service);
	for (int i = 0; i < N_LABELS; i++)
		values[i] = "unknown";
	values[LABEL_REPORTER] = "source";
	values[LABEL_SOURCE_CLUSTER] = known(to->own_cluster);
	values[LABEL_DESTINATION_SERVICE] = service.host;
	values[LABEL_DESTINATION_SERVICE_NAME] = service.name;
	values[LABEL_DESTINATION_SERVICE_NAMESPACE] = service.namespace;
	values[LABEL_DESTINATION_CLUSTER] = known(to->cluster);
	values[LABEL_PROTOCOL] = "tcp";
	values[LABEL_FLAGS] = to->flags;
	ret_series->opened = metrics_series(stats->opened, values);
	ret_series->closed = metrics_series(stats->closed, values);
	ret_series->sent = metrics_series(stats->sent, values);
	ret_series->received = metrics_series(stats->received, values);
}

struct metrics_value *ew_stats_live(struct ew_stats *stats, const char *address)
{
	return metrics_series(stats->live, &address);
}
