/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/json.h"
#include "path/record.h"

static json_t *read_back(struct ew_recorder *recorder, size_t max)
{
	struct buf text CLEANUP(buf_fini);
	struct err err;
	buf_init(&text, 4 << 20);
	ew_recorder_format(recorder, max, &text);
	json_t *list = json_parse(buf_str(&text), &err);
	assert_non_null(list);
	return list;
}

static void add(struct ew_recorder *recorder, int64_t at_s, struct str sni)
{
	struct ew_refusal refusal = {
		.door = EW_DOOR_EGRESS, .sni = sni, .reason = EW_CLOSE_NO_ENDPOINT, .alert = 80};
	assert_true(addr_parse(STR_LIT("192.0.2.7:5000"), &refusal.client));
	ew_recorder_add(recorder, at_s, &refusal);
}

static void keeps_the_last_ones_newest_first(void **state)
{
	struct ew_recorder *recorder = ew_recorder_create();
	(void)state;
	for (int64_t i = 0; i < EW_RECORDS + 10; i++)
		add(recorder, i, STR_LIT("a.b"));
	json_t *list = read_back(recorder, EW_RECORDS + 10);
	assert_int_equal(json_array_size(list), EW_RECORDS);
	json_t *last = json_array_get(list, 0);
	assert_string_equal(json_str_at(last, "time", ""), "1970-01-01T01:08:25Z");
	assert_string_equal(json_str_at(last, "client", ""), "192.0.2.7:5000");
	assert_string_equal(json_str_at(last, "door", ""), "egress");
	assert_string_equal(json_str_at(last, "sni", ""), "a.b");
	assert_string_equal(json_str_at(last, "reason", ""), "no_endpoint");
	assert_int_equal(json_int_at(last, "alert", 0), 80);
	json_decref(list);
	list = read_back(recorder, 3);
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
	add(recorder, 1, str_make(name, sizeof(name)));
	add(recorder, 2, STR_NULL);
	json_t *list = read_back(recorder, 10);
	assert_string_equal(json_str_at(json_array_get(list, 0), "sni", "x"), "");
	assert_int_equal(strlen(json_str_at(json_array_get(list, 1), "sni", "")),
	                 EW_RECORD_SNI_MAX);
	json_decref(list);
	ew_recorder_destroy(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_last_ones_newest_first),
		cmocka_unit_test(cuts_long_names_and_takes_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
