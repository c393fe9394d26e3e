/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/json.h"
#include "path/record.h"

static json_t *parse(struct buf *text)
{
	struct err err;
	json_t *json = json_parse(buf_str(text), &err);
	if (json == NULL)
		fail_msg("%s: %s", err.msg, buf_text(text));
	return json;
}

static json_t *refusals(struct ew_recorder *recorder, size_t max)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, 16 << 20);
	ew_recorder_format_refusals(recorder, max, &text);
	return parse(&text);
}

static json_t *trace(struct ew_recorder *recorder, uint64_t since, size_t max, const char *sni)
{
	struct buf text CLEANUP(buf_fini);
	struct ew_recorder_ask ask = {.since = since, .max = max, .sni = str_from(sni)};
	buf_init(&text, 16 << 20);
	ew_recorder_format(recorder, &ask, &text);
	return parse(&text);
}

static void refuse(struct ew_recorder *recorder, int64_t at_ms, struct str sni)
{
	struct ew_event event = {.kind = EW_EVENT_REFUSED,
	                         .door = EW_DOOR_EGRESS,
	                         .sni = sni,
	                         .reason = EW_CLOSE_NO_ENDPOINT,
	                         .alert = 80};
	assert_true(addr_parse(STR_LIT("192.0.2.7:5000"), &event.client));
	ew_recorder_add(recorder, at_ms, &event);
}

static void route(struct ew_recorder *recorder, int64_t at_ms, struct str sni)
{
	struct ew_way way = {.attempts = 2,
	                     .priority = 1,
	                     .whys = 1u << EW_WHY_MARKED | 1u << EW_WHY_RETRIED,
	                     .cluster = "c1",
	                     .locality = "r/z"};
	struct ew_event event = {.kind = EW_EVENT_ROUTED, .sni = sni, .way = &way};
	assert_true(addr_parse(STR_LIT("[2001:db8::1]:5000"), &event.client));
	assert_true(addr_parse(STR_LIT("10.0.0.1:80"), &way.upstream));
	ew_recorder_add(recorder, at_ms, &event);
}

static const char *text_of(const json_t *list, size_t i, const char *key)
{
	return json_str_at(json_array_get(list, i), key, "?");
}

static void keeps_the_last_refusals_newest_first(void **state)
{
	struct ew_recorder *recorder = ew_recorder_create();
	(void)state;
	for (int64_t i = 0; i < EW_RECORDS + 10; i++)
		refuse(recorder, i * 1000 + 7, STR_LIT("a.b"));
	json_t *list = refusals(recorder, EW_RECORDS + 10);
	assert_int_equal(json_array_size(list), EW_RECORDS);
	assert_string_equal(text_of(list, 0, "time"), "1970-01-01T01:08:25.007Z");
	assert_string_equal(text_of(list, 0, "client"), "192.0.2.7:5000");
	assert_string_equal(text_of(list, 0, "door"), "egress");
	assert_string_equal(text_of(list, 0, "sni"), "a.b");
	assert_string_equal(text_of(list, 0, "reason"), "no_endpoint");
	assert_string_equal(text_of(list, 0, "message"), "no endpoint of the service is usable");
	assert_int_equal(json_int_at(json_array_get(list, 0), "alert", 0), 80);
	json_decref(list);
	list = refusals(recorder, 3);
	assert_int_equal(json_array_size(list), 3);
	json_decref(list);
	ew_recorder_destroy(recorder);
}

static void cuts_long_names_and_takes_none(void **state)
{
	struct ew_recorder *recorder = ew_recorder_create();
	char name[200];
	(void)state;
	memset(name, 'n', sizeof(name));
	refuse(recorder, 1, str_make(name, sizeof(name)));
	refuse(recorder, 2, STR_NULL);
	json_t *list = refusals(recorder, 10);
	assert_string_equal(text_of(list, 0, "sni"), "");
	assert_int_equal(strlen(text_of(list, 1, "sni")), EW_RECORD_SNI_MAX);
	json_decref(list);
	ew_recorder_destroy(recorder);
}

static void a_trace_has_decisions_and_refusals_in_their_order(void **state)
{
	struct ew_recorder *recorder = ew_recorder_create();
	(void)state;
	route(recorder, 1, STR_LIT("web.shop"));
	refuse(recorder, 2, STR_LIT("other"));
	route(recorder, 3, STR_LIT("web.shop"));
	json_t *answer = trace(recorder, 0, 10, "");
	json_t *events = json_object_get(answer, "events");
	assert_int_equal(json_array_size(events), 3);
	assert_int_equal(json_int_at(answer, "next", 0), 3);
	assert_string_equal(text_of(events, 0, "event"), "routed");
	assert_string_equal(text_of(events, 0, "client"), "[2001:db8::1]:5000");
	assert_string_equal(text_of(events, 0, "upstream"), "10.0.0.1:80");
	assert_string_equal(text_of(events, 0, "why"), "marked+retried");
	assert_string_equal(text_of(events, 0, "cluster"), "c1");
	assert_string_equal(text_of(events, 1, "event"), "refused");
	assert_string_equal(text_of(events, 1, "upstream"), "?");
	json_decref(answer);
	answer = trace(recorder, 1, 10, "shop");
	events = json_object_get(answer, "events");
	assert_int_equal(json_array_size(events), 1);
	assert_int_equal(json_int_at(json_array_get(events, 0), "number", 0), 3);
	json_decref(answer);
	answer = trace(recorder, 0, 1, "");
	events = json_object_get(answer, "events");
	assert_int_equal(json_int_at(json_array_get(events, 0), "number", 0), 3);
	json_decref(answer);
	ew_recorder_destroy(recorder);
}

static void a_trace_says_when_it_was_too_late(void **state)
{
	struct ew_recorder *recorder = ew_recorder_create();
	(void)state;
	refuse(recorder, 1, STR_LIT("the one"));
	for (int64_t i = 0; i < EW_RECORDS + 1; i++)
		route(recorder, i, STR_LIT("busy"));
	/* the first routed one, of number 2, is gone; a refusal never makes room for the others */
	json_t *answer = trace(recorder, 1, EW_RECORDS, "");
	assert_true(json_bool_at(answer, "lost", false));
	json_decref(answer);
	answer = trace(recorder, 2, EW_RECORDS, "");
	assert_false(json_bool_at(answer, "lost", true));
	json_decref(answer);
	/* since a number of a process before */
	answer = trace(recorder, 1000000, 2 * EW_RECORDS, "the one");
	assert_int_equal(json_array_size(json_object_get(answer, "events")), 1);
	json_decref(answer);
	ew_recorder_destroy(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_last_refusals_newest_first),
		cmocka_unit_test(cuts_long_names_and_takes_none),
		cmocka_unit_test(a_trace_has_decisions_and_refusals_in_their_order),
		cmocka_unit_test(a_trace_says_when_it_was_too_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
