/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CLUSTER(name, group)   "---\n{metadata: {name: " name "}, spec: {networkGroup: " group "}}\n"
#define GATEWAY(name, cluster) "---\n{metadata: {name: " name "}, spec: {cluster: " cluster "}}\n"
#define SERVICE(name, parts)                                                                       \
	"---\n{metadata: {name: " name ", namespace: n}, status: {clusters: [" parts "]}}\n"
#define GROUP(name, joined)                                                                        \
	"---\n{metadata: {name: " name "}, spec: {interconnect: {joined: " joined "}}}\n"
#define ON(cluster, group, ready)                                                                  \
	"{cluster: " cluster ", network: " group ", ready: " ready ", total: 3}"

static const char clusters[] =
	CLUSTER("a1", "a") CLUSTER("a2", "a") CLUSTER("b1", "b") CLUSTER("d1", "d");
static const char groups[] = GROUP("a", "true") GROUP("b", "true") GROUP("d", "false");
static const char gateways[] = GATEWAY("gw-a", "a1") GATEWAY("gw-b", "b1");
static const char services[] = SERVICE("only-a1", ON("a1", "a", "1"))
	SERVICE("in-a", ON("a1", "a", "1") ", " ON("a2", "a", "2"))
		SERVICE("all", ON("a2", "a", "1") ", " ON("b1", "b", "1"))
			SERVICE("unready", ON("b1", "b", "0")) SERVICE("alone", ON("d1", "d", "1"));

struct world {
	json_t *lists[4];
	struct plan_input input;
};

static void world_init(struct world *world)
{
	world->lists[0] = objects_list(clusters);
	world->lists[1] = objects_list(groups);
	world->lists[2] = objects_list(gateways);
	world->lists[3] = objects_list(services);
	world->input = (struct plan_input){world->lists[0], world->lists[1], world->lists[2],
	                                   world->lists[3]};
}

static void world_fini(struct world *world)
{
	for (size_t i = 0; i < N_ELEMS(world->lists); i++)
		json_decref(world->lists[i]);
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

static void a_leaving_cluster_loses_what_runs_nowhere_else(void **state)
{
	(void)state;
	static const struct {
		const char *cluster;
		const char *accepted[2];
		const char *losses;
	} rows[] = {
		{"a1", {NULL}, "FED-221 gateway/a FED-222 n/only-a1"},
		{"a1", {"gateway/a", NULL}, "FED-222 n/only-a1"},
		{"a1", {"gateway/a", "n/only-a1"}, ""},
		{"a2", {NULL}, ""},
		{"b1", {NULL}, "FED-221 cluster/b"},
		{"b1", {"cluster/b", NULL}, "FED-221 cluster/b"},
		{"d1", {NULL}, "FED-222 n/alone"},
	};
	struct world world;
	world_init(&world);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char text[512];
		char *items[2];
		struct options_list accepted = {items, 0};
		for (; accepted.n < 2 && rows[i].accepted[accepted.n] != NULL; accepted.n++)
			items[accepted.n] = xstrdup(rows[i].accepted[accepted.n]);
		json_t *plan = plan_cluster_leave(&world.input, rows[i].cluster, &accepted);
		assert_string_equal(losses_of(plan, text), rows[i].losses);
		json_decref(plan);
		while (accepted.n > 0)
			free(items[--accepted.n]);
	}
	world_fini(&world);
}

static void a_group_that_leaves_takes_what_only_it_has(void **state)
{
	(void)state;
	char text[512];
	struct world world;
	world_init(&world);
	json_t *plan = plan_interconnect_leave(&world.input, "a", NULL);
	assert_string_equal(losses_of(plan, text), "FED-222 n/only-a1 FED-222 n/in-a");
	json_decref(plan);
	plan = plan_interconnect_join(&world.input, "d");
	assert_int_equal(plan_n_losses(plan), 0);
	assert_string_equal(json_str_at(plan, "operation", ""), "InterconnectJoin");
	json_decref(plan);
	world_fini(&world);
}

static void a_plan_says_that_nothing_has_changed_and_what_is_lost(void **state)
{
	(void)state;
	struct buf out;
	struct world world;
	world_init(&world);
	buf_init(&out, CLI_TEXT_MAX);
	json_t *plan = plan_cluster_leave(&world.input, "d1", NULL);
	plan_format(plan, (struct look){.ascii = true}, &out);
	assert_string_equal(
		buf_text(&out),
		"Plan       nothing has been changed yet\n"
		"  traffic     its endpoints are withdrawn and drained\n"
		"  d1          what Fedway made there (label fedway.io/cluster=d1)\n"
		"  federation  cluster d1, its intermediate and its credentials\n"
		"  d1          certificates that were issued stay valid until they expire (at most "
		"24 h)\n"
		"\n"
		"Lost\n"
		"  FAIL FED-222  n/alone: callers elsewhere would have no destination: it runs\n"
		"                nowhere else\n");
	json_decref(plan);
	buf_fini(&out);
	world_fini(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaving_cluster_loses_what_runs_nowhere_else),
		cmocka_unit_test(a_group_that_leaves_takes_what_only_it_has),
		cmocka_unit_test(a_plan_says_that_nothing_has_changed_and_what_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
