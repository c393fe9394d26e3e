/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "netgroups/health.h"

static const char gw[] = "192.0.2.22";

static bool is_live(struct health *health, int64_t now_ms)
{
	int64_t next_ms;
	health_judge(health, now_ms, &next_ms);
	return health_verdict_of(health, gw, 15443).live;
}

static void an_address_that_nobody_reported_is_live(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	assert_true(is_live(&health, 1000));
	assert_false(health_verdict_of(&health, gw, 15443).judged);
	health_fini(&health);
}

static void is_withdrawn_when_all_fresh_reporters_failed_for_three_seconds(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	for (int64_t t = 1000; t <= 4000; t += 1000) {
		health_report(&health, gw, 15443, "c1/gw1", false, "timeout", t);
		health_report(&health, gw, 15443, "c3/gw3", false, "timeout", t);
		assert_int_equal(is_live(&health, t), t < 4000);
	}
	assert_string_equal(health_verdict_of(&health, gw, 15443).reason, "timeout");
	health_report(&health, gw, 15443, "c1/gw1", true, "", 4500);
	assert_true(is_live(&health, 4500));
	health_fini(&health);
}

static void stays_while_one_fresh_reporter_reaches_it(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	for (int64_t t = 1000; t <= 9000; t += 1000) {
		health_report(&health, gw, 15443, "c1/gw1", false, "timeout", t);
		health_report(&health, gw, 15443, "c3/gw3", true, "", t);
		assert_true(is_live(&health, t));
	}
	/* the one that reached it falls silent: three seconds later the other one decides */
	for (int64_t t = 10000; t <= 12000; t += 1000) {
		health_report(&health, gw, 15443, "c1/gw1", false, "timeout", t);
		assert_int_equal(is_live(&health, t), t < 12000);
	}
	health_fini(&health);
}

static void nothing_is_judged_without_fresh_reporters(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	health_report(&health, gw, 15443, "c1/gw1", false, "timeout", 1000);
	assert_true(is_live(&health, 1000));
	assert_true(is_live(&health, 60000));
	for (int64_t t = 61000; t <= 64000; t += 1000)
		health_report(&health, gw, 15443, "c1/gw1", false, "timeout", t);
	assert_false(is_live(&health, 64000));
	/* when everybody falls silent it stays for a while: they may come back */
	assert_false(is_live(&health, 64000 + HEALTH_KEPT_MS - 1));
	int64_t next_ms;
	assert_false(health_judge(&health, 70000, &next_ms));
	assert_int_equal(next_ms, 64000 + HEALTH_KEPT_MS);
	/* then nobody knows, and everybody may try it */
	assert_true(health_judge(&health, 64000 + HEALTH_KEPT_MS, &next_ms));
	struct health_verdict verdict = health_verdict_of(&health, gw, 15443);
	assert_true(verdict.live && !verdict.judged);
	assert_string_equal(verdict.reason, "");
	health_fini(&health);
}

static void a_reporter_that_is_gone_is_not_heard(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	for (int64_t t = 1000; t <= 4000; t += 1000)
		health_report(&health, gw, 15443, "c1/gw1", false, "timeout", t);
	health_forget_reporter(&health, "c1/gw1");
	assert_true(is_live(&health, 4000));
	health_fini(&health);
}

static void says_when_to_judge_again(void **state)
{
	struct health health;
	int64_t next_ms;
	(void)state;
	health_init(&health);
	assert_false(health_judge(&health, 1000, &next_ms));
	assert_int_equal(next_ms, -1);
	health_report(&health, gw, 15443, "c1/gw1", false, "timeout", 1000);
	assert_false(health_judge(&health, 1500, &next_ms));
	assert_int_equal(next_ms, 4000);
	health_fini(&health);
}

static void a_verdict_of_before_a_restart_holds_until_somebody_reports(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	health_restore(&health, gw, 15443, false, "timeout", 10);
	assert_false(is_live(&health, 1000));
	health_report(&health, gw, 15443, "c1/gw1", true, "", 2000);
	assert_true(is_live(&health, 2000));
	health_fini(&health);
}

static void a_verdict_of_before_a_restart_ends_when_nobody_comes_back(void **state)
{
	struct health health;
	(void)state;
	health_init(&health);
	health_restore(&health, gw, 15443, false, "timeout", 10000);
	assert_false(is_live(&health, 10000 + HEALTH_KEPT_MS - 1));
	assert_true(is_live(&health, 10000 + HEALTH_KEPT_MS));
	health_fini(&health);
}

static void that_an_address_lives_is_not_claimed_for_ever_either(void **state)
{
	struct health health;
	int64_t next_ms;
	(void)state;
	health_init(&health);
	health_report(&health, gw, 15443, "c1/gw1", true, "", 1000);
	assert_true(health_judge(&health, 1000, &next_ms));
	assert_true(health_verdict_of(&health, gw, 15443).judged);
	health_forget_reporter(&health, "c1/gw1");
	assert_false(health_judge(&health, 2000, &next_ms));
	assert_int_equal(next_ms, 1000 + HEALTH_KEPT_MS);
	assert_true(health_judge(&health, next_ms, &next_ms));
	assert_false(health_verdict_of(&health, gw, 15443).judged);
	health_fini(&health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_nobody_reported_is_live),
		cmocka_unit_test(is_withdrawn_when_all_fresh_reporters_failed_for_three_seconds),
		cmocka_unit_test(stays_while_one_fresh_reporter_reaches_it),
		cmocka_unit_test(nothing_is_judged_without_fresh_reporters),
		cmocka_unit_test(a_reporter_that_is_gone_is_not_heard),
		cmocka_unit_test(says_when_to_judge_again),
		cmocka_unit_test(a_verdict_of_before_a_restart_holds_until_somebody_reports),
		cmocka_unit_test(a_verdict_of_before_a_restart_ends_when_nobody_comes_back),
		cmocka_unit_test(that_an_address_lives_is_not_claimed_for_ever_either),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
