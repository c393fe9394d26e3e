/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/macros.h"
#include "eastwest/wheel.h"

enum {
	N = 64
};

struct world {
	struct ew_wheel wheel;
	struct ew_wheel_entry entries[N];
	int64_t fired_ms[N];
	int64_t now_ms;
	unsigned n_fired;
};

static void on_fire(struct ew_wheel_entry *entry, void *arg)
{
	struct world *world = arg;
	world->fired_ms[entry - world->entries] = world->now_ms;
	world->n_fired++;
}

static void init(struct world *world, int64_t now_ms)
{
	*world = (struct world){.now_ms = now_ms};
	ew_wheel_init(&world->wheel, now_ms);
	for (int i = 0; i < N; i++)
		ew_wheel_entry_init(&world->entries[i]);
}

static void run_to(struct world *world, int64_t until_ms, int64_t step_ms)
{
	while (world->now_ms < until_ms) {
		world->now_ms += step_ms;
		ew_wheel_step(&world->wheel, world->now_ms, on_fire, world);
	}
}

static void is_never_early_and_at_most_two_ticks_late(void **state)
{
	static const int64_t delays_ms[] = {0,    1,     99,    100,   101,    2000,
	                                    5000, 51100, 51200, 60000, 3600000};
	(void)state;
	for (int64_t start = 1000000; start < 1000100; start += 33) {
		static struct world world;
		init(&world, start);
		for (size_t i = 0; i < N_ELEMS(delays_ms); i++)
			ew_wheel_add(&world.wheel, &world.entries[i], start + delays_ms[i]);
		run_to(&world, start + 3700000, 100);
		for (size_t i = 0; i < N_ELEMS(delays_ms); i++) {
			int64_t late = world.fired_ms[i] - start - delays_ms[i];
			assert_in_range(late, 0, 200);
		}
		assert_int_equal(ew_wheel_wait_ms(&world.wheel, world.now_ms), -1);
	}
}

static void forgets_what_is_removed_and_moves_what_is_set_again(void **state)
{
	static struct world world;
	(void)state;
	init(&world, 0);
	ew_wheel_add(&world.wheel, &world.entries[0], 1000);
	ew_wheel_add(&world.wheel, &world.entries[1], 1000);
	ew_wheel_add(&world.wheel, &world.entries[2], 5000);
	ew_wheel_remove(&world.wheel, &world.entries[0]);
	ew_wheel_remove(&world.wheel, &world.entries[0]);
	ew_wheel_add(&world.wheel, &world.entries[1], 4000); /* later */
	ew_wheel_add(&world.wheel, &world.entries[2], 2000); /* earlier */
	run_to(&world, 10000, 100);
	assert_int_equal(world.fired_ms[0], 0);
	assert_in_range(world.fired_ms[1], 4000, 4200);
	assert_in_range(world.fired_ms[2], 2000, 2200);
	assert_int_equal(world.n_fired, 2);
}

static void finds_everything_after_a_long_pause(void **state)
{
	static struct world world;
	(void)state;
	init(&world, 0);
	for (int i = 0; i < N; i++)
		ew_wheel_add(&world.wheel, &world.entries[i], 1000 + 3000 * i);
	world.now_ms = 1000000;
	ew_wheel_step(&world.wheel, world.now_ms, on_fire, &world);
	assert_int_equal(world.n_fired, N);
}

static void says_how_long_nothing_can_happen(void **state)
{
	static struct world world;
	(void)state;
	init(&world, 0);
	assert_int_equal(ew_wheel_wait_ms(&world.wheel, 0), -1);
	ew_wheel_add(&world.wheel, &world.entries[0], 2000);
	assert_in_range(ew_wheel_wait_ms(&world.wheel, 0), 2000, 2200);
	assert_in_range(ew_wheel_wait_ms(&world.wheel, 1900), 100, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_never_early_and_at_most_two_ticks_late),
		cmocka_unit_test(forgets_what_is_removed_and_moves_what_is_set_again),
		cmocka_unit_test(finds_everything_after_a_long_pause),
		cmocka_unit_test(says_how_long_nothing_can_happen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
