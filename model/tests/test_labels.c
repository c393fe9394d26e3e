/* SPDX-License-Identifier: Apache-2.0 */

#include "model/labels.h"
#include "tests/check.h"

static struct labels *decode(const char *text)
{
	struct err err;
	json_t *obj = json_loads(text, JSON_DECODE_ANY, NULL);
	struct labels *labels = labels_decode(obj, &err);

	json_decref(obj);
	return labels;
}

static void finds_and_matches(void **state)
{
	struct labels *a = decode("{\"b\": \"2\", \"a\": \"1\", \"c\": \"\"}");
	struct labels *want = decode("{\"a\": \"1\"}"), *none = labels_none();

	(void)state;
	assert_string_equal(labels_find(a, "b"), "2");
	assert_string_equal(labels_find(a, "c"), "");
	assert_null(labels_find(a, "d"));
	assert_true(labels_match(a, want));
	assert_false(labels_match(want, a));
	assert_true(labels_match(none, none));
	assert_true(labels_eq(a, a));
	assert_false(labels_eq(a, want));
	labels_unref(a);
	labels_unref(want);
	labels_unref(none);
}

static void survives_a_round_trip(void **state)
{
	struct err err;
	struct labels *a = decode("{\"b\": \"2\", \"a\": \"1\"}");
	json_t *obj = labels_encode(a);
	struct labels *b = labels_decode(obj, &err);

	(void)state;
	assert_true(labels_eq(a, b));
	json_decref(obj);
	labels_unref(a);
	labels_unref(b);
}

static void refuses_what_is_no_label_set(void **state)
{
	json_t *big = json_object();
	struct err err;
	char key[16];

	(void)state;
	assert_null(decode("{\"a\": 1}"));
	assert_null(decode("[]"));
	struct labels *none = decode("null");

	assert_non_null(none);
	labels_unref(none);
	for (int i = 0; i <= LABELS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		json_object_set_new(big, key, json_string(""));
	}
	assert_null(labels_decode(big, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	json_decref(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_and_matches),
		cmocka_unit_test(survives_a_round_trip),
		cmocka_unit_test(refuses_what_is_no_label_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
