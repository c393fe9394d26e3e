/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"

static void finds_what_was_set(void **state)
{
	struct map map = MAP_EMPTY;
	int a = 1;
	int b = 2;

	(void)state;
	assert_null(map_find_text(&map, "a"));
	assert_null(map_set(&map, STR_LIT("a"), &a));
	assert_ptr_equal(map_find_text(&map, "a"), &a);
	assert_ptr_equal(map_set(&map, STR_LIT("a"), &b), &a);
	assert_ptr_equal(map_find_text(&map, "a"), &b);
	assert_int_equal(map_len(&map), 1);
	assert_ptr_equal(map_remove(&map, STR_LIT("a")), &b);
	assert_null(map_remove(&map, STR_LIT("a")));
	assert_int_equal(map_len(&map), 0);
	map_fini(&map, NULL);
}

static void is_a_set_of_keys(void **state)
{
	struct map set = MAP_EMPTY;

	(void)state;
	assert_true(map_add(&set, STR_LIT("a")));
	assert_false(map_add(&set, STR_LIT("a")));
	assert_true(map_add(&set, STR_LIT("b")));
	assert_non_null(map_find_text(&set, "a"));
	assert_non_null(map_remove(&set, STR_LIT("a")));
	assert_true(map_add(&set, STR_LIT("a")));
	assert_int_equal(map_len(&set), 2);
	map_fini(&set, NULL);
}

static void takes_any_bytes_as_key(void **state)
{
	struct map map = MAP_EMPTY;
	int a = 1;
	int b = 2;

	(void)state;
	map_set(&map, STR_NULL, &a);
	map_set(&map, STR_LIT("x\0y"), &b);
	assert_ptr_equal(map_find(&map, STR_LIT("")), &a);
	assert_ptr_equal(map_find(&map, STR_LIT("x\0y")), &b);
	assert_null(map_find(&map, STR_LIT("x\0z")));
	assert_null(map_find(&map, STR_LIT("x")));
	map_fini(&map, NULL);
}

static void keeps_the_order_of_insertion_through_growth(void **state)
{
	struct map map = MAP_EMPTY;
	char key[16];
	int n = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		map_set(&map, str_from(key), xmemdup(&i, sizeof(i)));
	}
	map_for_each (it, &map) {
		assert_int_equal(*(int *)map_value(it), n);
		snprintf(key, sizeof(key), "key-%d", n++);
		assert_true(str_is(map_key(it), key));
	}
	assert_int_equal(n, 5000);
	map_fini(&map, free);
}

static void lets_the_loop_remove_the_current_entry(void **state)
{
	struct map map = MAP_EMPTY;
	static const char *const keys[] = {"a", "b", "c", "d"};
	int value = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		map_set(&map, str_from(keys[i]), &value);
	map_for_each (it, &map) {
		char *key = str_dup(map_key(it));
		if (key[0] != 'b')
			map_remove(&map, str_from(key));
		free(key);
	}
	assert_int_equal(map_len(&map), 1);
	assert_ptr_equal(map_find_text(&map, "b"), &value);
	map_fini(&map, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_set),
		cmocka_unit_test(is_a_set_of_keys),
		cmocka_unit_test(takes_any_bytes_as_key),
		cmocka_unit_test(keeps_the_order_of_insertion_through_growth),
		cmocka_unit_test(lets_the_loop_remove_the_current_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
