/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/yaml.h"

static void reads_scalars_as_kubernetes_does(void **state)
{
	static const struct {
		const char *yaml;
		const char *json;
	} rows[] = {
		{"a", "\"a\""},
		{"true", "true"},
		{"Yes", "true"},
		{"OFF", "false"},
		{"y", "\"y\""},
		{"nULL", "\"nULL\""},
		{"tRue", "\"tRue\""},
		{"[~]", "[null]"},
		{"[null, Null, NULL]", "[null,null,null]"},
		{"\"true\"", "\"true\""},
		{"'5'", "\"5\""},
		{"0", "0"},
		{"-0", "0"},
		{"+12", "12"},
		{"0644", "420"},
		{"0o17", "15"},
		{"0x1F", "31"},
		{"0b101", "5"},
		{"1_000", "1000"},
		{"08", "8.0"},
		{"1.5", "1.5"},
		{".5", "0.5"},
		{"1e3", "1000.0"},
		{"1.e", "\"1.e\""},
		{"-", "[null]"},
		{"1.2.3", "\"1.2.3\""},
		{"10.0.0.1", "\"10.0.0.1\""},
		{"1:30", "\"1:30\""},
		{"2026-11-24", "\"2026-11-24\""},
		{"- 5", "[5]"},
		{"-5", "-5"},
		{"0x", "\"0x\""},
		{"0x-1", "\"0x-1\""},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"9223372036854775808", "9.2233720368547758e18"},
		{"|\n  a\n  b\n", "\"a\\nb\\n\""},
		{">-\n  a\n  b\n", "\"a b\""},
		{"{a: 1, 8080: b, on: c}", "{\"a\":1,\"8080\":\"b\",\"on\":\"c\"}"},
		{"a:\n- b: 1\n  c:\n  - {}\n- []\n", "{\"a\":[{\"b\":1,\"c\":[{}]},[]]}"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {0};
		CLEANUP(json_cleanup) json_t *value = yaml_parse(str_from(rows[i].yaml), "t", &err);
		if (value == NULL)
			fail_msg("row '%s': %s", rows[i].yaml, err.msg);
		CLEANUP(free_ptr) char *text = json_format(value);
		if (strcmp(text, rows[i].json) != 0)
			fail_msg("row '%s': %s", rows[i].yaml, text);
	}
}

static void refuses_with_line_and_column(void **state)
{
	static const struct {
		const char *yaml;
		const char *says;
	} rows[] = {
		{"a: &x 1\nb: *x\n", "gw.yaml:1:4: anchors are not supported"},
		{"a: *x\n", "gw.yaml:1:4: aliases are not supported"},
		{"a: !!str 1\n", "gw.yaml:1:4: tags are not supported"},
		{"a: 1\nb: 2\na: 3\n", "gw.yaml:3:1: key 'a' is there twice"},
		{"? [a]\n: 1\n", "gw.yaml:1:3: a key must be a string"},
		{"a: b: c\n", "gw.yaml:1:5: mapping values are not allowed in this context"},
		{"a: [1\n", "gw.yaml:2:1: did not find expected ',' or ']'"},
		{"a:\n\t- b\n", "gw.yaml:2:1: found character that cannot start any token"},
		{"a: \"\\0\"\n", "gw.yaml:1:4: text contains a NUL"},
		{"a: .inf\n", "gw.yaml:1:4: value has no JSON form"},
		{"a: 1e999\n", "gw.yaml:1:4: value has no JSON form"},
		{"a\n---\nb\n", "gw.yaml: one YAML document is wanted, there are 2"},
		{"# nothing\n", "gw.yaml: one YAML document is wanted, there are 0"},
		{"a: \xff\n", "gw.yaml:1:1: invalid leading UTF-8 octet"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {0};
		assert_null(yaml_parse(str_from(rows[i].yaml), "gw.yaml", &err));
		if (strcmp(err.msg, rows[i].says) != 0)
			fail_msg("row '%s': %s", rows[i].yaml, err.msg);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

static void limits_depth(void **state)
{
	struct buf buf;
	struct err err;

	(void)state;
	for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		buf_init(&buf, 1000);
		for (int i = 0; i < depth; i++)
			buf_add_char(&buf, '[');
		for (int i = 0; i < depth; i++)
			buf_add_char(&buf, ']');
		json_t *value = yaml_parse(buf_str(&buf), "t", &err);
		assert_int_equal(value != NULL, depth == JSON_DEPTH_MAX);
		json_decref(value);
		buf_fini(&buf);
	}
	assert_string_equal(err.msg, "t:1:65: nested too deeply (64 levels)");
}

static void reads_several_documents_without_the_empty_ones(void **state)
{
	struct err err;
	CLEANUP(json_cleanup)
	json_t *docs =
		yaml_parse_all(STR_LIT("---\n# c\n---\na: 1\n---\n---\n[2]\n...\n"), "t", &err);
	CLEANUP(free_ptr) char *text = json_format(docs);

	(void)state;
	assert_string_equal(text, "[{\"a\":1},[2]]");
}

static void tells_the_line_of_a_path(void **state)
{
	static const char yaml[] = "routes:\n"
				   "- sni: a\n"
				   "- sni: b\n"
				   "  endpoints:\n"
				   "  - {address: x, port: 1}\n"
				   "  - address: y\n"
				   "    port: 2\n"
				   "health:\n"
				   "  port: 3\n"
				   "matrix: [[1],\n"
				   "  [2]]\n";
	static const struct {
		const char *path;
		int line;
	} rows[] = {
		{"routes", 2},
		{"routes[0].sni", 2},
		{"routes[1].sni", 3},
		{"routes[1].endpoints[1].port", 7},
		{"routes[1].endpoints[0].port", 5},
		{"health.port", 9},
		{"matrix[1][0]", 11},
		{"routes[2]", 0},
		{"routes.sni", 0},
		{"health[0]", 0},
		{"port", 0},
		{"routes[x]", 0},
		{"routes[0", 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		int line = yaml_line_of(str_from(yaml), rows[i].path);
		if (line != rows[i].line)
			fail_msg("path '%s': line %d", rows[i].path, line);
	}
}

static void writes_what_kubectl_would(void **state)
{
	static const char json[] = "{\"kind\":\"Cluster\",\"spec\":{\"list\":[{\"a\":1,\"b\":null},"
				   "\"x\"],\"none\":{},\"empty\":[]},\"t\":\"true\",\"n\":\"5\","
				   "\"e\":\"\",\"long\":\"a\\nb\\n\",\"c\":\"a: b\"}";
	static const char yaml[] = "kind: Cluster\n"
				   "spec:\n"
				   "  list:\n"
				   "  - a: 1\n"
				   "    b: null\n"
				   "  - x\n"
				   "  none: {}\n"
				   "  empty: []\n"
				   "t: \"true\"\n"
				   "\"n\": \"5\"\n"
				   "e: \"\"\n"
				   "long: |\n"
				   "  a\n"
				   "  b\n"
				   "c: 'a: b'\n";
	struct err err;
	CLEANUP(json_cleanup) json_t *value = json_parse(str_from(json), &err);
	CLEANUP(free_ptr) char *text = yaml_format(value);
	CLEANUP(json_cleanup) json_t *again = yaml_parse(str_from(text), "t", &err);

	(void)state;
	assert_string_equal(text, yaml);
	assert_true(json_equal(value, again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_scalars_as_kubernetes_does),
		cmocka_unit_test(refuses_with_line_and_column),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(reads_several_documents_without_the_empty_ones),
		cmocka_unit_test(tells_the_line_of_a_path),
		cmocka_unit_test(writes_what_kubectl_would),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
