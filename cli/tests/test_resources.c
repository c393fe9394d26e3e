/* SPDX-License-Identifier: Apache-2.0 */
#include "resources.h"
#include "unit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_is_known_by_each_of_its_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
