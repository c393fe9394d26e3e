/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "model/plan.h"
#include "tests/check.h"

#define CLUSTER(name, group)   "---\n{metadata: {name: " name "}, spec: {networkGroup: " group "}}\n"
#define GATEWAY(name, cluster) "---\n{metadata: {name: " name "}, spec: {cluster: " cluster "}}\n"
#define SERVICE(name, parts)                                                                       \
	"---\n{metadata: {name: " name ", namespace: n}, status: {clusters: [" parts "]}}\n"
#define GROUP(name, interconnect)                                                                  \
	"---\n{metadata: {name: " name "}, spec: {interconnect: {" interconnect "}}}\n"
#define ON(cluster, group, ready)                                                                  \
	"{cluster: " cluster ", network: " group ", ready: " ready ", total: 3}"

/* a: two clusters and one gateway; b: one and one; d: no gateway; e: addresses in its place */
static const char clusters[] =
	CLUSTER("a1", "a") CLUSTER("a2", "a") CLUSTER("b1", "b") CLUSTER("d1", "d");
static const char groups[] = GROUP("a", "joined: true") GROUP("b", "joined: true")
	GROUP("d", "joined: false") GROUP("e", "addresses: [{address: 192.0.2.1}]");
static const char gateways[] = GATEWAY("gw-a", "a1") GATEWAY("gw-b", "b1");
static const char services[] = SERVICE("only-a1", ON("a1", "a", "1"))
	SERVICE("in-a", ON("a1", "a", "1") ", " ON("a2", "a", "2"))
		SERVICE("all", ON("a2", "a", "1") ", " ON("b1", "b", "1"))
			SERVICE("unready", ON("b1", "b", "0")) SERVICE("alone", ON("d1", "d", "1"));

struct world {
	json_t *lists[4];
	struct plan_input input;
};

static json_t *parse_list(const char *text)
{
	struct err err = {0};
	json_t *items = yaml_parse_all(str_from(text), "test", &err);
	if (items == NULL)
		fail_msg("%s", err.msg);
	return json_pack("{so}", "items", items);
}

static int setup(void **state)
{
	static struct world world;
	const char *const texts[] = {clusters, groups, gateways, services};
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		world.lists[i] = parse_list(texts[i]);
	world.input =
		(struct plan_input){world.lists[0], world.lists[1], world.lists[2], world.lists[3]};
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < N_ELEMS(world->lists); i++)
		json_decref(world->lists[i]);
	return 0;
}

/* Owned; NULL with err. */
static json_t *plan_of(const struct world *world, const char *spec_text, struct err *err)
{
	struct err parse_err = {0};
	json_t *spec = yaml_parse(str_from(spec_text), "spec", &parse_err);
	if (spec == NULL)
		fail_msg("%s", parse_err.msg);
	json_t *plan = plan_make(&world->input, spec, err);
	json_decref(spec);
	return plan;
}

/* "CODE object" of each loss, one blank between them. */
static const char *losses_of(const json_t *plan, char text[512])
{
	const json_t *losses = json_object_get(plan, "losses");
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(losses); i++) {
		const json_t *loss = json_array_get(losses, i);
		len += (size_t)snprintf(text + len, 512 - len, "%s%s %s", i > 0 ? " " : "",
		                        json_str_at(loss, "code", ""),
		                        json_str_at(loss, "object", ""));
	}
	return text;
}

