/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "preflight.h"

static void a_preflight_reads_as_one_line_a_check_then_how_to_repair(void **state)
{
	(void)state;
	struct buf out;
	json_t *preflight = objects_one(
		"{cluster: c1, verdict: Failed, checks: ["
		"{id: reach-api, state: Passed, message: answers, evidence: 8 ms}, "
		"{id: localities, state: Warning, code: FED-211, message: 1 of 2, remedy: Label "
		"them., command: kubectl label node}, "
		"{id: clock, state: Skipped, message: no date}, "
		"{id: identity, state: Failed, code: FED-403, message: twin, remedy: Delete one.}"
		"]}");
	buf_init(&out, CLI_TEXT_MAX);
	preflight_format(preflight, (struct look){.ascii = true}, &out);
	assert_string_equal(buf_text(&out), "Preflight  c1\n"
	                                    "  OK    answers (8 ms)\n"
	                                    "  WARN  FED-211  1 of 2\n"
	                                    "  -     no date\n"
	                                    "  FAIL  FED-403  twin\n"
	                                    "\n"
	                                    "Repair\n"
	                                    "  FED-211  Label them.\n"
	                                    "           kubectl label node\n"
	                                    "  FED-403  Delete one.\n");
	assert_true(preflight_has_failed(preflight));
	json_decref(preflight);
	buf_fini(&out);
}

static void the_way_back_is_seen_or_not_yet(void **state)
{
	(void)state;
	static const struct {
		const char *checks;
		const char *words;
		bool seen;
	} rows[] = {
		{"[{id: way-back, state: Passed, message: gateway gw}]", "gateway gw", true},
		{"[{id: x}, {id: way-back, state: Skipped, message: not yet}]", "not yet", false},
		{"[{id: answers, state: Skipped, message: not served}]", "", false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		bool seen;
		json_t *preflight = json_pack("{so}", "checks", objects_one(rows[i].checks));
		assert_string_equal(preflight_way_back(preflight, &seen), rows[i].words);
		assert_int_equal(seen, rows[i].seen);
		json_decref(preflight);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_preflight_reads_as_one_line_a_check_then_how_to_repair),
		cmocka_unit_test(the_way_back_is_seen_or_not_yet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
