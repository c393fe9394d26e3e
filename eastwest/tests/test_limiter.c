/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "path/limiter.h"

static void limits_open_connections(void **state)
{
	const struct ew_limits limits = {.connections = 2};
	struct ew_limiter *limiter = ew_limiter_create(&limits);
	(void)state;
	assert_true(ew_limiter_enter(limiter));
	assert_true(ew_limiter_enter(limiter));
	assert_false(ew_limiter_enter(limiter));
	ew_limiter_leave(limiter);
	assert_false(ew_limiter_enter(limiter));
	ew_limiter_leave(limiter);
	ew_limiter_leave(limiter);
	assert_true(ew_limiter_enter(limiter));
	ew_limiter_destroy(limiter);
}

static void limits_memory_of_half_hellos(void **state)
{
	const struct ew_limits limits = {.hello_memory_mib = 1};
	struct ew_limiter *limiter = ew_limiter_create(&limits);
	(void)state;
	assert_true(ew_limiter_take_memory(limiter, 1 << 20));
	assert_false(ew_limiter_take_memory(limiter, 1));
	ew_limiter_give_memory(limiter, 128);
	assert_false(ew_limiter_take_memory(limiter, 129));
	assert_true(ew_limiter_take_memory(limiter, 128));
	ew_limiter_destroy(limiter);
}

static void limits_nothing_that_is_not_said(void **state)
{
	const struct ew_limits limits = {0};
	struct ew_limiter *limiter = ew_limiter_create(&limits);
	struct ip ip;
	(void)state;
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &ip));
	for (int i = 0; i < 1000; i++) {
		assert_true(ew_limiter_enter(limiter));
		assert_true(ew_limiter_take_source(limiter, &ip, 0));
	}
	ew_limiter_destroy(limiter);
}

static void limits_each_source(void **state)
{
	const struct ew_limits limits = {.per_source = {1, 1, 24, 56}};
	struct ew_limiter *limiter = ew_limiter_create(&limits);
	struct ip ip;
	(void)state;
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &ip));
	assert_true(ew_limiter_take_source(limiter, &ip, 0));
	assert_false(ew_limiter_take_source(limiter, &ip, 0));
	ew_limiter_destroy(limiter);
}

static void limits_that_change_know_what_is_there(void **state)
{
	const struct ew_limits none = {0};
	const struct ew_limits some = {.connections = 2, .per_source = {1, 1, 24, 56}};
	struct ew_limiter *limiter = ew_limiter_create(&none);
	struct ip ip;
	(void)state;
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &ip));
	for (int i = 0; i < 3; i++)
		assert_true(ew_limiter_enter(limiter));
	ew_limiter_set(limiter, &some);
	assert_false(ew_limiter_enter(limiter));
	assert_true(ew_limiter_take_source(limiter, &ip, 0));
	/* the same once more: nobody begins anew */
	ew_limiter_set(limiter, &some);
	assert_false(ew_limiter_take_source(limiter, &ip, 0));
	for (int i = 0; i < 3; i++)
		ew_limiter_leave(limiter);
	assert_true(ew_limiter_enter(limiter));
	ew_limiter_set(limiter, &none);
	assert_true(ew_limiter_enter(limiter));
	assert_true(ew_limiter_take_source(limiter, &ip, 0));
	ew_limiter_destroy(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_open_connections),
		cmocka_unit_test(limits_memory_of_half_hellos),
		cmocka_unit_test(limits_nothing_that_is_not_said),
		cmocka_unit_test(limits_each_source),
		cmocka_unit_test(limits_that_change_know_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
