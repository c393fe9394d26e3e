/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "kube/patch.h"

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

static void assert_json(const json_t *have, const char *want_text)
{
	json_t *want = json(want_text);
	if (!json_equal(have, want))
		fail_msg("have %s, want %s", json_dumps(have, JSON_ENCODE_ANY), want_text);
	json_decref(want);
}

struct row {
	const char *target;
	const char *patch;
	const char *result; /* NULL: refused */
};

static void merge_patches_follow_rfc_7386(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
		{"{'a':'b'}", "{'a':null}", "{}"},
		{"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
		{"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
		{"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
		{"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
		{"['a','b']", "['c','d']", "['c','d']"},
		{"{'a':'b'}", "['c']", "['c']"},
		{"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
		{"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
		{"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *target = json(rows[i].target);
		json_t *patch = json(rows[i].patch);
		json_t *result = patch_merge(target, patch);
		assert_json(result, rows[i].result);
		assert_json(target, rows[i].target);
		json_decref(target);
		json_decref(patch);
		json_decref(result);
	}
}

static void a_diff_makes_one_object_of_the_other(void **state)
{
	(void)state;
	json_t *a = json("{'a':1,'b':{'c':1,'d':2},'l':[1],'same':{'x':1}}");
	json_t *b = json("{'b':{'c':2},'l':[1,2],'new':{'y':1},'same':{'x':1}}");
	json_t *diff = patch_diff(a, b);
	assert_json(diff, "{'a':null,'b':{'d':null,'c':2},'l':[1,2],'new':{'y':1}}");
	json_t *result = patch_merge(a, diff);
	assert_true(json_equal(result, b));
	json_decref(a);
	json_decref(b);
	json_decref(diff);
	json_decref(result);
}

static const char service[] =
	"{'properties':{'metadata':{'properties':{'finalizers':{'type':'array',"
	"'x-kubernetes-patch-strategy':'merge'}}},'spec':{'properties':{'ports':{'type':'array',"
	"'x-kubernetes-patch-merge-key':'port','x-kubernetes-patch-strategy':'merge',"
	"'items':{'type':'object','properties':{'names':{'type':'array'}}}}}}}}";

static void strategic_patches_merge_lists_by_key(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* by key: changed, added */
		{"{'spec':{'ports':[{'port':80,'name':'a'},{'port':81}]}}",
	         "{'spec':{'ports':[{'port':80,'name':'b'},{'port':82}]}}",
	         "{'spec':{'ports':[{'port':80,'name':'b'},{'port':81},{'port':82}]}}"},
		/* deleted */
		{"{'spec':{'ports':[{'port':80},{'port':81}]}}",
	         "{'spec':{'ports':[{'$patch':'delete','port':80}]}}",
	         "{'spec':{'ports':[{'port':81}]}}"},
		/* replaced */
		{"{'spec':{'ports':[{'port':80},{'port':81}]}}",
	         "{'spec':{'ports':[{'$patch':'replace'},{'port':90}]}}",
	         "{'spec':{'ports':[{'port':90}]}}"},
		/* ordered */
		{"{'spec':{'ports':[{'port':80},{'port':81}]}}",
	         "{'spec':{'$setElementOrder/ports':[{'port':81},{'port':82},{'port':80}],"
	         "'ports':[{'port':82}]}}",
	         "{'spec':{'ports':[{'port':81},{'port':82},{'port':80}]}}"},
		/* sets */
		{"{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['b','c']}}",
	         "{'metadata':{'finalizers':['a','b','c']}}"},
		{"{'metadata':{'finalizers':['a','b']}}",
	         "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a']}}",
	         "{'metadata':{'finalizers':['b']}}"},
		/* atomic list inside an element, null, map directives */
		{"{'spec':{'ports':[{'port':80,'names':['x'],'q':1}]}}",
	         "{'spec':{'ports':[{'port':80,'names':['y'],'q':null}]}}",
	         "{'spec':{'ports':[{'port':80,'names':['y']}]}}"},
		{"{'data':{'a':'1','b':'2'}}", "{'data':{'$patch':'replace','c':'3'}}",
	         "{'data':{'c':'3'}}"},
		{"{'data':{'a':'1','b':'2'}}", "{'data':{'$retainKeys':['a','c'],'c':'3'}}",
	         "{'data':{'a':'1','c':'3'}}"},
		/* refused */
		{"{'spec':{'ports':[{'port':80}]}}", "{'spec':{'ports':[{'name':'x'}]}}", NULL},
		{"{'data':{}}", "{'data':{'$patch':'what'}}", NULL},
	};
	struct err err;
	json_t *source = json(service);
	struct schema *schema = schema_create(source, &err);
	assert_non_null(schema);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *target = json(rows[i].target);
		json_t *patch = json(rows[i].patch);
		json_t *result = patch_strategic(target, patch, schema, &err);
		if (rows[i].result == NULL)
			assert_null(result);
		else
			assert_json(result, rows[i].result);
		assert_json(target, rows[i].target);
		assert_json(patch, rows[i].patch);
		json_decref(target);
		json_decref(patch);
		json_decref(result);
	}
	schema_destroy(schema);
	json_decref(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merge_patches_follow_rfc_7386),
		cmocka_unit_test(a_diff_makes_one_object_of_the_other),
		cmocka_unit_test(strategic_patches_merge_lists_by_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
