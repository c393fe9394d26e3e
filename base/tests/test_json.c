/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"

static void refuses_what_is_not_one_strict_value(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
		{"", "line 1"},
		{"{\"a\":1,\"a\":2}", "duplicate"},
		{"{} {}", "end of file expected"},
		{"{\n\"a\":}", "line 2"},
		{"\"\xff\"", "unable to decode byte 0xff"},
		{"\"a\\u0000b\"", "\\u0000"},
		{"nan", "line 1"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		assert_row(rows[i].text, json_parse(str_from(rows[i].text), &err) == NULL);
		assert_row(rows[i].text, err.code == ERR_BAD_REQUEST);
		if (strstr(err.msg, rows[i].says) == NULL)
			fail_msg("row '%s': %s", rows[i].text, err.msg);
	}
}

static void limits_depth(void **state)
{
	struct buf buf;
	struct err err;

	(void)state;
	for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		buf_init(&buf, 1000);
		for (int i = 0; i < depth; i++)
			buf_add_char(&buf, '[');
		for (int i = 0; i < depth; i++)
			buf_add_char(&buf, ']');
		json_t *value = json_parse(buf_str(&buf), &err);
		assert_int_equal(value != NULL, depth == JSON_DEPTH_MAX);
		json_decref(value);
		buf_fini(&buf);
	}
	assert_int_equal(err.code, ERR_BAD_REQUEST);
}

static void does_not_count_brackets_in_strings(void **state)
{
	struct buf buf;
	struct err err;

	(void)state;
	buf_init(&buf, 1000);
	buf_add_text(&buf, "\"\\\"");
	for (int i = 0; i < 200; i++)
		buf_add_char(&buf, '[');
	buf_add_text(&buf, "\"");
	json_t *value = json_parse(buf_str(&buf), &err);
	assert_non_null(value);
	json_decref(value);
	buf_fini(&buf);
}

static void keeps_64_bit_numbers_and_the_order_of_keys(void **state)
{
	struct err err;
	json_t *value =
		json_parse(STR_LIT("{\"b\": 9223372036854775807, \"a\": [1.5, null]}"), &err);

	(void)state;
	assert_non_null(value);
	CLEANUP(free_ptr) char *text = json_format(value);
	CLEANUP(free_ptr) char *sorted = json_format_sorted(value);
	assert_string_equal(text, "{\"b\":9223372036854775807,\"a\":[1.5,null]}");
	assert_string_equal(sorted, "{\"a\":[1.5,null],\"b\":9223372036854775807}");
	json_decref(value);
}

static void reads_along_a_path(void **state)
{
	struct err err;
	CLEANUP(json_cleanup)
	json_t *value = json_parse(
		STR_LIT("{\"metadata\":{\"name\":\"x\",\"n\":5,\"on\":true,\"list\":[]}}"), &err);

	(void)state;
	assert_string_equal(json_str_at(value, "metadata.name", "-"), "x");
	assert_string_equal(json_str_at(value, "metadata.missing", "-"), "-");
	assert_string_equal(json_str_at(value, "metadata.n", "-"), "-");
	assert_string_equal(json_str_at(value, "metadata.name.deeper", "-"), "-");
	assert_int_equal(json_int_at(value, "metadata.n", 7), 5);
	assert_int_equal(json_int_at(value, "metadata.name", 7), 7);
	assert_true(json_bool_at(value, "metadata.on", false));
	assert_true(json_bool_at(value, "metadata.off", true));
	assert_true(json_is_array(json_at(value, "metadata.list")));
	assert_null(json_at(value, "metadata.list.0"));
}

static void sets_along_a_path_and_makes_objects(void **state)
{
	CLEANUP(json_cleanup) json_t *value = json_object();

	(void)state;
	json_set_at(value, "a.b.c", json_integer(1));
	json_set_at(value, "a.b.d", json_integer(2));
	json_set_at(value, "a.b", json_integer(3));
	json_set_at(value, "e", json_integer(4));
	CLEANUP(free_ptr) char *text = json_format(value);
	assert_string_equal(text, "{\"a\":{\"b\":3},\"e\":4}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_not_one_strict_value),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(does_not_count_brackets_in_strings),
		cmocka_unit_test(keeps_64_bit_numbers_and_the_order_of_keys),
		cmocka_unit_test(reads_along_a_path),
		cmocka_unit_test(sets_along_a_path_and_makes_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
