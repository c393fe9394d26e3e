/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "kube/schema.h"

/* JSON written with single quotes. */
static json_t *json(const char *text)
{
	char *copy = strdup(text);
	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);
	if (value == NULL)
		fail_msg("no JSON: %s", copy);
	free(copy);
	return value;
}

static struct schema *schema(const char *text)
{
	struct err err;
	json_t *source = json(text);
	struct schema *result = schema_create(source, &err);
	if (result == NULL)
		fail_msg("%s: %s", text, err.msg);
	json_decref(source);
	return result;
}

static void assert_json(const json_t *have, const char *want_text)
{
	json_t *want = json(want_text);
	if (!json_equal(have, want)) {
		char *text = json_dumps(have, JSON_ENCODE_ANY);
		fail_msg("have %s, want %s", text, want_text);
	}
	json_decref(want);
}

static const char widget[] =
	"{'type':'object','properties':{'spec':{'type':'object','required':['size'],'properties':{"
	"'size':{'type':'integer','minimum':1,'maximum':10},"
	"'color':{'type':'string','default':'red','enum':['red','blue']},"
	"'name':{'type':'string','pattern':'^[a-z]+$','maxLength':5,'minLength':2},"
	"'port':{'x-kubernetes-int-or-string':true},"
	"'when':{'type':'string','format':'date-time'},"
	"'ratio':{'type':'number','multipleOf':0.5,'exclusiveMinimum':true,'minimum':0},"
	"'any':{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{"
	"'known':{'type':'object','properties':{'a':{'type':'string'}}}}},"
	"'labels':{'type':'object','additionalProperties':{'type':'string'}},"
	"'nested':{'type':'object','properties':{'x':{'type':'integer','default':7}}},"
	"'maybe':{'type':'string','nullable':true},"
	"'list':{'type':'array','maxItems':2,'x-kubernetes-list-type':'map',"
	"'x-kubernetes-list-map-keys':['name'],'items':{'type':'object','properties':{"
	"'name':{'type':'string'},'v':{'type':'string','default':'d'}}}},"
	"'either':{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},"
	"'oneOf':[{'required':['a']},{'required':['b']}]}"
	"}}}}";

static void unknown_fields_are_pruned_and_told(void **state)
{
	(void)state;
	struct schema *s = schema(widget);
	json_t *obj = json("{'apiVersion':'v1','kind':'W','metadata':{'zz':1},'top':1,'spec':{"
	                   "'size':1,'bogus':5,'any':{'x':1,'known':{'a':'1','b':2}},"
	                   "'labels':{'k':'v'},'list':[{'name':'a','q':1}]}}");
	json_t *unknown = json_array();
	schema_prune(s, obj, unknown);
	assert_json(obj, "{'apiVersion':'v1','kind':'W','metadata':{'zz':1},'spec':{'size':1,"
	                 "'any':{'x':1,'known':{'a':'1'}},'labels':{'k':'v'},"
	                 "'list':[{'name':'a'}]}}");
	assert_json(unknown, "['top','spec.bogus','spec.any.known.b','spec.list[0].q']");
	json_decref(unknown);
	json_decref(obj);
	schema_destroy(s);
}

static void defaults_apply_where_the_parent_is(void **state)
{
	(void)state;
	struct schema *s = schema(widget);
	json_t *obj = json("{'spec':{'size':1,'color':null,'nested':{},'list':[{'name':'a'}]}}");
	schema_set_defaults(s, obj);
	assert_json(obj, "{'spec':{'size':1,'color':'red','nested':{'x':7},"
	                 "'list':[{'name':'a','v':'d'}]}}");
	json_decref(obj);
	obj = json("{}");
	schema_set_defaults(s, obj);
	assert_json(obj, "{}");
	json_decref(obj);
	schema_destroy(s);
}