static void what_is_lost_is_listed_until_it_is_accepted(void **state)
{
	static const struct {
		const char *spec;
		const char *losses;
	} rows[] = {
		{"{operation: Leave, object: Cluster/a1}", "FED-221 gateway/a FED-222 n/only-a1"},
		{"{operation: Leave, object: Cluster/a1, acceptLosses: [gateway/a]}",
	         "FED-222 n/only-a1"},
		{"{operation: Leave, object: Cluster/a1, acceptLosses: [n/only-a1, gateway/a, 7]}",
	         ""},
		{"{operation: Leave, object: Cluster/a2}", ""},
		{"{operation: Leave, object: Cluster/b1}", "FED-221 cluster/b"},
		{"{operation: Leave, object: Cluster/b1, acceptLosses: [cluster/b]}",
	         "FED-221 cluster/b"},
		{"{operation: Leave, object: Cluster/d1}", "FED-222 n/alone"},
		{"{operation: InterconnectLeave, object: NetworkGroup/a}",
	         "FED-222 n/only-a1 FED-222 n/in-a"},
		{"{operation: InterconnectJoin, object: NetworkGroup/a}", ""},
		{"{operation: InterconnectJoin, object: NetworkGroup/e}", ""},
		{"{operation: InterconnectJoin, object: NetworkGroup/d, acceptLosses: [gateway/d]}",
	         "FED-104 gateway/d"},
		{"{operation: InterconnectJoin, object: NetworkGroup/d, addresses: [192.0.2.1]}",
	         ""},
		{"{operation: Join, object: Cluster/new, networkGroup: a}", ""},
		{"{operation: Join, object: Cluster/a1, networkGroup: a}", ""},
		/* a member that is to be in another group from now on */
		{"{operation: Join, object: Cluster/b1, networkGroup: a}", "FED-221 cluster/b"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {0};
		char text[512];
		json_t *plan = plan_of(*state, rows[i].spec, &err);
		if (plan == NULL)
			fail_msg("%s: %s", rows[i].spec, err.msg);
		assert_string_equal(losses_of(plan, text), rows[i].losses);
		json_decref(plan);
	}
}

static void a_request_that_makes_no_sense_is_refused_with_the_field(void **state)
{
	static const struct {
		const char *spec;
		enum err_code code;
		const char *word;
	} rows[] = {
		{"{operation: Explode, object: Cluster/a1}", ERR_INVALID, "spec.operation"},
		{"{object: Cluster/a1}", ERR_INVALID, "spec.operation"},
		{"{operation: Leave, object: NetworkGroup/a}", ERR_INVALID, "spec.object"},
		{"{operation: Leave, object: Cluster}", ERR_INVALID, "spec.object"},
		{"{operation: Leave, object: Cluster/../a}", ERR_INVALID, "spec.object"},
		{"{operation: Leave}", ERR_INVALID, "spec.object"},
		{"{operation: Leave, object: Cluster/zz}", ERR_NOT_FOUND, "'zz'"},
		{"{operation: InterconnectLeave, object: NetworkGroup/zz}", ERR_NOT_FOUND, "'zz'"},
		{"{operation: Join, object: Cluster/new}", ERR_INVALID, "spec.networkGroup"},
		{"{operation: Leave, object: Cluster/a1, hash: beef}", ERR_CONFLICT, "'beef'"},
		{"[]", ERR_INVALID, "spec.operation"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {0};
		assert_null(plan_of(*state, rows[i].spec, &err));
		assert_int_equal(err.code, rows[i].code);
		assert_non_null(strstr(err.msg, rows[i].word));
	}
}

static void the_hash_is_that_of_the_world_not_of_what_was_accepted(void **state)
{
	struct world world = *(struct world *)*state;
	struct err err = {0};
	char spec[160];
	json_t *plan = plan_of(&world, "{operation: Leave, object: Cluster/a1}", &err);
	snprintf(spec, sizeof(spec),
	         "{operation: Leave, object: Cluster/a1, acceptLosses: [gateway/a], hash: '%s'}",
	         json_str_at(plan, "hash", ""));
	assert_int_equal(strlen(json_str_at(plan, "hash", "")), 32);
	json_decref(plan);
	plan = plan_of(&world, spec, &err);
	assert_non_null(plan);
	json_decref(plan);
	/* one service more is lost: the old hash is of another world */
	json_t *more = parse_list(SERVICE("late", ON("a1", "a", "1")));
	world.input.services = more;
	assert_null(plan_of(&world, spec, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	json_decref(more);
}

static void what_was_accepted_is_said_among_the_changes(void **state)
{
	struct err err = {0};
	json_t *plan = plan_of(
		*state, "{operation: Leave, object: Cluster/d1, acceptLosses: [n/alone]}", &err);
	const json_t *changes = json_object_get(plan, "changes");
	const json_t *last = json_array_get(changes, json_array_size(changes) - 1);
	assert_string_equal(json_str_at(last, "where", ""), "traffic");
	assert_non_null(strstr(json_str_at(last, "what", ""), "n/alone, as accepted"));
	assert_int_equal(plan_n_losses(plan), 0);
	json_decref(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lost_is_listed_until_it_is_accepted),
		cmocka_unit_test(a_request_that_makes_no_sense_is_refused_with_the_field),
		cmocka_unit_test(the_hash_is_that_of_the_world_not_of_what_was_accepted),
		cmocka_unit_test(what_was_accepted_is_said_among_the_changes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
