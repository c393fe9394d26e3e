/* SPDX-License-Identifier: Apache-2.0 */
#include "offline.h"
#include "unit.h"
#include "why.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include "model/explain.h"

static json_t *explain(struct mesh *mesh, const char *from)
{
	struct err err = {0};
	struct explain_request request;
	const struct mesh_cluster *cluster = mesh_find_cluster(mesh, from);
	assert_non_null(cluster);
	struct view_key key = {cluster->network, from, cluster->locality, VIEW_GATEWAY};
	struct view *view = view_create(mesh, &key);
	assert_true(explain_parse_service(STR_LIT("sample/helloworld:5000"), &request, &err));
	json_t *answer = explain_route(view, &request, "1", "2026-01-01T00:00:00Z", &err);
	assert_non_null(answer);
	view_unref(view);
	return answer;
}

static void explains_a_folder_of_manifests_as_the_golden_files_say(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		bool ascii;
		bool reachable;
	} rows[] = {{"c1", false, true}, {"c2", true, true}, {"c3", false, true}};
	struct err err = {0};
	struct offline *offline = offline_create();
	assert_true(offline_load(offline, TEST_DATA_DIR "/why/dir", &err));
	struct mesh *mesh = offline_mesh(offline, &err);
	assert_non_null(mesh);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf got;
		struct buf want;
		struct look look = {.ascii = rows[i].ascii};
		char *path = xasprintf(TEST_DATA_DIR "/why/%s.txt", rows[i].from);
		json_t *answer = explain(mesh, rows[i].from);
		buf_init(&got, CLI_TEXT_MAX);
		buf_init(&want, CLI_TEXT_MAX);
		assert_true(file_load(path, &want, &err));
		why_format(answer, look, &got);
		assert_string_equal(buf_text(&got), buf_text(&want));
		assert_row(rows[i].from, why_has_destination(answer) == rows[i].reachable);
		json_decref(answer);
		buf_fini(&got);
		buf_fini(&want);
		free(path);
	}
	mesh_unref(mesh);
	offline_destroy(offline);
}

/* Adds each document to cluster ("" hosted); the error, or "" when all is well. */
static const char *add(const char *cluster, const char *text, struct err *err)
{
	struct offline *offline = offline_create();
	json_t *docs = yaml_parse_all(str_from(text), "test", err);
	struct mesh *mesh = NULL;
	bool ok = docs != NULL;
	err->msg[0] = '\0';
	for (size_t i = 0; ok && i < json_array_size(docs); i++)
		ok = offline_add(offline, cluster[0] != '\0' ? cluster : NULL,
		                 json_array_get(docs, i), err);
	if (ok)
		mesh = offline_mesh(offline, err);
	mesh_unref(mesh);
	json_decref(docs);
	offline_destroy(offline);
	return err->msg;
}

static void tells_what_is_wrong_with_manifests(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		const char *text;
		const char *wrong; /* part of the message; "" none */
	} rows[] = {
		{"", "kind: Secret\nmetadata: {name: x}", ""},
		{"", "metadata: {name: x}", "without kind"},
		{"", "{apiVersion: fedway.io/v1alpha1, kind: NetworkGroup, metadata: {name: n}}",
	         ""},
		{"",
	         "{apiVersion: fedway.io/v1alpha1, kind: NetworkGroup, metadata: {name: n}}\n---\n"
	         "{apiVersion: fedway.io/v1alpha1, kind: NetworkGroup, metadata: {name: n}}",
	         "'n' is there twice"},
		{"c9", "{apiVersion: v1, kind: ConfigMap, metadata: {name: n}}", "no Cluster 'c9'"},
		{"",
	         "{kind: List, items: [{kind: List, items: [{kind: List, items: [{kind: List, "
	         "items: [{kind: List, items: []}]}]}]}]}",
	         "more than 4 deep"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		const char *msg = add(rows[i].cluster, rows[i].text, &err);
		assert_row(rows[i].text, strstr(msg, rows[i].wrong) != NULL);
		assert_row(rows[i].text, rows[i].wrong[0] != '\0' || msg[0] == '\0');
	}
}

static void an_empty_folder_says_where_files_belong(void **state)
{
	(void)state;
	struct err err;
	struct offline *offline = offline_create();
	assert_false(offline_load(offline, TEST_DATA_DIR "/nowhere", &err));
	assert_non_null(strstr(err.msg, "cannot read folder"));
	char dir[] = "/tmp/fedway-why-XXXXXX";
	assert_non_null(mkdtemp(dir));
	assert_false(offline_load(offline, dir, &err));
	assert_non_null(strstr(err.msg, "hosted objects belong at its top"));
	rmdir(dir);
	offline_destroy(offline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explains_a_folder_of_manifests_as_the_golden_files_say),
		cmocka_unit_test(tells_what_is_wrong_with_manifests),
		cmocka_unit_test(an_empty_folder_says_where_files_belong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
