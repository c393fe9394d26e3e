/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/str.h"

static void orders_by_bytes_and_prefix_first(void **state)
{
	(void)state;
	assert_true(str_cmp(STR_LIT("a"), STR_LIT("b")) < 0);
	assert_true(str_cmp(STR_LIT("a"), STR_LIT("ab")) < 0);
	assert_true(str_cmp(STR_LIT("\xff"), STR_LIT("a")) > 0);
	assert_int_equal(str_cmp(STR_NULL, STR_LIT("")), 0);
}

static void finds_prefix_and_suffix(void **state)
{
	(void)state;
	assert_true(str_starts_with(STR_LIT("outbound_"), STR_LIT("out")));
	assert_false(str_starts_with(STR_LIT("ou"), STR_LIT("out")));
	assert_true(str_ends_with(STR_LIT("a.local"), STR_LIT(".local")));
	assert_false(str_ends_with(STR_LIT("local"), STR_LIT(".local")));
	assert_true(str_ends_with(STR_NULL, STR_NULL));
}

static void trims_white_space(void **state)
{
	(void)state;
	assert_true(str_is(str_trim(STR_LIT(" \t a b\r\n")), "a b"));
	assert_true(str_is(str_trim(STR_LIT("  ")), ""));
}

static void splits_into_all_items(void **state)
{
	static const char *const items[] = {"a", "", "c", ""};
	struct str rest = STR_LIT("a,,c,");
	struct str item;
	size_t n = 0;

	(void)state;
	while (str_split(&rest, ',', &item))
		assert_true(str_is(item, items[n++]));
	assert_int_equal(n, N_ELEMS(items));
}

static void splits_text_without_separator_once(void **state)
{
	struct str rest = STR_LIT("");
	struct str item;

	(void)state;
	assert_true(str_split(&rest, ',', &item));
	assert_int_equal(item.len, 0);
	assert_false(str_split(&rest, ',', &item));
}

static void reads_numbers_up_to_the_maximum(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", 10, true, 0},
		{"10", 10, true, 10},
		{"11", 10, false, 0},
		{"007", 10, true, 7},
		{"", 10, false, 0},
		{"-1", 10, false, 0},
		{"1 ", 10, false, 0},
		{"7", 5, false, 0},
		{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		uint64_t value = 0;
		bool ok = str_to_u64(str_from(rows[i].text), rows[i].max, &value);
		assert_row(rows[i].text, ok == rows[i].ok && value == rows[i].value);
	}
}

static void reads_durations_as_kubernetes_writes_them(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t ms;
	} rows[] = {
		{"0", true, 0},
		{"0s", true, 0},
		{"250ms", true, 250},
		{"10s", true, 10000},
		{"1.5s", true, 1500},
		{".5s", true, 500},
		{"2m", true, 120000},
		{"1h30m", true, 5400000},
		{"1500us", true, 1},
		{"2160h", true, 2160ULL * 3600 * 1000},
		{"", false, 0},
		{"5", false, 0},
		{"s", false, 0},
		{"5x", false, 0},
		{"-5s", false, 0},
		{"5 s", false, 0},
		{".s", false, 0},
		{"1d", false, 0},
		{"87841h", false, 0},
		{"99999999999999999999h", false, 0},
		{"50000h50000h", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		uint64_t ms = 0;
		bool ok = str_to_duration_ms(str_from(rows[i].text), &ms);
		assert_row(rows[i].text, ok == rows[i].ok && ms == rows[i].ms);
	}
}

static void knows_dns_labels(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{"a", true},
		{"cluster-1", true},
		{"1a", true},
		{"", false},
		{"-a", false},
		{"a-", false},
		{"A", false},
		{"a.b", false},
		{"a_b", false},
		{"0123456789012345678901234567890123456789012345678901234567890ab", true},
		{"0123456789012345678901234567890123456789012345678901234567890abc", false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_row(rows[i].text, str_is_dns_label(str_from(rows[i].text)) == rows[i].ok);
}

static void measures_how_far_texts_are_apart(void **state)
{
	char big[STR_DISTANCE_MAX];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(str_distance(STR_LIT("kitten"), STR_LIT("sitting")), 3);
	assert_int_equal(str_distance(STR_LIT("same"), STR_LIT("same")), 0);
	assert_int_equal(str_distance(STR_LIT(""), STR_LIT("abc")), 3);
	assert_int_equal(str_distance(STR_LIT("listen"), STR_LIT("lisen")), 1);
	assert_int_equal(str_distance(str_make(big, sizeof(big)), STR_LIT("x")), STR_DISTANCE_MAX);
	assert_int_equal(str_distance(str_make(big, sizeof(big) - 1), STR_LIT("x")), 62);
}

static void copies_with_a_nul(void **state)
{
	char *copy = str_dup(str_make("abcdef", 3));

	(void)state;
	assert_string_equal(copy, "abc");
	free(copy);
	copy = str_dup(STR_NULL);
	assert_string_equal(copy, "");
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_by_bytes_and_prefix_first),
		cmocka_unit_test(finds_prefix_and_suffix),
		cmocka_unit_test(trims_white_space),
		cmocka_unit_test(splits_into_all_items),
		cmocka_unit_test(splits_text_without_separator_once),
		cmocka_unit_test(reads_numbers_up_to_the_maximum),
		cmocka_unit_test(reads_durations_as_kubernetes_writes_them),
		cmocka_unit_test(knows_dns_labels),
		cmocka_unit_test(measures_how_far_texts_are_apart),
		cmocka_unit_test(copies_with_a_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
