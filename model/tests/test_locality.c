/* SPDX-License-Identifier: Apache-2.0 */

#include "base/macros.h"
#include "model/locality.h"
#include "tests/check.h"

static void equal_texts_are_the_same_pointer(void **state)
{
	const struct locality *l = locality_parse(STR_LIT("r/z/s"));

	(void)state;
	assert_ptr_equal(l, locality_parse(STR_LIT("r/z/s/ignored")));
	assert_ptr_equal(l, locality_make(STR_LIT("r"), STR_LIT("z"), STR_LIT("s")));
	assert_ptr_equal(l, locality_parse_label(STR_LIT("r.z.s")));
	assert_string_equal(l->text, "r/z/s");
	assert_string_equal(l->zone, "z");
	assert_ptr_equal(locality_parse(STR_LIT("r//s")), locality_parse(STR_LIT("r")));
	assert_ptr_equal(locality_parse(STR_LIT("")), locality_none());
	assert_ptr_equal(locality_parse(STR_LIT("/z")), locality_none());
	assert_string_equal(locality_parse_label(STR_LIT("a.b/c"))->region, "a.b");
}

static void cuts_parts_that_are_too_long(void **state)
{
	char text[LOCALITY_PART_MAX + 8];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1] = '/';
	assert_string_equal(locality_parse(str_make(text, sizeof(text)))->text, "x");
}

static void ranks_by_nearness(void **state)
{
	static const struct {
		const char *own, *other;
		enum locality_rank rank;
	} rows[] = {
		{"r/z/s", "r/z/s", LOCALITY_SAME_SUBZONE}, {"r/z", "r/z", LOCALITY_SAME_SUBZONE},
		{"r/z", "r/z/s", LOCALITY_SAME_ZONE},      {"r/z/s", "r/z/t", LOCALITY_SAME_ZONE},
		{"r/z/s", "r/y/s", LOCALITY_SAME_REGION},  {"r/z/s", "q/z/s", LOCALITY_ELSEWHERE},
		{"", "r/z", LOCALITY_ELSEWHERE},           {"", "", LOCALITY_SAME_SUBZONE},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_int_equal(locality_rank(locality_parse(str_from(rows[i].own)),
		                               locality_parse(str_from(rows[i].other))),
		                 rows[i].rank);
}

static void matches_rules(void **state)
{
	static const struct {
		const char *rule, *text;
		bool valid, match;
	} rows[] = {
		{"*", "r/z/s", true, true},        {"*", "", true, true},
		{"r", "r/z/s", true, true},        {"r/*", "r/z/s", true, true},
		{"r/z/*", "r/z/s", true, true},    {"r/z/*", "r/y/s", true, false},
		{"r/z/s", "r/z/s", true, true},    {"r/z/s", "r/z", true, false},
		{"r/z", "q/z", true, false},       {"r/*/s", "r/z/s", false, true},
		{"", "r", false, false},           {"r//s", "r/z", false, true},
		{"r/z/s/t", "r/z/s", false, true}, {"r*", "r", false, false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		print_message("%s %s\n", rows[i].rule, rows[i].text);
		assert_int_equal(locality_rule_is_valid(str_from(rows[i].rule)), rows[i].valid);
		assert_int_equal(locality_rule_matches(str_from(rows[i].rule),
		                                       locality_parse(str_from(rows[i].text))),
		                 rows[i].match);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_are_the_same_pointer),
		cmocka_unit_test(cuts_parts_that_are_too_long),
		cmocka_unit_test(ranks_by_nearness),
		cmocka_unit_test(matches_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
