/* SPDX-License-Identifier: Apache-2.0 */
#include "get.h"
#include "matrix.h"
#include "objects.h"

static const char answer_text[] =
	"ageSeconds: 4\n"
	"cells:\n"
	"- {from: a, to: b, gateway: gw-b, state: Ok, stages: [{name: connect, tookSeconds: "
	"0.031}]}\n"
	"- {from: b, to: a, gateway: gw-a, state: Slow, stages: [{name: connect, tookSeconds: "
	"0.3}]}\n"
	"- {from: b, to: a, gateway: gw-x, state: Ok}\n"
	"- {from: a, to: c, gateway: gw-c, state: Failed, code: FED-111}\n"
	"- {from: c, to: a, state: NotExpected}\n"
	"- {from: c, to: b, state: NoResult}\n"
	"- {from: a, to: a, state: Ok, stages: [{name: connect, tookSeconds: 0.0008}]}\n"
	"causes:\n"
	"- {code: FED-111, explains: 1, message: 'timeout to gw-c', remedy: allow 15443, command: "
	"fedway connectivity run}\n";

static void a_pair_shows_its_worst_gateway_and_causes_follow(void **state)
{
	(void)state;
	struct buf out;
	json_t *answer = objects_one(answer_text);
	buf_init(&out, CLI_TEXT_MAX);
	matrix_format(answer, (struct look){.ascii = true}, &out);
	assert_string_equal(buf_text(&out),
	                    "FROM \\ TO  a      b    c\n"
	                    "a          0.8    31g  FAIL111\n"
	                    "b          300g!  .    -\n"
	                    "c          -      ?    .\n"
	                    "(ms; g = via gateway; ! = slow; ? = no recent result)\n"
	                    "\n"
	                    "6 expected paths: 3 ok, 1 slow, 1 failed, 1 without a recent result; "
	                    "1 not expected; 4 s old\n"
	                    "FAIL FED-111  timeout to gw-c (explains 1)\n"
	                    "           -> allow 15443\n"
	                    "             fedway connectivity run\n");
	assert_true(matrix_has_failed(answer));
	json_decref(answer);
	buf_fini(&out);
}

static void an_empty_matrix_has_not_failed(void **state)
{
	(void)state;
	struct buf out;
	json_t *answer = objects_one("{ageSeconds: 0, cells: [], causes: []}");
	buf_init(&out, CLI_TEXT_MAX);
	matrix_format(answer, (struct look){.ascii = true}, &out);
	assert_false(matrix_has_failed(answer));
	assert_false(buf_failed(&out));
	json_decref(answer);
	buf_fini(&out);
}

static void a_table_of_the_server_shows_wide_columns_only_when_asked(void **state)
{
	(void)state;
	static const struct {
		bool wide;
		bool with_namespace;
		const char *text;
	} rows[] = {
		{false, false, "NAME  READY\nx     true\ny     <none>\n"},
		{true, false, "NAME  READY   ZONE\nx     true    z1\ny     <none>  3\n"},
		{false, true,
	         "NAMESPACE  NAME  READY\nn          x     true\n           y     <none>\n"},
	};
	json_t *table = objects_one(
		"columnDefinitions: [{name: Name, priority: 0}, {name: Ready}, {name: Zone, "
		"priority: 1}]\n"
		"rows:\n"
		"- {cells: [x, true, z1], object: {metadata: {namespace: n}}}\n"
		"- {cells: [y, null, 3]}\n");
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf out;
		buf_init(&out, CLI_TEXT_MAX);
		get_format_table(table, rows[i].wide, rows[i].with_namespace, &out);
		assert_string_equal(buf_text(&out), rows[i].text);
		buf_fini(&out);
	}
	json_decref(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_shows_its_worst_gateway_and_causes_follow),
		cmocka_unit_test(an_empty_matrix_has_not_failed),
		cmocka_unit_test(a_table_of_the_server_shows_wide_columns_only_when_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
