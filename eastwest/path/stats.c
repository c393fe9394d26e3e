/* SPDX-License-Identifier: Apache-2.0 */
#include "path/stats.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "model/sni.h"

/* Those of EW_ISTIO_LABELS that are known, by their place in it. */
enum label {
	LABEL_REPORTER = 0,
	LABEL_SOURCE_CLUSTER = 8,
	LABEL_DESTINATION_SERVICE = 14,
	LABEL_DESTINATION_SERVICE_NAME = 15,
	LABEL_DESTINATION_SERVICE_NAMESPACE = 16,
	LABEL_DESTINATION_CLUSTER = 19,
	LABEL_PROTOCOL = 20,
	LABEL_FLAGS = 21,
	N_LABELS = 23
};

static const struct ew_metric_facts facts[] = {
#define X(metric, kind, name, labels, series, help) [metric] = {kind, name, labels, series, help},
	EW_METRICS(X)
#undef X
};

const struct ew_metric_facts *ew_metric_facts(enum ew_metric metric)
{
	return &facts[metric];
}

static struct metrics_family *family(struct ew_stats *stats, enum ew_metric metric)
{
	const struct ew_metric_facts *row = &facts[metric];
	if (stats->families[metric] == NULL)
		stats->families[metric] = metrics_family(stats->metrics, row->kind, row->name,
		                                         row->help, row->labels, row->series_max);
	return stats->families[metric];
}

struct metrics_value *ew_stats_single(struct ew_stats *stats, enum ew_metric metric)
{
	return metrics_series(family(stats, metric), NULL);
}

/* All of them from the start, so that nothing begins at another value than 0. */
static void create_doors(struct ew_stats *stats)
{
	for (size_t d = 0; d < N_ELEMS(stats->accepted); d++) {
		const char *door = ew_door_name((enum ew_door)d);
		stats->accepted[d] = metrics_series(family(stats, EW_METRIC_ACCEPTED), &door);
		stats->active[d] = metrics_series(family(stats, EW_METRIC_ACTIVE), &door);
		for (int r = 0; r < N_EW_CLOSE_REASONS; r++) {
			enum ew_close_reason reason = (enum ew_close_reason)r;
			const char *values[] = {door, ew_close_name(reason),
			                        ew_close_is_error(reason) ? "true" : "false"};
			stats->ends[d][r] = metrics_series(family(stats, EW_METRIC_ENDS), values);
		}
	}
}

static void create_own(struct ew_stats *stats)
{
	static const char *const results[] = {"applied", "rejected"};
	static const char *const version = FEDWAY_VERSION;
	const struct {
		struct metrics_value **value;
		enum ew_metric metric;
	} singles[] = {
		{&stats->retries, EW_METRIC_RETRIES},
		{&stats->hedges, EW_METRIC_HEDGES},
		{&stats->ejections, EW_METRIC_EJECTIONS},
		{&stats->accept_pauses, EW_METRIC_PAUSES},
		{&stats->routes, EW_METRIC_ROUTES},
		{&stats->version, EW_METRIC_VERSION},
		{&stats->table_bytes, EW_METRIC_TABLE_BYTES},
		{&stats->log_lines, EW_METRIC_LOG_LINES},
		{&stats->log_lost, EW_METRIC_LOG_LOST},
	};
	for (size_t i = 0; i < N_ELEMS(singles); i++)
		*singles[i].value = ew_stats_single(stats, singles[i].metric);
	stats->reloads_ok = metrics_series(family(stats, EW_METRIC_RELOADS), &results[0]);
	stats->reloads_bad = metrics_series(family(stats, EW_METRIC_RELOADS), &results[1]);
	/* these are asked for by other threads: the families have to be there */
	family(stats, EW_METRIC_LIVE);
	family(stats, EW_METRIC_PEER_NOT_AFTER);
	metrics_set(metrics_series(family(stats, EW_METRIC_BUILD), &version), 1);
}

struct ew_stats *ew_stats_create(void)
{
	struct ew_stats *stats = xcalloc(1, sizeof(*stats));
	stats->metrics = metrics_create();
	for (int m = EW_METRIC_OPENED; m <= EW_METRIC_RECEIVED; m++)
		family(stats, (enum ew_metric)m);
	create_doors(stats);
	create_own(stats);
	return stats;
}

void ew_stats_set_limits(struct ew_stats *stats, const struct ew_limits *limits)
{
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{"connections", limits->connections},
		{"half_hello_bytes", (int64_t)limits->hello_memory_mib << 20},
		{"new_connections_per_second_of_a_source", limits->per_source.rate},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		metrics_set(metrics_series(family(stats, EW_METRIC_LIMIT), &rows[i].name),
		            rows[i].value);
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
	ret_series->opened = metrics_series(stats->families[EW_METRIC_OPENED], values);
	ret_series->closed = metrics_series(stats->families[EW_METRIC_CLOSED], values);
	ret_series->sent = metrics_series(stats->families[EW_METRIC_SENT], values);
	ret_series->received = metrics_series(stats->families[EW_METRIC_RECEIVED], values);
}

struct metrics_value *ew_stats_live(struct ew_stats *stats, const char *address)
{
	return metrics_series(stats->families[EW_METRIC_LIVE], &address);
}

struct metrics_value *ew_stats_peer_not_after(struct ew_stats *stats, const char *address)
{
	return metrics_series(stats->families[EW_METRIC_PEER_NOT_AFTER], &address);
}
