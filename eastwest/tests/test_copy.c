/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "control/copy.h"

static json_t *some_tree(void)
{
	return json_pack("{s:s, s:[i, i]}", "kind", "GatewayConfig", "b", 1, 2);
}

static void reads_back_what_it_wrote(void **state)
{
	struct err err;
	json_t *tree = some_tree();
	char dir[] = "/tmp/fedway-copy-XXXXXX";
	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_null(ew_copy_load(dir, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_true(ew_copy_save(dir, tree, &err));
	json_t *again = ew_copy_load(dir, &err);
	assert_true(json_equal(tree, again));
	ew_copy_remove(dir);
	assert_null(ew_copy_load(dir, &err));
	rmdir(dir);
	json_decref(again);
	json_decref(tree);
}

static void refuses_a_damaged_copy(void **state)
{
	json_t *tree = some_tree();
	char *text = ew_copy_format(tree);
	size_t len = strlen(text);
	struct err err;
	(void)state;
	/* any byte changed, any length cut */
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		assert_null(ew_copy_parse(str_make(text, len), &err));
		text[i] ^= 1;
		assert_null(ew_copy_parse(str_make(text, i), &err));
	}
	json_t *again = ew_copy_parse(str_make(text, len), &err);
	assert_non_null(again);
	json_decref(again);
	free(text);
	json_decref(tree);
}

static void refuses_another_format(void **state)
{
	static const char *const cases[] = {"", "x", "fedway-gateway-copy",
	                                    "fedway-gateway-copy 2 ab\n{}",
	                                    "fedway-gateway-copy x ab\n{}"};
	struct err err;
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_null(ew_copy_parse(str_from(cases[i]), &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(refuses_a_damaged_copy),
		cmocka_unit_test(refuses_another_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
