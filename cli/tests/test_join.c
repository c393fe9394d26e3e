/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"
#include "objects.h"

#include <string.h>

static void the_worst_check_is_the_verdict(void **state)
{
	(void)state;
	static const struct {
		const char *states[3];
		const char *verdict;
	} rows[] = {
		{{NULL}, "Passed"},
		{{"Passed", "Skipped"}, "Passed"},
		{{"Warning", "Passed"}, "Warning"},
		{{"Failed", "Warning", "Passed"}, "Failed"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *preflight = join_preflight("c1");
		for (size_t k = 0; k < 3 && rows[i].states[k] != NULL; k++)
			join_add_check(preflight, &(struct join_check){"id", rows[i].states[k], "",
			                                               "message", ""});
		assert_string_equal(json_str_at(preflight, "verdict", ""), rows[i].verdict);
		assert_int_equal(join_has_failed(preflight),
		                 strcmp(rows[i].verdict, "Failed") == 0);
		json_decref(preflight);
	}
}

static void a_preflight_reads_as_one_line_a_check(void **state)
{
	(void)state;
	struct buf out;
	json_t *preflight = join_preflight("c1");
	buf_init(&out, CLI_TEXT_MAX);
	join_add_check(preflight,
	               &(struct join_check){"reach-api", "Passed", "", "answers", "8 ms"});
	join_add_check(preflight,
	               &(struct join_check){"localities", "Warning", "FED-211", "1 of 2", ""});
	join_format_preflight(preflight, (struct look){.ascii = true}, &out);
	assert_string_equal(buf_text(&out), "Preflight  c1\n"
	                                    "  OK    answers (8 ms)\n"
	                                    "  WARN  FED-211  1 of 2\n");
	const json_t *check = json_array_get(json_object_get(preflight, "checks"), 1);
	assert_string_not_equal(json_str_at(check, "remedy", ""), "");
	json_decref(preflight);
	buf_fini(&out);
}

static void the_same_real_cluster_is_found_under_another_name(void **state)
{
	(void)state;
	json_t *clusters = objects_list("{metadata: {name: a}, status: {uid: u1}}\n---\n"
	                                "{metadata: {name: b}, status: {uid: u2}}");
	assert_string_equal(join_find_clash(clusters, "c", "u2"), "b");
	assert_null(join_find_clash(clusters, "b", "u2"));
	assert_null(join_find_clash(clusters, "c", "u3"));
	json_decref(clusters);
}

static void objects_carry_labels_and_only_what_was_said(void **state)
{
	(void)state;
	struct join_wish wish = {.cluster = "c1",
	                         .group = "g",
	                         .region = "r",
	                         .zone = "",
	                         .subzone = "",
	                         .kubeconfig = "text"};
	json_t *secret = join_secret(&wish);
	json_t *cluster = join_cluster(&wish);
	json_t *group = join_group(&wish);
	assert_string_equal(kube_label_find(secret, "fedway.io/cluster"), "c1");
	assert_string_equal(json_str_at(secret, "stringData.kubeconfig", ""), "text");
	assert_string_equal(json_str_at(cluster, "spec.locality.region", ""), "r");
	assert_null(json_at(cluster, "spec.locality.zone"));
	assert_null(json_at(cluster, "spec.paused"));
	assert_null(json_at(group, "spec"));
	json_decref(secret);
	json_decref(cluster);
	json_decref(group);
}

static void what_joining_waits_for_is_the_first_thing_that_is_not_so(void **state)
{
	(void)state;
	static const struct {
		const char *status;
		const char *waits;
	} rows[] = {
		{"{}", ""},
		{"{conditions: [{type: Reachable, status: 'True', message: yes}, {type: Ready, "
	         "status: 'False', message: see others}, {type: Synced, status: 'False', message: "
	         "lists}]}",
	         "lists"},
		{"{blocking: [{message: twin}], conditions: [{type: Synced, status: 'False', "
	         "message: lists}]}",
	         "twin"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *cluster = json_pack("{so}", "status", objects_one(rows[i].status));
		assert_string_equal(join_waits_for(cluster), rows[i].waits);
		json_decref(cluster);
	}
}

static void every_right_is_asked_for_as_a_review(void **state)
{
	(void)state;
	for (size_t i = 0; i < join_n_rights; i++) {
		json_t *review = join_review(&join_rights[i]);
		assert_string_equal(json_str_at(review, "spec.resourceAttributes.verb", ""),
		                    join_rights[i].verb);
		assert_int_equal(json_at(review, "spec.resourceAttributes.namespace") != NULL,
		                 join_rights[i].namespace_[0] != '\0');
		json_decref(review);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_check_is_the_verdict),
		cmocka_unit_test(a_preflight_reads_as_one_line_a_check),
		cmocka_unit_test(the_same_real_cluster_is_found_under_another_name),
		cmocka_unit_test(objects_carry_labels_and_only_what_was_said),
		cmocka_unit_test(what_joining_waits_for_is_the_first_thing_that_is_not_so),
		cmocka_unit_test(every_right_is_asked_for_as_a_review),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
