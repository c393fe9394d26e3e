/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"

static void grows_and_keeps_a_nul_behind_the_content(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100000);
	assert_string_equal(buf_text(&buf), "");
	for (int i = 0; i < 1000; i++)
		assert_true(buf_printf(&buf, "%03d,", i));
	assert_int_equal(buf.len, 4000);
	assert_int_equal(strlen(buf_text(&buf)), 4000);
	assert_true(str_ends_with(buf_str(&buf), STR_LIT("998,999,")));
	buf_fini(&buf);
	buf_fini(&buf);
}

static void fills_exactly_to_the_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	assert_true(buf_add_text(&buf, "abcde"));
	assert_true(buf_add(&buf, "", 0));
	assert_false(buf_failed(&buf));
	assert_false(buf_add_char(&buf, 'f'));
	assert_string_equal(buf_text(&buf), "abcde");
	buf_fini(&buf);
}

static void stays_failed_until_cleared(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_add_text(&buf, "ab");
	assert_false(buf_printf(&buf, "%s", "cde"));
	assert_false(buf_add_char(&buf, 'c'));
	assert_true(buf_failed(&buf));
	assert_string_equal(buf_text(&buf), "ab");
	buf_clear(&buf);
	assert_false(buf_failed(&buf));
	assert_true(buf_add_text(&buf, "wxyz"));
	buf_fini(&buf);
}

static void takes_bytes_written_in_place(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	char *room = buf_reserve(&buf, 8);
	assert_non_null(room);
	memcpy(room, "12345678", 8);
	buf_commit(&buf, 6);
	assert_string_equal(buf_text(&buf), "123456");
	assert_null(buf_reserve(&buf, 3));
	buf_fini(&buf);
}

static void consumes_from_the_front(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_consume(&buf, 0);
	buf_add_text(&buf, "abcdef");
	buf_consume(&buf, 2);
	assert_string_equal(buf_text(&buf), "cdef");
	buf_consume(&buf, 4);
	assert_string_equal(buf_text(&buf), "");
	assert_true(buf_add_text(&buf, "g"));
	buf_fini(&buf);
}

static void gives_its_content_away(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	char *text = buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
	buf_add_text(&buf, "abc");
	text = buf_take(&buf);
	assert_string_equal(text, "abc");
	free(text);
	assert_int_equal(buf.len, 0);
	assert_true(buf_add_text(&buf, "again"));
	buf_fini(&buf);
}

static void a_secret_stays_where_it_is_and_within_its_maximum(void **state)
{
	struct buf buf CLEANUP(buf_fini);

	(void)state;
	buf_init_secret(&buf, 10000);
	const char *ptr = buf.ptr;
	for (int i = 0; i < 1000; i++)
		assert_true(buf_add_text(&buf, "0123456789"));
	assert_ptr_equal(buf.ptr, ptr);
	assert_int_equal(buf.len, 10000);
	assert_false(buf_add_char(&buf, 'x'));
	assert_true(buf_failed(&buf));
	buf_fini(&buf);
	assert_int_equal(buf.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps_a_nul_behind_the_content),
		cmocka_unit_test(fills_exactly_to_the_maximum),
		cmocka_unit_test(stays_failed_until_cleared),
		cmocka_unit_test(takes_bytes_written_in_place),
		cmocka_unit_test(consumes_from_the_front),
		cmocka_unit_test(gives_its_content_away),
		cmocka_unit_test(a_secret_stays_where_it_is_and_within_its_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
