/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/macros.h"
#include "kube/meta.h"

static json_t *parse(const char *text)
{
	struct err err;
	json_t *obj = json_parse(str_from(text), &err);

	assert_non_null(obj);
	return obj;
}

static void paths_follow_the_resource(void **state)
{
	static const struct {
		struct kube_ref ref;
		const char *path; /* NULL: refused */
	} rows[] = {
		{{&KUBE_PODS, NULL, NULL, NULL}, "/api/v1/pods"},
		{{&KUBE_PODS, "shop", NULL, NULL}, "/api/v1/namespaces/shop/pods"},
		{{&KUBE_NODES, NULL, "n1", "status"}, "/api/v1/nodes/n1/status"},
		{{&KUBE_ENDPOINT_SLICES, "shop", "web-x", NULL},
	         "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-x"},
		{{&KUBE_SERVICE_ACCOUNTS, "shop", "web", "token"},
	         "/api/v1/namespaces/shop/serviceaccounts/web/token"},
		{{&KUBE_CLUSTER_ROLES, NULL, "system:node", NULL},
	         "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"},
		{{&KUBE_PODS, NULL, "web", NULL}, NULL},
		{{&KUBE_NODES, "shop", "n1", NULL}, NULL},
		{{&KUBE_PODS, "shop", "", NULL}, NULL},
		{{&KUBE_PODS, "shop", "..", NULL}, NULL},
		{{&KUBE_PODS, "..", "web", NULL}, NULL},
		{{&KUBE_PODS, "shop", "a/b", NULL}, NULL},
		{{&KUBE_PODS, "shop", "a?b", NULL}, NULL},
		{{&KUBE_PODS, "shop", "a%2fb", NULL}, NULL},
		{{&KUBE_PODS, "shop", NULL, "status"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf CLEANUP(buf_fini) path;
		struct err err;

		buf_init(&path, KUBE_PATH_MAX);
		bool ok = kube_path_format(&rows[i].ref, &path, &err);

		assert_int_equal(ok, rows[i].path != NULL);
		if (ok)
			assert_string_equal(buf_text(&path), rows[i].path);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void keys_name_an_object_and_split_again(void **state)
{
	static const struct {
		const char *obj;
		const char *key;
	} rows[] = {
		{"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"}}", "n/a"},
		{"{\"metadata\":{\"name\":\"a\"}}", "a"},
		{"{\"metadata\":{\"namespace\":\"n\"}}", NULL},
		{"{}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *obj CLEANUP(json_cleanup) = parse(rows[i].obj);
		char key[KUBE_KEY_MAX];
		struct str ns;
		struct str name;

		assert_int_equal(kube_key_format(obj, key), rows[i].key != NULL);
		if (rows[i].key == NULL)
			continue;
		assert_string_equal(key, rows[i].key);
		kube_key_split(str_from(key), &ns, &name);
		assert_true(str_is(ns, kube_namespace(obj)));
		assert_true(str_is(name, kube_name(obj)));
	}
}

static void names_that_are_too_long_have_no_key(void **state)
{
	char name[KUBE_NAME_MAX + 2];
	char key[KUBE_KEY_MAX];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(kube_key_make(str_make(name, 63), str_make(name, KUBE_NAME_MAX), key));
	assert_int_equal(strlen(key), KUBE_KEY_MAX - 1);
	assert_false(kube_key_make(str_make(name, 64), str_make(name, 1), key));
	assert_false(kube_key_make(STR_LIT(""), str_make(name, KUBE_NAME_MAX + 1), key));
}

static void resource_versions_compare_as_numbers(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		int order;
	} rows[] = {
		{"9", "10", -1}, {"10", "10", 0},
		{"010", "9", 1}, {"18446744073709551616", "18446744073709551615", 1},
		{"", "1", -1},   {"x", "0", -1},
		{"x", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		int order = kube_rv_cmp(str_from(rows[i].a), str_from(rows[i].b));

		assert_int_equal((order > 0) - (order < 0), rows[i].order);
	}
}

static void labels_with_dots_are_found_and_set(void **state)
{
	json_t *obj CLEANUP(json_cleanup) =
		parse("{\"metadata\":{\"labels\":{\"topology.istio.io/network\":\"n1\",\"x\":3}}}");

	(void)state;
	assert_string_equal(kube_label_find(obj, "topology.istio.io/network"), "n1");
	assert_null(kube_label_find(obj, "x"));
	assert_null(kube_annotation_find(obj, "a.b/c"));
	kube_annotation_set(obj, "a.b/c", "v");
	assert_string_equal(kube_annotation_find(obj, "a.b/c"), "v");
}

static void finalizers_are_added_once_and_removed(void **state)
{
	json_t *obj CLEANUP(json_cleanup) = parse("{}");

	(void)state;
	assert_false(kube_finalizer_has(obj, "f"));
	assert_true(kube_finalizer_add(obj, "f"));
	assert_false(kube_finalizer_add(obj, "f"));
	assert_true(kube_finalizer_add(obj, "g"));
	assert_true(kube_finalizer_remove(obj, "f"));
	assert_false(kube_finalizer_remove(obj, "f"));
	assert_true(kube_finalizer_has(obj, "g"));
}

static void a_condition_keeps_its_time_until_its_status_changes(void **state)
{
	json_t *conditions CLEANUP(json_cleanup) = json_array();
	struct kube_condition ready = {.type = "Ready", .status = "True", .reason = "Ok"};

	(void)state;
	assert_true(kube_condition_set(conditions, &ready, 0));
	assert_false(kube_condition_set(conditions, &ready, 60));
	ready.reason = "StillOk";
	ready.observed_generation = 2;
	assert_true(kube_condition_set(conditions, &ready, 120));
	assert_string_equal(json_str_at(json_array_get(conditions, 0), "lastTransitionTime", ""),
	                    "1970-01-01T00:00:00Z");
	ready.status = "False";
	assert_true(kube_condition_set(conditions, &ready, 120));
	assert_int_equal(json_array_size(conditions), 1);
	json_t *obj CLEANUP(json_cleanup) =
		json_pack("{s:{s:O}}", "status", "conditions", conditions);

	assert_false(kube_condition_is_true(obj, "Ready"));
	assert_string_equal(
		json_str_at(kube_condition_find(obj, "Ready"), "lastTransitionTime", ""),
		"1970-01-01T00:02:00Z");
	assert_true(kube_condition_remove(conditions, "Ready"));
	assert_false(kube_condition_remove(conditions, "Ready"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_follow_the_resource),
		cmocka_unit_test(keys_name_an_object_and_split_again),
		cmocka_unit_test(names_that_are_too_long_have_no_key),
		cmocka_unit_test(resource_versions_compare_as_numbers),
		cmocka_unit_test(labels_with_dots_are_found_and_set),
		cmocka_unit_test(finalizers_are_added_once_and_removed),
		cmocka_unit_test(a_condition_keeps_its_time_until_its_status_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
