/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "path/stats.h"

#define SNI "outbound_.80_._.web.shop.svc.cluster.local"

static bool has_line(const char *page, const char *line)
{
	if (strstr(page, line) != NULL)
		return true;
	print_message("docs/metrics.md misses\n%s", line);
	return false;
}

static bool has_metric(const char *page, const struct ew_metric_facts *facts)
{
	char line[1024];
	bool istio = strcmp(facts->labels, EW_ISTIO_LABELS) == 0;
	snprintf(line, sizeof(line), "| `%s` | %s | %s | %zu | %s |\n", facts->name,
	         facts->kind == METRICS_COUNTER ? "counter" : "gauge",
	         istio ? "Istio's" : facts->labels, facts->series_max, facts->help);
	return has_line(page, line);
}

static bool has_reason(const char *page, enum ew_close_reason reason)
{
	char line[1024];
	snprintf(line, sizeof(line), "| `%s` | %s | `%s` | %s |\n", ew_close_name(reason),
	         ew_close_is_error(reason) ? "yes" : "", ew_close_flags(reason),
	         ew_close_sentence(reason));
	return has_line(page, line);
}

static void the_page_has_every_metric_and_reason_as_it_is(void **state)
{
	struct buf page CLEANUP(buf_fini);
	struct err err;
	(void)state;
	buf_init(&page, 1 << 20);
	assert_true(file_load(TEST_DATA_DIR "/../../../docs/metrics.md", &page, &err));
	const char *text = buf_text(&page);
	bool all = has_line(text, EW_ISTIO_LABELS "\n");
	for (int m = 0; m < N_EW_METRICS; m++)
		all &= has_metric(text, ew_metric_facts((enum ew_metric)m));
	for (int r = 0; r < N_EW_CLOSE_REASONS; r++)
		all &= has_reason(text, (enum ew_close_reason)r);
	assert_true(all);
}

static char *format(struct ew_stats *stats)
{
	struct buf text;
	buf_init(&text, 4 << 20);
	metrics_format(stats->metrics, &text);
	return buf_take(&text);
}

static void every_reason_of_an_end_is_there_from_the_start(void **state)
{
	struct ew_stats *stats = ew_stats_create();
	char *text = format(stats);
	(void)state;
	for (int r = 0; r < N_EW_CLOSE_REASONS; r++) {
		char line[200];
		enum ew_close_reason reason = (enum ew_close_reason)r;
		snprintf(line, sizeof(line),
		         "fedway_gateway_closed_connections_total{door=\"egress\",reason=\"%s\","
		         "error=\"%s\"} 0\n",
		         ew_close_name(reason), ew_close_is_error(reason) ? "true" : "false");
		assert_non_null(strstr(text, line));
	}
	free(text);
	ew_stats_destroy(stats);
}

static void a_destination_has_istios_labels(void **state)
{
	struct ew_stats *stats = ew_stats_create();
	struct ew_destination to = {"c1", "c2", "-"};
	struct ew_series series;
	(void)state;
	ew_stats_series(stats, STR_LIT(SNI), &to, &series);
	metrics_add(series.sent, 7);
	char *text = format(stats);
	assert_non_null(strstr(
		text,
		"istio_tcp_sent_bytes_total{reporter=\"source\",source_workload=\"unknown\","
		"source_workload_namespace=\"unknown\",source_principal=\"unknown\","
		"source_app=\"unknown\",source_version=\"unknown\","
		"source_canonical_service=\"unknown\",source_canonical_revision=\"unknown\","
		"source_cluster=\"c1\",destination_workload=\"unknown\","
		"destination_workload_namespace=\"unknown\",destination_principal=\"unknown\","
		"destination_app=\"unknown\",destination_version=\"unknown\","
		"destination_service=\"web.shop.svc.cluster.local\","
		"destination_service_name=\"web\",destination_service_namespace=\"shop\","
		"destination_canonical_service=\"unknown\","
		"destination_canonical_revision=\"unknown\",destination_cluster=\"c2\","
		"request_protocol=\"tcp\",response_flags=\"-\","
		"connection_security_policy=\"unknown\"} 7\n"));
	free(text);
	ew_stats_destroy(stats);
}

static void limits_are_told(void **state)
{
	struct ew_stats *stats = ew_stats_create();
	struct ew_limits limits = {.connections = 5, .hello_memory_mib = 1};
	(void)state;
	ew_stats_set_limits(stats, &limits);
	char *text = format(stats);
	assert_non_null(strstr(text, "fedway_gateway_limit{limit=\"connections\"} 5\n"));
	assert_non_null(strstr(text, "fedway_gateway_limit{limit=\"half_hello_bytes\"} 1048576\n"));
	free(text);
	ew_stats_destroy(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_has_every_metric_and_reason_as_it_is),
		cmocka_unit_test(every_reason_of_an_end_is_there_from_the_start),
		cmocka_unit_test(a_destination_has_istios_labels),
		cmocka_unit_test(limits_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
