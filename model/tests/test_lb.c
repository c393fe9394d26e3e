/* SPDX-License-Identifier: Apache-2.0 */

#include "base/macros.h"
#include "model/lb.h"
#include "tests/check.h"

static const struct {
	const char *name;
	unsigned panic;
	size_t n;
	uint64_t in[3][2]; /* total, healthy */
	uint8_t load[3];
	bool usable;
} spreads[] = {
	{"all alive: nothing leaves P0", 0, 2, {{100, 100}, {100, 100}}, {100, 0}, true},
	{"72 % alive: nothing leaves P0", 0, 2, {{100, 72}, {100, 100}}, {100, 0}, true},
	{"71 % alive: one percent leaves", 0, 2, {{100, 71}, {100, 100}}, {99, 1}, true},
	{"half alive", 0, 2, {{100, 50}, {100, 100}}, {70, 30}, true},
	{"half of four, the next at three quarters",
         0,
         3,
         {{4, 2}, {4, 3}, {4, 4}},
         {70, 30, 0},
         true},
	{"a quarter alive", 0, 2, {{100, 25}, {100, 100}}, {35, 65}, true},
	{"both at a quarter share evenly", 0, 2, {{100, 25}, {100, 25}}, {50, 50}, true},
	{"rest of the rounding goes to the first",
         0,
         3,
         {{100, 25}, {100, 25}, {100, 20}},
         {37, 35, 28},
         true},
	{"rest goes to the first with something healthy",
         0,
         3,
         {{100, 0}, {100, 10}, {300, 20}},
         {0, 61, 39},
         true},
	{"an empty level takes nothing", 0, 2, {{0, 0}, {5, 5}}, {0, 100}, true},
	{"nothing healthy", 0, 2, {{10, 0}, {10, 0}}, {100, 0}, false},
	{"nothing at all", 0, 2, {{0, 0}, {0, 0}}, {100, 0}, false},
	{"both in panic: by size", 50, 2, {{100, 25}, {100, 25}}, {50, 50}, true},
	{"both in panic: rest to the first that is not empty",
         50,
         3,
         {{0, 0}, {1, 0}, {2, 0}},
         {0, 34, 66},
         true},
	{"one in panic: load by health", 50, 2, {{100, 25}, {100, 60}}, {35, 65}, true},
	{"enough in sum: no panic", 50, 2, {{100, 1}, {100, 100}}, {1, 99}, true},
	{"panic with nothing anywhere", 50, 2, {{0, 0}, {0, 0}}, {100, 0}, false},
};

static void spreads_load_as_envoy_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(spreads); i++) {
		struct lb_level levels[3] = {0};

		for (size_t k = 0; k < spreads[i].n; k++) {
			levels[k].total = spreads[i].in[k][0];
			levels[k].healthy = spreads[i].in[k][1];
		}
		print_message("%s\n", spreads[i].name);
		assert_int_equal(lb_spread(levels, spreads[i].n, spreads[i].panic),
		                 spreads[i].usable);
		for (size_t k = 0; k < spreads[i].n; k++)
			assert_int_equal(levels[k].load, spreads[i].load[k]);
	}
}

static void marks_levels_in_panic(void **state)
{
	struct lb_level levels[2] = {{.total = 100, .healthy = 25}, {.total = 100, .healthy = 40}};

	(void)state;
	assert_true(lb_spread(levels, 2, 30));
	assert_true(levels[0].panic);
	assert_false(levels[1].panic);
	assert_int_equal(levels[0].health, 35);
	assert_int_equal(levels[1].health, 56);
	assert_false(lb_spread(levels, 0, 30));
}

static void every_spread_sums_to_a_hundred(void **state)
{
	(void)state;
	for (unsigned panic = 0; panic <= 100; panic += 50) {
		for (unsigned a = 0; a <= 20; a++) {
			for (unsigned b = 0; b <= 7; b++) {
				struct lb_level levels[3] = {{.total = 20, .healthy = a},
				                             {.total = 7, .healthy = b},
				                             {.total = 3, .healthy = b % 4}};

				lb_spread(levels, 3, panic);
				assert_int_equal(levels[0].load + levels[1].load + levels[2].load,
				                 100);
			}
		}
	}
}

static void weighs_localities_by_availability(void **state)
{
	static const struct {
		unsigned available, share; /* of X, weight 1, beside Y, weight 2, all alive */
	} rows[] = {{100, 33}, {72, 33}, {69, 32}, {50, 26}, {25, 15}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		uint64_t x = lb_locality_weight(1, rows[i].available, 100);
		uint64_t y = lb_locality_weight(2, 100, 100);

		assert_int_equal((x * 200 + x + y) / (2 * (x + y)), rows[i].share);
	}
	assert_int_equal(lb_locality_weight(0, 5, 5), 0);
	assert_int_equal(lb_locality_weight(80, 0, 0), 0);
	assert_int_equal(lb_health_percent(UINT64_C(1) << 47, UINT64_C(1) << 47), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_load_as_envoy_does),
		cmocka_unit_test(marks_levels_in_panic),
		cmocka_unit_test(every_spread_sums_to_a_hundred),
		cmocka_unit_test(weighs_localities_by_availability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
