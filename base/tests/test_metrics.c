/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/metrics.h"

static void expect(struct metrics *metrics, const char *text)
{
	struct buf out;

	buf_init(&out, 100000);
	metrics_format(metrics, &out);
	assert_string_equal(buf_text(&out), text);
	buf_fini(&out);
}

static void writes_the_prometheus_text_format(void **state)
{
	struct metrics *metrics = metrics_create();
	struct metrics_family *up =
		metrics_family(metrics, METRICS_GAUGE, "fedway_up", "Is it\nup \\?", "", 1);
	struct metrics_family *closed =
		metrics_family(metrics, METRICS_COUNTER, "fedway_closed_total",
	                       "Connections closed.", "door,reason", 10);
	const char *const one[] = {"ingress", "a \"b\"\\\n"};

	(void)state;
	metrics_set(metrics_series(up, NULL), 1);
	metrics_add(metrics_series(closed, one), 2);
	metrics_add(metrics_series(closed, one), 3);
	expect(metrics, "# HELP fedway_up Is it\\nup \\\\?\n"
	                "# TYPE fedway_up gauge\n"
	                "fedway_up 1\n"
	                "# HELP fedway_closed_total Connections closed.\n"
	                "# TYPE fedway_closed_total counter\n"
	                "fedway_closed_total{door=\"ingress\",reason=\"a \\\"b\\\"\\\\\\n\"} 5\n");
	metrics_destroy(metrics);
	metrics_destroy(NULL);
}

static void shares_one_series_past_the_cap(void **state)
{
	struct metrics *metrics = metrics_create();
	struct metrics_family *family =
		metrics_family(metrics, METRICS_COUNTER, "n_total", "N.", "sni", 2);
	static const char *const names[] = {"a", "b", "c", "d", "a"};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		metrics_add(metrics_series(family, &names[i]), 1);
	expect(metrics, "# HELP n_total N.\n"
	                "# TYPE n_total counter\n"
	                "n_total{sni=\"a\"} 2\n"
	                "n_total{sni=\"b\"} 1\n"
	                "n_total{sni=\"other\"} 2\n");
	metrics_destroy(metrics);
}

static void counts_oversized_labels_as_other(void **state)
{
	struct metrics *metrics = metrics_create();
	struct metrics_family *family =
		metrics_family(metrics, METRICS_COUNTER, "n_total", "N.", "sni", 2);
	static char big[10000];
	const char *const name = big;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	metrics_add(metrics_series(family, &name), 1);
	expect(metrics, "# HELP n_total N.\n"
	                "# TYPE n_total counter\n"
	                "n_total{sni=\"other\"} 1\n");
	metrics_destroy(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_prometheus_text_format),
		cmocka_unit_test(shares_one_series_past_the_cap),
		cmocka_unit_test(counts_oversized_labels_as_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
