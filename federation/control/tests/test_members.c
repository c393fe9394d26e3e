/* SPDX-License-Identifier: Apache-2.0 */
#include "control_priv.h"
#include "member_objects.h"
#include "objects.h"
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/meta.h"

static struct member *put_cluster(struct world *world, const char *name, int day, const char *more)
{
	char *text = xasprintf(
		"{\"kind\": \"Cluster\", \"metadata\": {\"name\": \"%s\", \"creationTimestamp\": "
		"\"2026-11-2%dT00:00:00Z\"%s}, \"spec\": {\"kubeconfigSecretRef\": {\"namespace\": "
		"\"f\", \"name\": \"x\"}}, \"status\": {\"uid\": \"u-1\"}}",
		name, day, more);
	put(world, text);
	free(text);
	return world_member(world, name);
}

static void learn(struct member *member, const char *uid)
{
	free(member->uid);
	member->uid = xstrdup(uid);
}

static void the_older_of_two_clusters_with_one_uid_wins(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	put_cluster(&world, "z", 1, "");
	struct member *a = put_cluster(&world, "a", 2, "");
	assert_null(world_older_twin(&world, "z"));
	assert_string_equal(world_older_twin(&world, "a"), "z");
	/* what has been seen counts more than the status of before */
	learn(a, "u-2");
	assert_null(world_older_twin(&world, "a"));
	learn(a, "u-1");
	put_cluster(&world, "z", 1, ", \"deletionTimestamp\": \"2026-11-25T00:00:00Z\"");
	assert_null(world_older_twin(&world, "a"));
	/* of one instant: the name decides */
	put_cluster(&world, "z", 2, "");
	assert_string_equal(world_older_twin(&world, "z"), "a");
	assert_null(world_older_twin(&world, "a"));
	world_fini(&world);
}

static void a_cluster_yields_to_an_older_one_whose_label_it_found(void **state)
{
	struct world world;
	(void)state;
	world_init(&world);
	struct member *old_one = put_cluster(&world, "old", 1, "");
	struct member *new_one = put_cluster(&world, "new", 2, "");
	free(old_one->spec.cluster_uid);
	old_one->spec.cluster_uid = xstrdup("");
	new_one->found_twin = xstrdup("old");
	assert_string_equal(world_older_twin(&world, "new"), "old");
	assert_null(world_older_twin(&world, "old"));
	/* it has become another real cluster, and its objects stayed behind */
	learn(old_one, "u-7");
	assert_null(world_older_twin(&world, "new"));
	world_remove_member(&world, "old");
	assert_null(world_older_twin(&world, "new"));
	world_fini(&world);
}

/* --- what is made in a member -------------------------------------------------------------------
 */

/* Two Clusters for one real cluster; `found` is what is there for self once all is made. */
struct survey_case {
	struct world world;
	struct member *self;
	json_t *wanted;
	json_t *found;
};

static void survey_case_init(struct survey_case *c, const char *self)
{
	world_init(&c->world);
	put_cluster(&c->world, "old", 1, "");
	put_cluster(&c->world, "new", 2, "");
	put(&c->world, "{\"kind\": \"EastWestGateway\", \"metadata\": {\"name\": \"gw\"}, "
	               "\"spec\": {\"cluster\": \"new\"}}");
	c->self = world_member(&c->world, self);
	c->wanted = member_objects_wanted(&c->world, c->self, STR_LIT("PEM"), "192.0.2.1:15012");
	c->found = json_deep_copy(c->wanted);
}

static void survey_case_fini(struct survey_case *c)
{
	json_decref(c->wanted);
	json_decref(c->found);
	world_fini(&c->world);
}

static struct member_survey look(struct survey_case *c)
{
	return member_objects_compare(&c->world, c->self, c->wanted, c->found);
}

static void survey_fini(struct member_survey *survey)
{
	json_decref(survey->todo);
	json_decref(survey->surplus);
}

static void what_is_as_wanted_in_a_member_is_left_alone(void **state)
{
	struct survey_case c;
	(void)state;
	survey_case_init(&c, "new");
	/* namespace, trust bundle, the probe's account and Service, the gateway's account */
	assert_int_equal(json_array_size(c.wanted), 5);
	struct member_survey survey = look(&c);
	assert_int_equal(json_array_size(survey.todo), 0);
	assert_int_equal(json_array_size(survey.surplus), 0);
	assert_null(survey.older);
	assert_false(survey.younger);
	survey_fini(&survey);
	survey_case_fini(&c);
}

static void what_was_changed_or_deleted_in_a_member_is_made_again(void **state)
{
	struct survey_case c;
	(void)state;
	survey_case_init(&c, "new");
	json_object_set_new(json_at(json_array_get(c.found, 1), "data"), "roots.pem",
	                    json_string("somebody else's"));
	json_array_remove(c.found, 3);
	struct member_survey survey = look(&c);
	assert_int_equal(json_array_size(survey.todo), 2);
	assert_string_equal(kube_name(json_array_get(survey.todo, 0)), "fedway-trust");
	assert_string_equal(json_str_at(json_array_get(survey.todo, 1), "kind", ""), "Service");
	survey_fini(&survey);
	survey_case_fini(&c);
}

static void the_account_of_a_gateway_that_is_gone_is_surplus(void **state)
{
	struct survey_case c;
	(void)state;
	survey_case_init(&c, "new");
	world_remove_gateway(&c.world, "gw");
	json_decref(c.wanted);
	c.wanted = member_objects_wanted(&c.world, c.self, STR_LIT("PEM"), "192.0.2.1:15012");
	struct member_survey survey = look(&c);
	assert_int_equal(json_array_size(survey.surplus), 1);
	assert_string_equal(kube_name(json_array_get(survey.surplus, 0)), "fedway-gateway-gw");
	survey_fini(&survey);
	survey_case_fini(&c);
}

static void the_label_of_an_older_cluster_is_yielded_to_and_a_younger_one_is_not(void **state)
{
	struct survey_case c;
	(void)state;
	survey_case_init(&c, "new");
	kube_label_set(json_array_get(c.found, 1), CONTROL_CLUSTER, "old");
	struct member_survey survey = look(&c);
	assert_string_equal(survey.older, "old");
	survey_fini(&survey);
	survey_case_fini(&c);

	survey_case_init(&c, "old");
	kube_label_set(json_array_get(c.found, 1), CONTROL_CLUSTER, "new");
	survey = look(&c);
	assert_null(survey.older);
	assert_true(survey.younger);
	assert_int_equal(json_array_size(survey.todo), 1);
	survey_fini(&survey);
	/* left behind by a Cluster that nobody knows any more */
	kube_label_set(json_array_get(c.found, 1), CONTROL_CLUSTER, "gone");
	survey = look(&c);
	assert_null(survey.older);
	assert_false(survey.younger);
	assert_int_equal(json_array_size(survey.todo), 1);
	survey_fini(&survey);
	survey_case_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_older_of_two_clusters_with_one_uid_wins),
		cmocka_unit_test(a_cluster_yields_to_an_older_one_whose_label_it_found),
		cmocka_unit_test(what_is_as_wanted_in_a_member_is_left_alone),
		cmocka_unit_test(what_was_changed_or_deleted_in_a_member_is_made_again),
		cmocka_unit_test(the_account_of_a_gateway_that_is_gone_is_surplus),
		cmocka_unit_test(
			the_label_of_an_older_cluster_is_yielded_to_and_a_younger_one_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
