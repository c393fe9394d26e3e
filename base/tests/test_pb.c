/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/pb.h"

static void reads_back_what_it_wrote(void **state)
{
	struct buf out;
	struct pb_reader reader;
	struct pb_field field;
	struct err err;
	size_t begun;

	(void)state;
	buf_init(&out, 4096);
	pb_put_varint(&out, 1, 0);
	pb_put_varint(&out, 2, UINT64_MAX);
	pb_put_double(&out, 3, 1.5);
	pb_put_text(&out, 536870911, "text");
	begun = pb_begin(&out, 5);
	for (int i = 0; i < 100; i++)
		pb_put_varint(&out, 1, 300);
	pb_end(&out, begun);
	assert_false(buf_failed(&out));
	pb_reader_init(&reader, buf_str(&out));
	assert_true(pb_next(&reader, &field) && field.number == 1 && field.value == 0);
	assert_true(pb_next(&reader, &field) && field.value == UINT64_MAX);
	assert_true(pb_next(&reader, &field) && pb_double(&field) == 1.5);
	assert_true(pb_next(&reader, &field) && field.number == 536870911);
	assert_true(str_is(field.bytes, "text"));
	assert_true(pb_next(&reader, &field) && field.bytes.len == 300);
	assert_false(pb_next(&reader, &field));
	assert_true(pb_reader_check(&reader, &err));
	buf_fini(&out);
}

static void refuses_malformed_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\x08", 1},                                              /* no value */
		{"\x08\x80", 2},                                          /* half a varint */
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11},     /* over 64 bits */
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* over 10 bytes */
		{"\x00\x01", 2},                                          /* field 0 */
		{"\x0a\x02x", 3},                                     /* length beyond the end */
		{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* absurd length */
		{"\x0b\x0c", 2},                                      /* group */
		{"\x09\1\2\3", 4},                                    /* short fixed64 */
		{"\x0d\1\2\3", 4},                                    /* short fixed32 */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *copy = xmemdup(rows[i].bytes, rows[i].len);
		struct pb_reader reader;
		struct pb_field field;
		struct err err;

		pb_reader_init(&reader, str_make(copy, rows[i].len));
		while (pb_next(&reader, &field)) {
		}
		assert_false(pb_reader_check(&reader, &err));
		free(copy);
	}
}

