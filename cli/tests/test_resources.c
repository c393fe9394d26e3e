/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "resources.h"

#include <stdio.h>

static void a_type_is_known_by_each_of_its_names(void **state)
{
	static const struct {
		const char *word;
		const char *plural; /* NULL: unknown */
	} rows[] = {
		{"clusters", "clusters"},
		{"Cluster", "clusters"},
		{"cl", "clusters"},
		{"clusters.fedway.io", "clusters"},
		{"meshservices.fedway.io", "meshservices"},
		{"destinationrules.networking.istio.io", "destinationrules"},
		{"pods", "pods"},
		{"clusters.example.com", NULL},
		{"clusters.", NULL},
		{"pods.", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const struct kube_resource *found = resources_find(rows[i].word);
		if (rows[i].plural == NULL)
			assert_null(found);
		else
			assert_string_equal(found->plural, rows[i].plural);
	}
}

static const char lists_text[] =
	"[{group: '', version: v1, resources: ["
	"{name: pods, singularName: pod, kind: Pod, namespaced: true, shortNames: [po], "
	"categories: [all], verbs: [list]}, "
	"{name: pods/log, kind: Pod, verbs: [get]}, {name: bindings, kind: Binding, verbs: "
	"[create]}]}, "
	"{group: fedway.io, version: v1alpha1, resources: ["
	"{name: clusters, singularName: cluster, kind: Cluster, shortNames: [cl, fcl], "
	"categories: [mesh], verbs: [get, list]}, "
	"{name: meshes, kind: Mesh, categories: [mesh], verbs: [list]}]}, "
	"{group: example.com, version: v2, resources: ["
	"{name: clusters, kind: Cluster, namespaced: true, verbs: [list]}]}]";

static void a_server_names_its_types_itself(void **state)
{
	static const struct {
		const char *word;
		bool types_first;
		size_t n;
		const char *first; /* "PLURAL.GROUP/VERSION" of the first that is found */
	} rows[] = {
		{"pods", false, 1, "pods./v1"},
		{"Pod", false, 1, "pods./v1"},
		{"po", false, 1, "pods./v1"},
		{"all", false, 1, "pods./v1"},
		{"cluster", false, 1, "clusters.fedway.io/v1alpha1"},
		{"clusters.example.com", false, 1, "clusters.example.com/v2"},
		{"fcl", false, 1, "clusters.fedway.io/v1alpha1"},
		{"mesh", false, 2, "clusters.fedway.io/v1alpha1"},
		{"mesh", true, 1, "meshes.fedway.io/v1alpha1"},
		{"pods/log", false, 0, ""},
		{"bindings", false, 0, ""},
		{"", false, 0, ""},
		{"frobs", false, 0, ""},
	};

	(void)state;
	json_t *lists = objects_one(lists_text);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct kube_resource found[RESOURCES_MATCH_MAX];
		char text[128] = "";
		size_t n = resources_match(lists, rows[i].word, rows[i].types_first, found);
		if (n > 0)
			snprintf(text, sizeof(text), "%s.%s/%s", found[0].plural, found[0].group,
			         found[0].version);
		assert_string_equal(text, rows[i].first);
		assert_int_equal(n, rows[i].n);
	}
	json_decref(lists);
}

static void a_category_names_all_its_types(void **state)
{
	struct kube_resource found[RESOURCES_MATCH_MAX];
	(void)state;
	json_t *lists = objects_one("[{group: a, version: v1, resources: ["
	                            "{name: x, kind: X, categories: [ours], verbs: [list]}]}, "
	                            "{group: b, version: v1, resources: ["
	                            "{name: y, kind: Y, categories: [ours], verbs: [list]}]}]");
	assert_int_equal(resources_match(lists, "ours", false, found), 2);
	assert_string_equal(found[0].plural, "x");
	assert_string_equal(found[1].plural, "y");
	json_decref(lists);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_is_known_by_each_of_its_names),
		cmocka_unit_test(a_server_names_its_types_itself),
		cmocka_unit_test(a_category_names_all_its_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
