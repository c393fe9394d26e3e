/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector_split_priv.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "kube/reflector.h"

static bool collect(struct str text, void *arg, struct err *err)
{
	(void)err;
	buf_add_str(arg, text);
	buf_add_char(arg, '|');
	return true;
}

/* Feeds text in pieces of `step` bytes after a first one of `first`. */
static bool read_list(struct str text, size_t first, size_t step, struct buf *items, json_t **frame,
                      struct err *err)
{
	struct split_list split;
	bool ok = true;

	buf_clear(items);
	*frame = NULL;
	split_list_init(&split, collect, items);
	for (size_t at = 0, n = first; ok && at < text.len; at += n, n = step) {
		if (n > text.len - at)
			n = text.len - at;
		ok = split_list_feed(&split, str_make(text.ptr + at, n), err);
	}
	if (ok)
		*frame = split_list_end(&split, err);
	split_list_fini(&split);
	return ok && *frame != NULL;
}

struct good {
	const char *text;
	const char *items;
	const char *rv;
};

static const struct good GOOD[] = {
	{"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1},"
         "{\"b\":[{\"c\":\"]}\\\"\\\\\"}]}]}",
         "{\"a\":1}|{\"b\":[{\"c\":\"]}\\\"\\\\\"}]}|", "7"},
	{" { \"items\" : [ { } , { } ] , \"metadata\" : { \"resourceVersion\" : \"8\" } } \n",
         "{ }|{ }|", "8"},
	{"{\"items\":[],\"metadata\":{\"resourceVersion\":\"9\"}}", "", "9"},
	{"{\"items\":null,\"metadata\":{\"resourceVersion\":\"9\"}}", "", "9"},
	{"{\"metadata\":{\"resourceVersion\":\"9\",\"items\":[{}]},\"x\":\"items\",\"items\":[{"
         "\"\xc3\xa4\":\"\xe2\x82\xac\"}]}",
         "{\"\xc3\xa4\":\"\xe2\x82\xac\"}|", "9"},
	{"{\"other\":[[{\"items\":[1]}]],\"items\":[{\"items\":[2]}],\"metadata\":{"
         "\"resourceVersion\":\"1\"}}",
         "{\"items\":[2]}|", "1"},
};

static void a_list_is_cut_the_same_wherever_its_pieces_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(GOOD); i++) {
		struct str text = str_from(GOOD[i].text);
		struct buf CLEANUP(buf_fini) items;

		buf_init(&items, 1 << 20);
		for (size_t first = 0; first <= 2 * text.len; first++) {
			/* every split into two, then every constant step */
			size_t step = first <= text.len ? text.len : first - text.len;
			json_t *frame = NULL;
			struct err err;

			if (!read_list(text, first <= text.len ? first : step, step, &items, &frame,
			               &err))
				fail_msg("row %zu split %zu: %s", i, first, err.msg);
			assert_string_equal(buf_text(&items), GOOD[i].items);
			assert_string_equal(json_str_at(frame, "metadata.resourceVersion", ""),
			                    GOOD[i].rv);
			json_decref(frame);
		}
	}
}

static void what_is_no_list_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *says;
	} rows[] = {
		{"", ERR_IO, "broke off"},
		{"{\"items\":[{\"a\":1},{\"b\"", ERR_IO, "broke off after 1 items"},
		{"<html>login</html>", ERR_PROTOCOL, "HTML"},
		{"[]", ERR_PROTOCOL, "not a JSON object"},
		{"{}", ERR_PROTOCOL, "no 'items'"},
		{"{\"items\":[]}", ERR_PROTOCOL, "resourceVersion"},
		{"{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"1\"}}", ERR_PROTOCOL,
	         "no 'items'"},
		{"{\"items\":[{}{}],\"metadata\":{\"resourceVersion\":\"1\"}}", ERR_PROTOCOL,
	         "between"},
		{"{\"items\":[{},,{}]}", ERR_PROTOCOL, "between"},
		{"{\"items\":[{},]}", ERR_PROTOCOL, "between"},
		{"{\"items\":[1]}", ERR_PROTOCOL, "between"},
		{"{\"items\":[\"a\"]}", ERR_PROTOCOL, "between"},
		{"{\"items\":[]}}", ERR_PROTOCOL, "more after its end"},
		{"{\"items\":[]} x", ERR_PROTOCOL, "more after its end"},
		{"{\"items\":[], \"a\" 1}", ERR_BAD_REQUEST, "list"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf CLEANUP(buf_fini) items;
		json_t *frame = NULL;
		struct err err;

		buf_init(&items, 1 << 20);
		assert_false(read_list(str_from(rows[i].text), 1, 1, &items, &frame, &err));
		if (err.code != rows[i].code || strstr(err.msg, rows[i].says) == NULL)
			fail_msg("row %zu: %d %s", i, err.code, err.msg);
	}
}

static void nothing_larger_than_the_limits_is_collected(void **state)
{
	struct buf CLEANUP(buf_fini) text;
	struct buf CLEANUP(buf_fini) items;
	json_t *frame = NULL;
	struct err err;

	(void)state;
	buf_init(&text, 8 << 20);
	buf_init(&items, 8 << 20);
	buf_add_text(&text, "{\"items\":[{\"a\":\"");
	for (size_t i = 0; i < REFLECTOR_LINE_MAX; i++)
		buf_add_char(&text, 'x');
	assert_false(read_list(buf_str(&text), 1000, 1000, &items, &frame, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);

	buf_clear(&text);
	for (size_t i = 0; i < 100; i++)
		buf_add_char(&text, i == 0 ? '{' : '[');
	assert_false(read_list(buf_str(&text), 1000, 1000, &items, &frame, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
}

static void lines_are_cut_the_same_wherever_their_pieces_end(void **state)
{
	static const char text[] = "{\"a\":1}\n\r\n{\"b\":\"\xc3\xa4\"}\r\n\n{\"c\":3}\nrest";
	struct buf CLEANUP(buf_fini) lines;

	(void)state;
	buf_init(&lines, 1 << 20);
	for (size_t step = 1; step <= sizeof(text); step++) {
		struct split_lines split;
		struct err err;

		buf_clear(&lines);
		split_lines_init(&split, collect, &lines);
		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			size_t left = sizeof(text) - 1 - at;

			assert_true(split_lines_feed(
				&split, str_make(text + at, step < left ? step : left), &err));
		}
		assert_string_equal(buf_text(&lines), "{\"a\":1}|{\"b\":\"\xc3\xa4\"}|{\"c\":3}|");
		assert_false(split_lines_is_between(&split));
		assert_true(split_lines_feed(&split, STR_LIT("\n"), &err));
		assert_true(split_lines_is_between(&split));
		split_lines_fini(&split);
	}
}

static void an_endless_line_is_refused(void **state)
{
	static char piece[1 << 16];
	struct buf CLEANUP(buf_fini) lines;
	struct split_lines split;
	struct err err;
	size_t fed = 0;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	buf_init(&lines, 8 << 20);
	split_lines_init(&split, collect, &lines);
	while (split_lines_feed(&split, str_make(piece, sizeof(piece)), &err))
		fed += sizeof(piece);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(fed, REFLECTOR_LINE_MAX);
	split_lines_fini(&split);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_cut_the_same_wherever_its_pieces_end),
		cmocka_unit_test(what_is_no_list_is_refused_with_a_reason),
		cmocka_unit_test(nothing_larger_than_the_limits_is_collected),
		cmocka_unit_test(lines_are_cut_the_same_wherever_their_pieces_end),
		cmocka_unit_test(an_endless_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
