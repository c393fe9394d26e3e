/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "table/hedge.h"

static bool take(struct ew_hedge *hedge)
{
	if (!ew_hedge_may(hedge))
		return false;
	ew_hedge_on_hedge(hedge);
	return true;
}

static void a_fifth_of_the_dials_may_be_hedged(void **state)
{
	struct ew_hedge hedge;
	unsigned taken = 0;
	(void)state;
	ew_hedge_init(&hedge);
	for (int i = 0; i < 1000; i++) {
		ew_hedge_on_dial(&hedge);
		taken += take(&hedge);
	}
	assert_in_range(taken, 200, 200 + EW_HEDGE_BURST);
}

static void a_burst_is_paid_for_by_dials_that_needed_none(void **state)
{
	struct ew_hedge hedge;
	(void)state;
	ew_hedge_init(&hedge);
	for (int i = 0; i < EW_HEDGE_BURST; i++)
		assert_true(take(&hedge));
	assert_false(take(&hedge));
	for (int i = 0; i < EW_HEDGE_DIALS - 1; i++)
		ew_hedge_on_dial(&hedge);
	assert_false(take(&hedge));
	ew_hedge_on_dial(&hedge);
	assert_true(take(&hedge));
	/* quiet times are saved up to a burst, not more */
	for (int i = 0; i < 100000; i++)
		ew_hedge_on_dial(&hedge);
	for (int i = 0; i < EW_HEDGE_BURST; i++)
		assert_true(take(&hedge));
	assert_false(take(&hedge));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fifth_of_the_dials_may_be_hedged),
		cmocka_unit_test(a_burst_is_paid_for_by_dials_that_needed_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
