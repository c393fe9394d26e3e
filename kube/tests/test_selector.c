/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kube/selector.h"

static bool label_match(const char *selector_text, const char *labels_text)
{
	struct err err;
	struct selector selector;
	json_t *labels = json_loads(labels_text, 0, NULL);
	assert_non_null(labels);
	if (!selector_parse_labels(str_from(selector_text), &selector, &err))
		fail_msg("%s: %s", selector_text, err.msg);
	bool matches = selector_has_labels(&selector, labels);
	selector_fini(&selector);
	json_decref(labels);
	return matches;
}

static void labels_match_as_kubernetes_does(void **state)
{
	(void)state;
	static const struct {
		const char *selector;
		const char *labels;
		bool matches;
	} rows[] = {
		{"", "{}", true},
		{"a", "{\"a\":\"\"}", true},
		{"a", "{}", false},
		{"!a", "{}", true},
		{"! a", "{\"a\":\"1\"}", false},
		{"a=1", "{\"a\":\"1\"}", true},
		{"a==1", "{\"a\":\"1\"}", true},
		{" a = 1 , b != 2 ", "{\"a\":\"1\"}", true},
		{"a!=1", "{\"a\":\"1\"}", false},
		{"a=", "{\"a\":\"\"}", true},
		{"a=", "{}", false},
		{"a in (1, 2)", "{\"a\":\"2\"}", true},
		{"a in (1,2),b", "{\"a\":\"2\"}", false},
		{"a notin (1,2)", "{}", true},
		{"a notin (1,2)", "{\"a\":\"1\"}", false},
		{"a in (,1)", "{\"a\":\"\"}", true},
		{"in in (in)", "{\"in\":\"in\"}", true},
		{"a>5", "{\"a\":\"6\"}", true},
		{"a>5", "{\"a\":\"x\"}", false},
		{"a<5", "{\"a\":\"4\"}", true},
		{"example.com/a=x", "{\"example.com/a\":\"x\"}", true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (label_match(rows[i].selector, rows[i].labels) != rows[i].matches)
			fail_msg("%s on %s", rows[i].selector, rows[i].labels);
	}
}

static void bad_label_selectors_are_explained(void **state)
{
	(void)state;
	static const struct {
		const char *selector;
		const char *message;
	} rows[] = {
		{"a==b==c", "found '==', expected: ',' or 'end of string'"},
		{"a,", "found '', expected: identifier after ','"},
		{"a in b", "unable to parse requirement: found 'b', expected: '('"},
		{"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
		{"=a", "unable to parse requirement: found '=', expected: identifier"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err;
		struct selector selector;
		assert_false(selector_parse_labels(str_from(rows[i].selector), &selector, &err));
		assert_string_equal(err.msg, rows[i].message);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
	static const char *const bad[] = {"a b",     "-a", "a=-", "a>x", "a=b c",
	                                  "x/y/z=1", "()", "!",   "!a=b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err;
		struct selector selector;
		if (selector_parse_labels(str_from(bad[i]), &selector, &err))
			fail_msg("accepted %s", bad[i]);
	}
}

static void field_selectors_read_escapes(void **state)
{
	(void)state;
	struct err err;
	struct selector selector;
	json_t *fields = json_pack("{s:s, s:s}", "metadata.name", "a,b=c\\", "type", "Opaque");
	assert_true(selector_parse_fields(str_from("metadata.name=a\\,b\\=c\\\\,type!=x"),
	                                  &selector, &err));
	assert_true(selector_has_fields(&selector, fields));
	assert_string_equal(selector_find_exact(&selector, "metadata.name"), "a,b=c\\");
	assert_null(selector_find_exact(&selector, "type"));
	selector_fini(&selector);

	assert_true(selector_parse_fields(str_from("absent==,type==Opaque"), &selector, &err));
	assert_true(selector_has_fields(&selector, fields));
	selector_fini(&selector);
	json_decref(fields);

	assert_false(selector_parse_fields(str_from("abc"), &selector, &err));
	assert_string_equal(err.msg, "invalid selector: 'abc'; can't understand 'abc'");
	assert_false(selector_parse_fields(str_from("a=b=c"), &selector, &err));
	assert_false(selector_parse_fields(str_from("a=b\\x"), &selector, &err));
}

static void label_selector_objects_are_read(void **state)
{
	(void)state;
	struct err err;
	struct selector selector;
	json_t *obj = json_loads("{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":[{\"key\":"
	                         "\"b\",\"operator\":\"NotIn\",\"values\":[\"2\"]}]}",
	                         0, NULL);
	json_t *labels = json_pack("{s:s, s:s}", "a", "1", "b", "3");
	assert_true(selector_from_json(obj, &selector, &err));
	assert_true(selector_has_labels(&selector, labels));
	json_object_set_new(labels, "b", json_string("2"));
	assert_false(selector_has_labels(&selector, labels));
	selector_fini(&selector);
	json_decref(obj);
	json_decref(labels);

	obj = json_loads("{\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"In\"}]}", 0, NULL);
	assert_false(selector_from_json(obj, &selector, &err));
	json_decref(obj);
}

static void limits_hold(void **state)
{
	(void)state;
	struct err err;
	struct selector selector;
	static char text[SELECTOR_TEXT_MAX + 2];
	memset(text, 'a', SELECTOR_TEXT_MAX + 1);
	assert_false(selector_parse_labels(str_from(text), &selector, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	for (size_t i = 0; i < SELECTOR_TEXT_MAX; i++)
		text[i] = i % 2 == 0 ? 'a' : ',';
	text[SELECTOR_TEXT_MAX - 1] = '\0';
	assert_false(selector_parse_labels(str_from(text), &selector, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_match_as_kubernetes_does),
		cmocka_unit_test(bad_label_selectors_are_explained),
		cmocka_unit_test(field_selectors_read_escapes),
		cmocka_unit_test(label_selector_objects_are_read),
		cmocka_unit_test(limits_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
