/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "common.h"
#include "unit.h"

#include <string.h>

static void every_row_is_complete_and_its_words_are_its_own(void **state)
{
	(void)state;
	for (const struct command *row = commands; row->words != NULL; row++) {
		struct buf help;
		char program[64];
		buf_init(&help, CLI_TEXT_MAX);
		snprintf(program, sizeof(program), "fedway %s", row->words);
		assert_row(row->words, row->run != NULL && row->about[0] != '\0');
		assert_row(row->words, strcmp(row->spec->program, program) == 0);
		for (const struct command *other = commands; other < row; other++)
			assert_row(row->words, strcmp(other->words, row->words) != 0);
		options_format_help(row->spec, &help);
		assert_row(row->words, !buf_failed(&help));
		buf_fini(&help);
	}
}

static void finds_the_longest_row_or_the_one_that_was_meant(void **state)
{
	(void)state;
	static const struct {
		const char *argv[4];
		int argc;
		const char *found;   /* NULL: none */
		const char *nearest; /* with none */
	} rows[] = {
		{{"why", "sample/x"}, 2, "why", NULL},
		{{"lab", "up", "--dir", "x"}, 4, "lab up", NULL},
		{{"wyh", "sample/x"}, 2, NULL, "why"},
		{{"lab", "hael", "a", "b"}, 4, NULL, "lab heal"},
		{{"lab", "workload", "sleep", "--calls"}, 4, "lab workload sleep", NULL},
		{{"frobnicate"}, 1, NULL, NULL},
		{{"--why"}, 1, NULL, NULL},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *argv[4];
		int n_words = 0;
		memcpy(argv, rows[i].argv, sizeof(argv));
		const struct command *found = command_find(rows[i].argc, argv, &n_words);
		const struct command *nearest = command_nearest(rows[i].argc, argv);
		assert_row(argv[0], (found != NULL) == (rows[i].found != NULL));
		if (found != NULL)
			assert_string_equal(found->words, rows[i].found);
		else if (rows[i].nearest != NULL)
			assert_string_equal(nearest->words, rows[i].nearest);
		else
			assert_null(nearest);
	}
}

static void forms_and_colours_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *output;
		const char *color;
		bool ok;
	} rows[] = {{"table", "auto", true},
	            {"json", "never", true},
	            {"xml", "auto", false},
	            {"yaml", "sometimes", false}};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cli_common common = {.output = rows[i].output, .color = rows[i].color};
		struct look look;
		struct err err;
		assert_row(rows[i].output, look_make(&common, &look, &err) == rows[i].ok);
	}
	char mark[LOOK_MARK_MAX];
	struct look plain = {.form = LOOK_TABLE};
	struct look ascii = {.ascii = true, .color = true};
	assert_string_equal(look_mark(plain, MARK_FAIL, mark), "✗");
	assert_string_equal(look_mark(ascii, MARK_FAIL, mark), "\x1b[31mFAIL\x1b[0m");
}

static void text_is_wrapped_below_its_label(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	look_wrap(&out, "网 ", "");
	assert_int_equal(out.len, 0);
	look_wrap(&out, "网 ",
	          "one two three four five six seven eight nine ten eleven twelve thirteen "
	          "fourteen");
	assert_string_equal(buf_text(&out),
	                    "网 one two three four five six seven eight nine ten eleven twelve "
	                    "thirteen\n   fourteen\n");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete_and_its_words_are_its_own),
		cmocka_unit_test(finds_the_longest_row_or_the_one_that_was_meant),
		cmocka_unit_test(forms_and_colours_are_checked),
		cmocka_unit_test(text_is_wrapped_below_its_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
