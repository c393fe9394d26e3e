/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"
#include "objects.h"

static const char events[] =
	"- {time: '2026-11-25T04:05:06.789Z', event: routed, door: ingress, client: "
	"'192.0.2.9:51844',"
	" sni: web.shop, upstream: '10.1.0.7:80', cluster: c2, locality: r/z, priority: 1,"
	" why: relay+retried, attempts: 2}\n"
	"- {time: '2026-11-25T04:05:06.790Z', event: failed, door: egress, client: "
	"'192.0.2.9:51845',"
	" sni: web.shop, upstream: '10.1.0.8:80', cluster: '', locality: '', priority: 0,"
	" why: first, attempts: 1, message: the connect was refused}\n"
	"- {time: '2026-11-25T04:05:06.791Z', event: refused, door: ingress,"
	" client: '192.0.2.9:51846', sni: \"a\\e[1mb\", reason: unknown_name, alert: 112,"
	" message: no route has this name}\n"
	"- {time: '2026-11-25T04:05:06.792Z', event: refused, door: ingress,"
	" client: '192.0.2.9:51847', sni: '', reason: not_tls, alert: 0, message: not TLS}\n";

static void an_event_is_a_line_that_steers_no_terminal(void **state)
{
	struct buf out;
	size_t i;
	json_t *event;
	(void)state;
	json_t *list = objects_one(events);
	buf_init(&out, CLI_TEXT_MAX);
	json_array_foreach (list, i, event)
		gateway_event_format(event, (struct look){.ascii = true}, &out);
	assert_string_equal(
		buf_text(&out),
		"2026-11-25T04:05:06.789Z OK routed ingress 192.0.2.9:51844 web.shop -> "
		"10.1.0.7:80 (c2, r/z, priority 1, relay+retried, attempt 2)\n"
		"2026-11-25T04:05:06.790Z WARN failed egress 192.0.2.9:51845 web.shop -> "
		"10.1.0.8:80 (priority 0, first, attempt 1): the connect was refused\n"
		"2026-11-25T04:05:06.791Z FAIL refused ingress 192.0.2.9:51846 a [1mb: no route "
		"has this name (unknown_name, alert 112)\n"
		"2026-11-25T04:05:06.792Z FAIL refused ingress 192.0.2.9:51847 -: not TLS "
		"(not_tls)\n");
	buf_fini(&out);
	json_decref(list);
}

static const char before[] =
	"atMilliseconds: 1000\n"
	"doors:\n"
	"- {door: ingress, accepted: 10, connections: 1, refused: {unknown_name: 1}}\n"
	"- {door: egress, accepted: 0, connections: 0, refused: {}}\n"
	"names:\n"
	"- {sni: quiet, connections: 1, opened: 5, failed: 0}\n"
	"- {sni: busy, connections: 0, opened: 4, failed: 1}\n";
static const char now[] =
	"atMilliseconds: 3000\n"
	"doors:\n"
	"- {door: ingress, accepted: 15, connections: 2, refused: {unknown_name: 2}}\n"
	"- {door: egress, accepted: 3, connections: 1, refused: {unknown_name: 2, no_alpn: 1}}\n"
	"names:\n"
	"- {sni: quiet, connections: 1, opened: 5, failed: 0}\n"
	"- {sni: busy, connections: 1, opened: 9, failed: 2}\n"
	"- {sni: new, connections: 1, opened: 1, failed: 0}\n";

static void rates_are_of_what_came_between_two_looks(void **state)
{
	struct buf out;
	(void)state;
	json_t *a = objects_one(before);
	json_t *b = objects_one(now);
	json_t *report = gateway_top_make(a, b);
	buf_init(&out, CLI_TEXT_MAX);
	gateway_top_format(report, (struct look){.ascii = true}, &out);
	assert_string_equal(buf_text(&out), "3 open, 4.0 new a second, in the last 2.0 s\n"
	                                    "\n"
	                                    "NAME   OPEN  NEW/S  FAILED/S  OPENED  FAILED\n"
	                                    "busy   1     2.5    0.5       9       2\n"
	                                    "new    1     0.5    0.0       1       0\n"
	                                    "quiet  1     0.0    0.0       5       0\n"
	                                    "\n"
	                                    "REFUSED       PER SECOND  TOTAL\n"
	                                    "unknown_name  1.5         4\n"
	                                    "no_alpn       0.5         1\n");
	buf_fini(&out);
	json_decref(report);
	json_decref(a);
	json_decref(b);
}

static void after_a_restart_all_is_new(void **state)
{
	(void)state;
	json_t *a = objects_one(now);
	json_t *b = objects_one(before);
	json_object_set_new(b, "atMilliseconds", json_integer(5000));
	json_t *report = gateway_top_make(a, b);
	json_t *names = json_object_get(report, "names");
	assert_string_equal(json_string_value(json_object_get(json_array_get(names, 0), "sni")),
	                    "busy");
	assert_true(json_number_value(json_object_get(report, "newPerSecond")) == 5.0);
	json_decref(report);
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_a_line_that_steers_no_terminal),
		cmocka_unit_test(rates_are_of_what_came_between_two_looks),
		cmocka_unit_test(after_a_restart_all_is_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
