/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"
#include "objects.h"

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_carry_labels_and_only_what_was_said),
		cmocka_unit_test(what_joining_waits_for_is_the_first_thing_that_is_not_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
