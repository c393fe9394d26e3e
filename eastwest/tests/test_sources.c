/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/macros.h"
#include "path/sources.h"

static const struct ew_rate_limit ten = {
	.rate = 10, .burst = 3, .prefix_v4 = EW_PREFIX_V4, .prefix_v6 = EW_PREFIX_V6};

static struct ip ip_of(const char *text)
{
	struct ip ip;
	assert_true(ip_parse(str_from(text), &ip));
	return ip;
}

static bool take(struct ew_sources *sources, const char *client, int64_t now_ms)
{
	struct ip ip = ip_of(client);
	return ew_sources_take(sources, &ip, now_ms);
}

static void lets_a_burst_through_and_then_the_rate(void **state)
{
	static const struct {
		int64_t now_ms;
		bool taken;
	} cases[] = {
		{1000, true},
		{1000, true},
		{1000, true},
		{1000, false},
		{1099, false},
		{1100, true},
		{1100, false},
		{1150, false},
		{1200, true},
		{1200, false},
		{9000, true},
		{9000, true},
		{9000, true},
		{9000, false},
		/* a clock that goes back gives nothing */
		{8000, false},
		{8050, false},
	};
	struct ew_sources *sources = ew_sources_create(&ten, 1);
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_int_equal(take(sources, "192.0.2.1", cases[i].now_ms), cases[i].taken);
	ew_sources_destroy(sources);
}

static void counts_a_prefix_as_one_source(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		bool same;
	} cases[] = {
		{"192.0.2.1", "192.0.2.254", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"2001:db8:0:1::1", "2001:db8:0:1::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:ff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:100::1", false},
		{"::1", "0.0.0.1", false},
	};
	struct ew_rate_limit one = ten;
	(void)state;
	one.burst = 1;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_sources *sources = ew_sources_create(&one, 7);
		assert_true(take(sources, cases[i].first, 0));
		assert_int_equal(take(sources, cases[i].second, 0), !cases[i].same);
		ew_sources_destroy(sources);
	}
}

static void takes_prefixes_of_any_length(void **state)
{
	static const struct {
		uint32_t v4;
		uint32_t v6;
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{32, 128, "10.0.0.1", "10.0.0.2", false},
		{32, 128, "2001:db8::1", "2001:db8::2", false},
		{31, 127, "10.0.0.2", "10.0.0.3", true},
		{1, 1, "10.0.0.2", "127.0.0.3", true},
		{1, 1, "10.0.0.2", "128.0.0.3", false},
		{9, 20, "10.127.0.0", "10.128.0.0", false},
		{8, 20, "10.127.0.0", "10.128.0.0", true},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_rate_limit limit = {1, 1, cases[i].v4, cases[i].v6};
		struct ew_sources *sources = ew_sources_create(&limit, 3);
		assert_true(take(sources, cases[i].a, 0));
		assert_int_equal(take(sources, cases[i].b, 0), !cases[i].same);
		ew_sources_destroy(sources);
	}
}

/* Who floods stays limited while as many others come as the table has places for. */
static void remembers_who_floods_among_many(void **state)
{
	struct ew_sources *sources = ew_sources_create(&ten, 99);
	int taken = 0;
	(void)state;
	for (uint32_t i = 0; i < EW_SOURCES; i++) {
		char other[IP_TEXT_MAX];
		snprintf(other, sizeof(other), "10.%u.%u.1", i >> 8, i & 255);
		assert_true(take(sources, other, i / 8));
		taken += take(sources, "192.0.2.1", i / 8);
	}
	/* in 1.024 seconds: the burst and ten more */
	assert_in_range(taken, 3, 13);
	ew_sources_destroy(sources);
}

static void holds_at_the_largest_values(void **state)
{
	struct ew_rate_limit most = {EW_RATE_MAX, EW_RATE_MAX, 32, 128};
	struct ew_sources *sources = ew_sources_create(&most, 0);
	(void)state;
	for (int i = 0; i < EW_RATE_MAX; i++)
		assert_true(take(sources, "192.0.2.1", 5));
	assert_false(take(sources, "192.0.2.1", 5));
	assert_true(take(sources, "192.0.2.1", 6));
	assert_true(take(sources, "192.0.2.1", INT64_MAX));
	ew_sources_destroy(sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_a_burst_through_and_then_the_rate),
		cmocka_unit_test(counts_a_prefix_as_one_source),
		cmocka_unit_test(takes_prefixes_of_any_length),
		cmocka_unit_test(remembers_who_floods_among_many),
		cmocka_unit_test(holds_at_the_largest_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
