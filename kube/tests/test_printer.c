/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "kube/jsonpath.h"
#include "kube/printer.h"

static const char object_text[] =
	"{\"metadata\":{\"name\":\"w\",\"creationTimestamp\":\"2026-11-24T10:00:00Z\","
	"\"labels\":{\"a.b/c\":\"x\"}},\"spec\":{\"size\":3,\"on\":true,\"ratio\":1.5,"
	"\"list\":[{\"n\":\"one\"},{\"n\":\"two\"}]},\"status\":{\"conditions\":["
	"{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":\"Other\",\"status\":\"False\"}]}}";

static void paths_find_what_kubectl_would_show(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *found; /* NULL: nothing */
	} rows[] = {
		{".spec.size", "3"},
		{"{.spec.size}", "3"},
		{"$.spec.size", "3"},
		{".metadata.labels['a.b/c']", "\"x\""},
		{".metadata.labels.a\\.b/c", "\"x\""},
		{".spec.list[0].n", "\"one\""},
		{".spec.list[-1].n", "\"two\""},
		{".spec.list[*].n", "\"one\""},
		{".status.conditions[?(@.type==\"Ready\")].status", "\"True\""},
		{".status.conditions[?(@.type == 'Other')].status", "\"False\""},
		{".spec.list[7].n", NULL},
		{".spec.none.deeper", NULL},
	};
	json_t *obj = json_loads(object_text, 0, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err;
		struct jsonpath *path = jsonpath_create(rows[i].path, &err);
		if (path == NULL)
			fail_msg("%s: %s", rows[i].path, err.msg);
		json_t *found = jsonpath_find(path, obj);
		char *text = found != NULL ? json_dumps(found, JSON_ENCODE_ANY) : NULL;
		if (rows[i].found == NULL)
			assert_null(text);
		else
			assert_string_equal(text, rows[i].found);
		free(text);
		jsonpath_destroy(path);
	}
	json_decref(obj);
}

static void bad_paths_are_refused(void **state)
{
	(void)state;
	static const char *const paths[] = {"",      "spec",          ".spec[", ".spec[x]",
	                                    ".a..b", ".a[?(@.x==1)]", ".a['b]"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct err err;
		if (jsonpath_create(paths[i], &err) != NULL)
			fail_msg("accepted '%s'", paths[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static json_t *compute_twice(const json_t *obj, int64_t now_s)
{
	(void)now_s;
	return json_integer(2 * json_int_at(obj, "spec.size", 0));
}

static void cells_have_the_type_of_their_column(void **state)
{
	(void)state;
	static const struct printer_compute computes[] = {{"twice", compute_twice}, {NULL, NULL}};
	static const char columns_text[] =
		"[{\"name\":\"Size\",\"type\":\"integer\",\"jsonPath\":\".spec.size\","
		"\"description\":\"the size\"},"
		"{\"name\":\"On\",\"type\":\"string\",\"jsonPath\":\".spec.on\"},"
		"{\"name\":\"Twice\",\"type\":\"integer\",\"compute\":\"twice\",\"priority\":1},"
		"{\"name\":\"Gone\",\"type\":\"string\",\"jsonPath\":\".spec.gone\"},"
		"{\"name\":\"Wrong\",\"type\":\"integer\",\"jsonPath\":\".metadata.name\"},"
		"{\"name\":\"Age\",\"type\":\"date\",\"jsonPath\":\".metadata.creationTimestamp\"}"
		"]";
	struct err err;
	json_t *obj = json_loads(object_text, 0, NULL);
	json_t *columns = json_loads(columns_text, 0, NULL);
	struct printer *printer = printer_create(columns, computes, &err);
	assert_non_null(printer);
	json_t *cells = printer_cells(printer, obj, 1795514460);
	char *text = json_dumps(cells, JSON_COMPACT);
	assert_string_equal(text, "[\"w\",3,\"true\",6,null,null,\"60s\"]");
	json_t *definition = json_array_get(printer_definitions(printer), 3);
	assert_int_equal(json_int_at(definition, "priority", 0), 1);
	assert_string_equal(
		json_str_at(json_array_get(printer_definitions(printer), 0), "format", ""), "name");
	free(text);
	json_decref(cells);
	json_decref(columns);
	json_decref(obj);
	printer_destroy(printer);
}

static void without_columns_there_are_name_and_age(void **state)
{
	(void)state;
	struct err err;
	struct printer *printer = printer_create(NULL, NULL, &err);
	assert_int_equal(json_array_size(printer_definitions(printer)), 2);
	printer_destroy(printer);
}

static void bad_columns_are_refused(void **state)
{
	(void)state;
	struct err err;
	json_t *columns =
		json_pack("[{s:s, s:s, s:s}]", "name", "A", "type", "date", "jsonPath", "nope");
	assert_null(printer_create(columns, NULL, &err));
	assert_string_equal(err.msg, "printer column 'A': JSON path 'nope': a step begins with "
	                             "'.' or '['");
	json_object_set_new(json_array_get(columns, 0), "type", json_string("float"));
	assert_null(printer_create(columns, NULL, &err));
	json_decref(columns);
}

static void durations_read_as_kubectl_writes_them(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{-5, "<invalid>"},
		{-1, "0s"},
		{0, "0s"},
		{119, "119s"},
		{120, "2m"},
		{245, "4m5s"},
		{660, "11m"},
		{3600 * 2, "120m"},
		{3600 * 4 + 60, "4h1m"},
		{3600 * 9, "9h"},
		{86400 * 2, "2d"},
		{86400 * 3 + 7200, "3d2h"},
		{86400 * 9, "9d"},
		{86400LL * 365 * 2, "2y"},
		{86400LL * 800, "2y70d"},
		{86400LL * 365 * 9, "9y"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[PRINTER_AGE_MAX];
		assert_string_equal(printer_duration(rows[i].seconds, text), rows[i].text);
	}
	char text[PRINTER_AGE_MAX];
	assert_string_equal(printer_age("soon", 0, text), "<unknown>");
	assert_string_equal(printer_age("1970-01-01T00:00:10.123456Z", 15, text), "5s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_find_what_kubectl_would_show),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(cells_have_the_type_of_their_column),
		cmocka_unit_test(without_columns_there_are_name_and_age),
		cmocka_unit_test(bad_columns_are_refused),
		cmocka_unit_test(durations_read_as_kubectl_writes_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