static void violations_are_told_as_kubernetes_does(void **state)
{
	(void)state;
	static const struct {
		const char *spec;
		const char *reason;
		const char *field;
		const char *message;
	} rows[] = {
		{"{}", "FieldValueRequired", "spec.size", "Required value"},
		{"{'size':'x'}", "FieldValueTypeInvalid", "spec.size",
	         "Invalid value: 'string': spec.size in body must be of type integer: 'string'"},
		{"{'size':0}", "FieldValueInvalid", "spec.size",
	         "Invalid value: 0: spec.size in body should be greater than or equal to 1"},
		{"{'size':11}", "FieldValueInvalid", "spec.size",
	         "Invalid value: 11: spec.size in body should be less than or equal to 10"},
		{"{'size':1,'color':'green'}", "FieldValueNotSupported", "spec.color",
	         "Unsupported value: 'green': supported values: 'red', 'blue'"},
		{"{'size':1,'name':'AB'}", "FieldValueInvalid", "spec.name",
	         "Invalid value: 'AB': spec.name in body should match '^[a-z]+$'"},
		{"{'size':1,'name':'abcdef'}", "FieldValueTooLong", "spec.name",
	         "Too long: may not be more than 5 bytes"},
		{"{'size':1,'name':'a'}", "FieldValueInvalid", "spec.name",
	         "Invalid value: 'a': spec.name in body should be at least 2 chars long"},
		{"{'size':1,'port':true}", "FieldValueTypeInvalid", "spec.port",
	         "Invalid value: 'boolean': spec.port in body must be of type integer,string: "
	         "'boolean'"},
		{"{'size':1,'when':'now'}", "FieldValueInvalid", "spec.when",
	         "Invalid value: 'now': spec.when in body must be of type date-time: 'now'"},
		{"{'size':1,'ratio':0.7}", "FieldValueInvalid", "spec.ratio",
	         "Invalid value: 0.69999999999999996: spec.ratio in body should be a multiple of "
	         "0.5"},
		{"{'size':1,'ratio':0}", "FieldValueInvalid", "spec.ratio",
	         "Invalid value: 0: spec.ratio in body should be greater than 0"},
		{"{'size':1,'labels':{'a.b':1}}", "FieldValueTypeInvalid", "spec.labels[a.b]",
	         "Invalid value: 'integer': spec.labels[a.b] in body must be of type string: "
	         "'integer'"},
		{"{'size':1,'list':[{'name':'a'},{'name':'a','v':'2'}]}", "FieldValueDuplicate",
	         "spec.list[1]", "Duplicate value: {'name':'a'}"},
		{"{'size':1,'list':[{},{'name':'b'},{'name':'c'}]}", "FieldValueTooMany",
	         "spec.list", "Too many: 3: must have at most 2 items"},
		{"{'size':1,'either':{'a':'1','b':'1'}}", "FieldValueInvalid", "spec.either",
	         "Invalid value: '': 'spec.either' must validate one and only one schema (oneOf)"},
		{"{'size':null}", "FieldValueTypeInvalid", "spec.size",
	         "Invalid value: 'null': spec.size in body must be of type integer: 'null'"},
	};
	struct schema *s = schema(widget);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *obj = json_object();
		json_t *causes = json_array();
		json_object_set_new(obj, "spec", json(rows[i].spec));
		assert_false(schema_check(s, obj, causes));
		assert_int_equal(json_array_size(causes), 1);
		char *message = strdup(rows[i].message);
		/* a pattern's own quotes stay */
		for (char *c = message; *c != '\0' && strstr(c, "match '") == NULL; c++)
			*c = *c == '\'' ? '"' : *c;
		if (strstr(message, "match '") != NULL) {
			for (char *c = message; c < strstr(message, "match '"); c++)
				*c = *c == '\'' ? '"' : *c;
		}
		json_t *cause = json_array_get(causes, 0);
		assert_string_equal(json_str_at(cause, "message", ""), message);
		assert_string_equal(json_str_at(cause, "reason", ""), rows[i].reason);
		assert_string_equal(json_str_at(cause, "field", ""), rows[i].field);
		free(message);
		json_decref(causes);
		json_decref(obj);
	}
	schema_destroy(s);
}

static void valid_objects_pass(void **state)
{
	(void)state;
	struct schema *s = schema(widget);
	static const char *const specs[] = {
		"{'size':1}",
		"{'size':1.0,'port':80,'maybe':null}",
		"{'size':10,'port':'http','either':{'a':'x'},'when':'2026-11-24T10:00:00.5Z'}",
		"{'size':2,'ratio':1.5,'list':[{'name':'a'},{'name':'b'}]}",
	};
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		json_t *obj = json_object();
		json_t *causes = json_array();
		json_object_set_new(obj, "spec", json(specs[i]));
		if (!schema_check(s, obj, causes))
			fail_msg("%s: %s", specs[i], json_dumps(causes, 0));
		json_decref(causes);
		json_decref(obj);
	}
	schema_destroy(s);
}

static void a_costly_pattern_ends(void **state)
{
	(void)state;
	struct schema *s = schema("{'type':'string','pattern':'^(a+)+$'}");
	json_t *obj =
		json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
	json_t *causes = json_array();
	assert_false(schema_check(s, obj, causes));
	assert_non_null(strstr(json_str_at(json_array_get(causes, 0), "message", ""), "costly"));
	json_decref(causes);
	json_decref(obj);
	schema_destroy(s);
}

static void a_long_value_is_cut_between_characters(void **state)
{
	(void)state;
	struct schema *s = schema("{'type':'string','pattern':'^x'}");
	for (size_t shift = 0; shift < 4; shift++) {
		char text[2048] = "";
		memset(text, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa4", 2);
		json_t *obj = json_string(text);
		json_t *causes = json_array();
		assert_false(schema_check(s, obj, causes));
		assert_int_equal(json_array_size(causes), 1);
		json_decref(causes);
		json_decref(obj);
	}
	schema_destroy(s);
}

static void bad_schemas_are_refused_with_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		const char *message;
	} rows[] = {
		{"{'properties':{'a':{'type':'int'}}}",
	         "openAPIV3Schema.a.type: must be one of object, array, string, integer, number, "
	         "boolean"},
		{"{'pattern':'('}", "openAPIV3Schema.pattern: missing closing parenthesis"},
		{"{'minLength':-1}", "openAPIV3Schema.minLength: must be an integer, 0 or more"},
		{"{'items':7}", "openAPIV3Schema.items.: must be an object"},
		{"{'type':'array','x-kubernetes-list-type':'map'}",
	         "openAPIV3Schema.x-kubernetes-list-map-keys: is needed for list type map"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err;
		json_t *source = json(rows[i].schema);
		assert_null(schema_create(source, &err));
		assert_string_equal(err.msg, rows[i].message);
		json_decref(source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_fields_are_pruned_and_told),
		cmocka_unit_test(defaults_apply_where_the_parent_is),
		cmocka_unit_test(violations_are_told_as_kubernetes_does),
		cmocka_unit_test(valid_objects_pass),
		cmocka_unit_test(a_costly_pattern_ends),
		cmocka_unit_test(a_long_value_is_cut_between_characters),
		cmocka_unit_test(bad_schemas_are_refused_with_the_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
