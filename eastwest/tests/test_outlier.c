/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdint.h>

#include "base/macros.h"
#include "table/outlier.h"

static const struct ew_outlier_policy envoy = {5, 10000, 30000, 10};
static const struct ew_outlier_policy all = {2, 1000, 1000, 100};

static struct addr host(unsigned number)
{
	struct addr addr = {.port = (uint16_t)(number + 1)};
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &addr.ip));
	return addr;
}

static bool step(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                 enum ew_outlier_kind kind, unsigned number, uint32_t n_hosts, int64_t now_ms)
{
	struct addr addr = host(number);
	struct ew_outlier_event event = {kind, &addr, n_hosts};
	return ew_outlier_step(outlier, policy, &event, now_ms);
}

static bool is_out(const struct ew_outlier *outlier, unsigned number)
{
	struct addr addr = host(number);
	return ew_outlier_has_ejected(outlier, &addr);
}

/* Fails until the limit; returns whether that ejected. */
static bool fail_until_limit(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                             unsigned number, uint32_t n_hosts, int64_t now_ms)
{
	bool changed = false;
	for (uint32_t i = 0; i < policy->consecutive; i++) {
		assert_false(changed);
		changed = step(outlier, policy, EW_OUTLIER_FAILED, number, n_hosts, now_ms);
	}
	assert_int_equal(changed, is_out(outlier, number));
	return changed;
}

static void the_share_that_may_be_ejected_is_envoys(void **state)
{
	static const struct {
		uint32_t n_hosts;
		uint32_t max_percent;
		unsigned want; /* ejected, when all of them fail */
	} rows[] = {
		{9, 10, 0}, {10, 10, 1}, {19, 10, 1}, {20, 10, 2}, {3, 100, 3}, {3, 99, 2},
		{3, 33, 0}, {3, 34, 1},  {2, 50, 1},  {1, 100, 1}, {1, 99, 0},  {5, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct ew_outlier_policy policy = envoy;
		struct ew_outlier outlier = {.n_ejected = 0};
		unsigned n = 0;
		policy.max_percent = rows[i].max_percent;
		for (unsigned k = 0; k < rows[i].n_hosts; k++)
			n += fail_until_limit(&outlier, &policy, k, rows[i].n_hosts, 0);
		assert_int_equal(n, rows[i].want);
		assert_int_equal(outlier.n_ejected, rows[i].want);
		assert_int_equal(outlier.ejections, rows[i].want);
		ew_outlier_fini(&outlier);
	}
}

static void only_failures_in_a_row_count(void **state)
{
	struct ew_outlier outlier = {.n_ejected = 0};
	(void)state;
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 4; k++)
			assert_false(step(&outlier, &envoy, EW_OUTLIER_FAILED, 1, 10, i));
		assert_false(step(&outlier, &envoy, EW_OUTLIER_CONNECTED, 1, 10, i));
	}
	assert_true(fail_until_limit(&outlier, &envoy, 1, 10, 30));
	/* whoever is out stays out, and is not ejected twice */
	for (int k = 0; k < 12; k++)
		assert_false(step(&outlier, &envoy, EW_OUTLIER_FAILED, 1, 10, 31));
	assert_int_equal(outlier.ejections, 1);
	assert_false(step(&outlier, &envoy, EW_OUTLIER_CONNECTED, 1, 10, 32));
	assert_true(is_out(&outlier, 1));
	ew_outlier_fini(&outlier);
}

static void it_comes_back_at_the_end_of_an_interval(void **state)
{
	struct ew_outlier outlier = {.n_ejected = 0};
	(void)state;
	/* intervals end at 1000, 11000, ... */
	step(&outlier, &envoy, EW_OUTLIER_FAILED, 2, 10, 1000);
	assert_true(fail_until_limit(&outlier, &envoy, 1, 10, 1004));
	assert_int_equal(ew_outlier_due_ms(&outlier, &envoy), 11000);
	/* 30 s are over at 31004, which is seen at 41000 */
	assert_false(step(&outlier, &envoy, EW_OUTLIER_TIME, 0, 0, 31004));
	assert_false(step(&outlier, &envoy, EW_OUTLIER_TIME, 0, 0, 40999));
	assert_true(is_out(&outlier, 1));
	assert_true(step(&outlier, &envoy, EW_OUTLIER_TIME, 0, 0, 41000));
	assert_false(is_out(&outlier, 1));
	assert_int_equal(outlier.n_ejected, 0);
	ew_outlier_fini(&outlier);
}