static void finds_the_last_field_of_a_number(void **state)
{
	struct str message = STR_LIT("\x0a\x01x\x08\x05\x0a\x02yz\x08\x96\x01\x12\x00");
	struct str cut = str_make(message.ptr, message.len - 1);
	struct err err;

	(void)state;
	assert_true(str_is(pb_find(message, 1), "yz"));
	assert_true(pb_find_value(message, 1, 0) == 150);
	assert_true(pb_find(message, 2).ptr != NULL); /* there, and empty */
	assert_int_equal(pb_find(message, 2).len, 0);
	assert_null(pb_find(message, 3).ptr);
	assert_true(pb_find_value(message, 2, 7) == 7); /* of another wire type */
	assert_true(pb_check(message, "it", &err));

	assert_null(pb_find(cut, 1).ptr);
	assert_true(pb_find_value(cut, 1, 7) == 7);
	assert_false(pb_check(cut, "it", &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_string_equal(err.msg, "it is malformed");
	assert_null(pb_find(STR_NULL, 1).ptr);
	assert_true(pb_check(STR_NULL, "it", &err));
}

static void numbers_and_lengths_have_bounds(void **state)
{
	static const struct str bad[] = {
		STR_LIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), /* a tag of 11 bytes */
		STR_LIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* over 64 bits */
		STR_LIT("\x00\x00"),                                     /* field 0 */
		STR_LIT("\x0b\x0c"),                                     /* a group */
		STR_LIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a length of 2^64-1 */
		STR_LIT("\x0d\x01\x02\x03"),                             /* half a fixed32 */
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		if (pb_check(bad[i], "it", &err))
			fail_msg("case %zu is taken", i);
	}
	assert_true(pb_check(STR_LIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "it", &err));
	assert_true(pb_find_value(STR_LIT("\x08\x01\x08\x96\x01"), 1, 0) == 150);
}

static void struct_and_json_are_the_same(void **state)
{
	static const char text[] =
		"{\"a\":[1,2.5,null,true,false,\"x\"],\"b\":{\"c\":{}},\"d\":-7,\"e\":\"\"}";
	json_t *object, *shuffled, *again;
	struct buf first, second;
	struct err err;
	char *back;

	(void)state;
	buf_init(&first, 4096);
	buf_init(&second, 4096);
	object = json_parse(str_from(text), &err);
	shuffled = json_parse(STR_LIT("{\"e\":\"\",\"d\":-7,\"b\":{\"c\":{}},"
	                              "\"a\":[1,2.5,null,true,false,\"x\"]}"),
	                      &err);
	assert_true(pb_struct_encode(object, &first, &err));
	assert_true(pb_struct_encode(shuffled, &second, &err));
	assert_true(str_eq(buf_str(&first), buf_str(&second)));
	again = pb_struct_decode(buf_str(&first), &err);
	assert_non_null(again);
	back = json_format_sorted(again);
	assert_string_equal(back, text);
	free(back);
	json_decref(object);
	json_decref(shuffled);
	json_decref(again);
	buf_fini(&first);
	buf_fini(&second);
}

/* Lists inside each other, n deep, inside a Struct. */
static void nest(struct buf *out, int n)
{
	size_t begun, value;

	if (n == 0)
		return;
	begun = pb_begin(out, 6);
	value = pb_begin(out, 1);
	nest(out, n - 1);
	pb_end(out, value);
	pb_end(out, begun);
}

static void limits_depth_and_number_of_values(void **state)
{
	static const struct {
		int depth;
		bool ok;
	} rows[] = {{15, true}, {16, false}, {5000, false}};
	json_t *list = json_array(), *object = json_object();
	struct buf out;
	struct err err;

	(void)state;
	buf_init(&out, 4 << 20);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		size_t entry, value;
		json_t *decoded;

		buf_clear(&out);
		entry = pb_begin(&out, 1);
		value = pb_begin(&out, 2);
		nest(&out, rows[i].depth);
		pb_end(&out, value);
		pb_end(&out, entry);
		decoded = pb_struct_decode(buf_str(&out), &err);
		assert_int_equal(decoded != NULL, rows[i].ok);
		if (decoded == NULL)
			assert_int_equal(err.code, ERR_TOO_LARGE);
		json_decref(decoded);
	}
	for (int i = 0; i <= PB_STRUCT_VALUES_MAX; i++)
		json_array_append_new(list, json_null());
	json_object_set_new(object, "l", list);
	buf_clear(&out);
	assert_false(pb_struct_encode(object, &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	json_decref(object);
	buf_fini(&out);
}

static void refuses_bad_structs(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\x0a\x08\x0a\x01\xff\x12\x03\x1a\x01x", 10},             /* key */
		{"\x0a\x08\x0a\x01k\x12\x03\x1a\x01\xff", 10},             /* text */
		{"\x0a\x0e\x0a\x01k\x12\x09\x11\0\0\0\0\0\0\xf0\x7f", 16}, /* infinity */
		{"\x0a\x07\x0a\x01k\x12\x02\x10\x01", 9},                  /* wire type */
		{"\x0a\x03\x0a\x01k\x0a\x03\x0a\x01k", 10},                /* twice */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;

		assert_null(pb_struct_decode(str_make(rows[i].bytes, rows[i].len), &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(refuses_malformed_messages),
		cmocka_unit_test(finds_the_last_field_of_a_number),
		cmocka_unit_test(numbers_and_lengths_have_bounds),
		cmocka_unit_test(struct_and_json_are_the_same),
		cmocka_unit_test(limits_depth_and_number_of_values),
		cmocka_unit_test(refuses_bad_structs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
