/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "plan.h"

static void a_plan_says_that_nothing_has_changed_and_what_is_lost_or_missing(void **state)
{
	(void)state;
	static const struct {
		const char *plan;
		const char *text;
	} rows[] = {
		{"{operation: Leave, changes: [{where: traffic, what: drained}, {where: "
	         "federation, what: cluster d1}], losses: [{code: FED-222, object: n/alone, "
	         "message: 'callers elsewhere would have no destination: it runs nowhere "
	         "else'}]}",
	         "Plan       nothing has been changed yet\n"
	         "  traffic     drained\n"
	         "  federation  cluster d1\n"
	         "\n"
	         "Lost\n"
	         "  FAIL FED-222  n/alone: callers elsewhere would have no destination: it runs\n"
	         "                nowhere else\n"},
		{"{operation: InterconnectJoin, changes: [], losses: [{code: FED-104, object: "
	         "gateway/d, message: none}]}",
	         "Plan       nothing has been changed yet\n"
	         "\n"
	         "Missing\n"
	         "  FAIL FED-104  gateway/d: none\n"},
		{"{operation: Join, changes: [{where: c1, what: namespace}], losses: []}",
	         "Plan       nothing has been changed yet\n"
	         "  c1  namespace\n"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf out;
		buf_init(&out, CLI_TEXT_MAX);
		json_t *plan = objects_one(rows[i].plan);
		plan_format(plan, (struct look){.ascii = true}, &out);
		assert_string_equal(buf_text(&out), rows[i].text);
		json_decref(plan);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_says_that_nothing_has_changed_and_what_is_lost_or_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
