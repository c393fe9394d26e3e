/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"
#include "unit.h"

#include <string.h>

static void columns_are_two_blanks_apart_and_lines_end_without_any(void **state)
{
	(void)state;
	struct table t;
	struct buf out;
	table_init(&t, 3);
	buf_init(&out, 4096);
	static const char *const cells[] = {"NAME", "PHASE", "AGE", "east-1", "Ready",
	                                    "3d",   "西",    "",    ""};
	for (size_t i = 0; i < N_ELEMS(cells); i++)
		table_cell(&t, "%s", cells[i]);
	table_cell(&t, "half a row");
	table_format(&t, &out);
	assert_string_equal(buf_text(&out), "NAME    PHASE  AGE\n"
	                                    "east-1  Ready  3d\n"
	                                    "西\n");
	buf_fini(&out);
	table_fini(&t);
	table_fini(&t);
}

static void wide_characters_and_colours_are_measured_as_shown(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t width;
	} rows[] = {
		{"", 0},     {"abc", 3},       {"网关", 4}, {"●", 1}, {"\x1b[32m●\x1b[0m", 1},
		{"\xff", 1}, {"e\xcc\x81", 1},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_row(rows[i].text, table_width(rows[i].text) == rows[i].width);
}

static void control_characters_cannot_break_a_line(void **state)
{
	(void)state;
	struct table t;
	struct buf out;
	table_init(&t, 2);
	t.indent = 2;
	buf_init(&out, 4096);
	table_cell(&t, "a\nb\t");
	table_cell(&t, "c\r\x7f.");
	table_format(&t, &out);
	assert_string_equal(buf_text(&out), "  a b   c  .\n");
	buf_fini(&out);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_two_blanks_apart_and_lines_end_without_any),
		cmocka_unit_test(wide_characters_and_colours_are_measured_as_shown),
		cmocka_unit_test(control_characters_cannot_break_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
