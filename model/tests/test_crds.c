/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/yaml.h"
#include "model/causes.h"
#include "model/crds.h"
#include "model/mesh.h"
#include "tests/check.h"

static void every_crd_is_whole(void **state)
{
	size_t n;
	const struct crd *crds = crd_all(&n);

	(void)state;
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		struct err err;
		json_t *obj = yaml_parse(crds[i].text, crds[i].kind, &err);

		assert_non_null(obj);
		assert_int_equal(strlen(crds[i].text.ptr), crds[i].text.len);
		assert_string_equal(json_str_at(obj, "metadata.name", ""), crds[i].name);
		assert_string_equal(json_str_at(obj, "spec.names.kind", ""), crds[i].kind);
		const json_t *versions = json_at(obj, "spec.versions");

		for (size_t k = 0; k < json_array_size(versions); k++) {
			const json_t *v = json_array_get(versions, k);

			assert_non_null(json_at(v, "schema.openAPIV3Schema.properties"));
			assert_non_null(json_at(v, "subresources.status"));
		}
		assert_int_equal(json_array_size(versions), crds[i].ours ? 1 : 3);
		json_decref(obj);
	}
	assert_ptr_equal(crd_find("meshes.fedway.io"), &crds[3]);
	assert_null(crd_find("pods"));
}

static void every_cause_is_whole_and_in_order(void **state)
{
	size_t n;
	const struct cause *causes = cause_all(&n);

	(void)state;
	assert_true(n > 40);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(strncmp(causes[i].code, "FED-", 4), 0);
		assert_true(i == 0 || strcmp(causes[i - 1].code, causes[i].code) < 0);
		assert_true(strcmp(causes[i].severity, "error") == 0 ||
		            strcmp(causes[i].severity, "warning") == 0 ||
		            strcmp(causes[i].severity, "info") == 0);
		assert_true(strlen(causes[i].title) > 0 && strlen(causes[i].title_zh) > 0);
		assert_true(strlen(causes[i].cause) > 0);
	}
	assert_string_equal(cause_find("FED-111")->title, "connection times out on 15443");
	assert_null(cause_find("FED-999"));
}

static void every_code_in_use_is_in_the_catalogue(void **state)
{
	(void)state;
#define X(code, fed, text)                                                                         \
	if ((fed)[0] != '\0')                                                                      \
		assert_non_null(cause_find(fed));
	MESH_LEFT_OUT(X)
#undef X
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_crd_is_whole),
		cmocka_unit_test(every_cause_is_whole_and_in_order),
		cmocka_unit_test(every_code_in_use_is_in_the_catalogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
