/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/macros.h"
#include "eastwest/health.h"

static struct addr some_addr(uint16_t port)
{
	struct addr addr = {.port = port};
	assert_true(ip_parse(STR_LIT("192.0.2.1"), &addr.ip));
	return addr;
}

static void is_out_after_three_misses_and_back_after_two_good_ones(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct addr addr = some_addr(1);
	struct ew_health *health = ew_health_get(registry, &addr);
	uint32_t generation = ew_health_generation(registry);
	(void)state;
	assert_true(health->live);
	assert_false(ew_health_on_miss(registry, health, "refused", 1000));
	assert_false(ew_health_on_miss(registry, health, "refused", 2000));
	assert_true(ew_health_on_miss(registry, health, "refused", 3000));
	assert_false(health->live);
	assert_string_equal(health->reason, "refused");
	assert_int_equal(ew_health_generation(registry), generation + 1);
	assert_false(ew_health_on_miss(registry, health, "refused", 4000));
	assert_false(ew_health_on_good(registry, health, 100, 5000));
	/* a miss between begins anew */
	assert_false(ew_health_on_miss(registry, health, "refused", 6000));
	assert_false(ew_health_on_good(registry, health, 100, 7000));
	assert_true(ew_health_on_good(registry, health, 100, 8000));
	assert_true(health->live);
	assert_int_equal(ew_health_generation(registry), generation + 2);
	ew_health_unref(health);
	ew_health_registry_destroy(registry);
}

static void is_out_after_three_seconds_however_few_the_checks(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct addr addr = some_addr(1);
	struct ew_health *health = ew_health_get(registry, &addr);
	(void)state;
	assert_false(ew_health_on_miss(registry, health, "no answer", 10000));
	assert_true(ew_health_on_miss(registry, health, "no answer", 13000));
	ew_health_unref(health);
	ew_health_registry_destroy(registry);
}

static void one_that_falls_silent_is_out_three_seconds_after_its_last_answer(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct addr addr = some_addr(1);
	struct ew_health *health = ew_health_get(registry, &addr);
	(void)state;
	/* asked each second, and a question is given up after a second */
	assert_false(ew_health_on_good(registry, health, 100, 1001));
	assert_false(ew_health_on_miss(registry, health, "no answer", 3000));
	assert_true(ew_health_on_miss(registry, health, "no answer", 4000));
	/* one answer that was lost proves nothing, however rarely it is asked */
	assert_false(ew_health_on_good(registry, health, 100, 5000));
	assert_true(ew_health_on_good(registry, health, 100, 6000));
	assert_false(ew_health_on_miss(registry, health, "no answer", 16000));
	ew_health_unref(health);
	ew_health_registry_destroy(registry);
}

static void a_good_check_forgets_the_misses(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct addr addr = some_addr(1);
	struct ew_health *health = ew_health_get(registry, &addr);
	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_false(ew_health_on_miss(registry, health, "no answer", 1000 * i));
		assert_false(ew_health_on_miss(registry, health, "no answer", 1000 * i + 500));
		assert_false(ew_health_on_good(registry, health, 100, 1000 * i + 600));
	}
	ew_health_unref(health);
	ew_health_registry_destroy(registry);
}

static void count_one(struct ew_health *health, void *arg)
{
	int *n = arg;
	(void)health;
	++*n;
}

static void an_address_is_known_as_long_as_a_table_uses_it(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct addr a = some_addr(1);
	struct addr b = some_addr(2);
	struct ew_health *first = ew_health_get(registry, &a);
	struct ew_health *again = ew_health_get(registry, &a);
	struct ew_health *other = ew_health_get(registry, &b);
	int n = 0;
	(void)state;
	assert_ptr_equal(first, again);
	ew_health_walk(registry, count_one, &n);
	assert_int_equal(n, 2);
	ew_health_unref(other);
	n = 0;
	ew_health_walk(registry, count_one, &n);
	assert_int_equal(n, 1);
	ew_health_unref(again);
	ew_health_registry_destroy(registry);
	/* the last table may outlive the registry */
	assert_true(first->live);
	ew_health_unref(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_out_after_three_misses_and_back_after_two_good_ones),
		cmocka_unit_test(is_out_after_three_seconds_however_few_the_checks),
		cmocka_unit_test(one_that_falls_silent_is_out_three_seconds_after_its_last_answer),
		cmocka_unit_test(a_good_check_forgets_the_misses),
		cmocka_unit_test(an_address_is_known_as_long_as_a_table_uses_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