static void each_time_is_longer_up_to_five_minutes_and_good_intervals_forgive(void **state)
{
	static const struct ew_outlier_policy policy = {1, 1000, 60000, 100};
	static const int64_t want_ms[] = {60000, 120000, 180000, 240000, 300000, 300000, 300000};
	struct ew_outlier outlier = {.n_ejected = 0};
	int64_t now_ms = 0;
	(void)state;
	step(&outlier, &policy, EW_OUTLIER_FAILED, 2, 0, now_ms);
	for (size_t i = 0; i < N_ELEMS(want_ms); i++) {
		assert_true(step(&outlier, &policy, EW_OUTLIER_FAILED, 1, 2, now_ms));
		now_ms += want_ms[i];
		assert_false(step(&outlier, &policy, EW_OUTLIER_TIME, 0, 0, now_ms - 1));
		assert_true(step(&outlier, &policy, EW_OUTLIER_TIME, 0, 0, now_ms));
	}
	/* it was six times (Envoy stops counting there): five good intervals leave one */
	now_ms += 5000;
	assert_false(step(&outlier, &policy, EW_OUTLIER_TIME, 0, 0, now_ms));
	assert_true(step(&outlier, &policy, EW_OUTLIER_FAILED, 1, 2, now_ms));
	assert_false(step(&outlier, &policy, EW_OUTLIER_TIME, 0, 0, now_ms + 119999));
	assert_true(step(&outlier, &policy, EW_OUTLIER_TIME, 0, 0, now_ms + 120000));
	ew_outlier_fini(&outlier);
}

static void nothing_is_remembered_of_who_recovered(void **state)
{
	struct ew_outlier outlier = {.n_ejected = 0};
	(void)state;
	assert_int_equal(ew_outlier_due_ms(&outlier, &all), INT64_MAX);
	assert_true(fail_until_limit(&outlier, &all, 1, 2, 0));
	step(&outlier, &all, EW_OUTLIER_TIME, 0, 0, 2000);
	assert_true(map_len(&outlier.hosts) == 0);
	assert_int_equal(ew_outlier_due_ms(&outlier, &all), INT64_MAX);
	ew_outlier_fini(&outlier);
}

static bool is_two(const struct addr *addr, void *arg)
{
	(void)arg;
	return addr->port == host(2).port;
}

static void an_address_that_is_gone_does_not_count_among_the_ejected(void **state)
{
	struct ew_outlier outlier = {.n_ejected = 0};
	(void)state;
	fail_until_limit(&outlier, &all, 1, 2, 0);
	fail_until_limit(&outlier, &all, 2, 2, 0);
	assert_int_equal(outlier.n_ejected, 2);
	assert_true(ew_outlier_retain(&outlier, is_two, NULL));
	assert_int_equal(outlier.n_ejected, 1);
	assert_true(is_out(&outlier, 2));
	assert_false(ew_outlier_retain(&outlier, is_two, NULL));
	ew_outlier_fini(&outlier);
}

/* A small generator: the same numbers each time. */
static uint32_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void looking_seldom_gives_the_same_as_looking_often(void **state)
{
	static const struct ew_outlier_policy policy = {2, 700, 1500, 60};
	struct ew_outlier often = {.n_ejected = 0};
	struct ew_outlier seldom = {.n_ejected = 0};
	uint64_t seed = 7;
	int64_t now_ms = 0;
	(void)state;
	for (int i = 0; i < 2000; i++) {
		enum ew_outlier_kind kind =
			next(&seed) % 3 == 0 ? EW_OUTLIER_CONNECTED : EW_OUTLIER_FAILED;
		unsigned number = next(&seed) % 5;
		int64_t until_ms = now_ms + next(&seed) % 3000;
		for (; now_ms < until_ms; now_ms += 50)
			step(&often, &policy, EW_OUTLIER_TIME, 0, 0, now_ms);
		now_ms = until_ms;
		step(&often, &policy, kind, number, 5, now_ms);
		step(&seldom, &policy, kind, number, 5, now_ms);
		for (unsigned k = 0; k < 5; k++)
			assert_int_equal(is_out(&often, k), is_out(&seldom, k));
		assert_true(100 * often.n_ejected <= 60 * 5);
	}
	assert_true(often.ejections > 50 && often.ejections == seldom.ejections);
	ew_outlier_fini(&often);
	ew_outlier_fini(&seldom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_that_may_be_ejected_is_envoys),
		cmocka_unit_test(only_failures_in_a_row_count),
		cmocka_unit_test(it_comes_back_at_the_end_of_an_interval),
		cmocka_unit_test(each_time_is_longer_up_to_five_minutes_and_good_intervals_forgive),
		cmocka_unit_test(nothing_is_remembered_of_who_recovered),
		cmocka_unit_test(an_address_that_is_gone_does_not_count_among_the_ejected),
		cmocka_unit_test(looking_seldom_gives_the_same_as_looking_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
