/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A matrix drawn as rows of letters, from one row to its columns; what is drawn must come out as
 * the causes that a reader of the drawing would name.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>

#include "base/json.h"
#include "probe/grouping.h"

/* The drawing's letters. */
static const struct letter {
	char letter;
	int stage; /* that failed; -1: ok */
	const char *code;
} letters[] = {
	{'.', -1, ""},
	{'t', PROBE_STAGE_CONNECT, "FED-111"},
	{'r', PROBE_STAGE_CONNECT, "FED-110"},
	{'c', PROBE_STAGE_TLS, "FED-112"},
	{'u', PROBE_STAGE_IDENTITY, "FED-120"},
	{'w', PROBE_STAGE_IDENTITY, "FED-122"},
	{'k', PROBE_STAGE_ROUTE, "FED-130"},
	{'e', PROBE_STAGE_ROUTE, "FED-131"},
	{'p', PROBE_STAGE_REPLY, "FED-140"},
};

/* Seven clusters in four groups, edge not joined: the drawing of the handbook. */
static const struct probe_cluster seven[] = {
	{"east-1", "dc-east", true, "10.1.0.1", 15020},
	{"east-2", "dc-east", true, "10.1.0.2", 15020},
	{"west-1", "dc-west", true, "10.2.0.1", 15020},
	{"west-2", "dc-west", true, "10.2.0.2", 15020},
	{"sg-1", "cloud-sg", true, "10.3.0.1", 15020},
	{"sg-2", "cloud-sg", true, "10.3.0.2", 15020},
	{"edge-1", "edge", false, "10.4.0.1", 15020},
};
static const struct probe_gateway seven_gateways[] = {
	{"gw-east-1", "dc-east", "203.0.113.20", 15443},
	{"gw-west-1", "dc-west", "198.51.100.20", 15443},
	{"gw-sg-1", "cloud-sg", "192.0.2.40", 15443},
	{"gw-edge-1", "edge", "192.0.2.77", 15443},
};

/* Four clusters, each a group of its own. */
static const struct probe_cluster four[] = {
	{"c1", "n1", true, "", 0},
	{"c2", "n2", true, "", 0},
	{"c3", "n3", true, "", 0},
	{"c4", "n4", true, "", 0},
};
static const struct probe_gateway four_gateways[] = {
	{"gw-1", "n1", "192.0.2.1", 15443},
	{"gw-2", "n2", "192.0.2.2", 15443},
	{"gw-3", "n3", "192.0.2.3", 15443},
	{"gw-4", "n4", "192.0.2.4", 15443},
};

#define SEVEN                                                                                      \
	{                                                                                          \
		seven, N_ELEMS(seven), seven_gateways, N_ELEMS(seven_gateways), 0                  \
	}
#define FOUR                                                                                       \
	{                                                                                          \
		four, N_ELEMS(four), four_gateways, N_ELEMS(four_gateways), 0                      \
	}

struct row {
	const char *name;
	struct probe_topology topology;
	const char *drawing; /* row by row; 'n' no result, anything for itself or not expected */
	struct {
		enum probe_scope scope;
		size_t explains;
		const char *code;
		const char *says;
	} causes[4];
};

static const struct row rows[] = {
	{"all is well", FOUR, ".... .... .... ....", {{0, 0, NULL, NULL}}},
	{"a red block is a pair of groups",
         SEVEN,
         "....... ....... ....... ....... ..tt... ..tt... .......",
         {{PROBE_SCOPE_GROUP_PAIR, 4, "FED-111", "[cloud-sg → dc-west]"}}},
	{"a cross is a cluster",
         FOUR,
         ".t.. n.nn .t.. .t..",
         {{PROBE_SCOPE_CLUSTER, 6, "FED-111", "[c2] nothing"}}},
	{"a column is a gateway",
         FOUR,
         "..r. ..r. .... ..r.",
         {{PROBE_SCOPE_GATEWAY, 3, "FED-110", "[gw-3 192.0.2.3:15443]"}}},
	{"a band is the egress of a cluster",
         FOUR,
         ".... t.tt .... ....",
         {{PROBE_SCOPE_EGRESS, 3, "FED-111", "[c2 → other networks]"}}},
	{"a probe that says nothing",
         FOUR,
         ".... n.nn .... ....",
         {{PROBE_SCOPE_SILENT, 3, "FED-171", "[c2] no report"}}},
	{"a probe that is not there",
         FOUR,
         ".e.. n.nn .e.. .e..",
         {{PROBE_SCOPE_SILENT, 6, "FED-171", "[c2] no report"}}},
	{"two roots",
         FOUR,
         "..uu ..uu uu.. uu..",
         {{PROBE_SCOPE_TRUST, 8, "FED-120", "unknown root"}}},
	{"one cluster with another root",
         FOUR,
         ".u.. u.uu .u.. .u..",
         {{PROBE_SCOPE_TRUST, 6, "FED-120", "[c2] peer certificate"}}},
	{"one path", FOUR, "...t .... .... ....", {{PROBE_SCOPE_PAIR, 1, "FED-111", "[c1 → c4]"}}},
	{"a link that is cut, seen from both ends",
         FOUR,
         ".t.. t... .... ....",
         {{PROBE_SCOPE_LINK, 2, "FED-111", "[n1 ↔ n2]"}}},
	{"two paths that share no link",
         FOUR,
         ".t.. .... ...t ....",
         {{PROBE_SCOPE_PAIR, 1, "FED-111", "[c1 → c2]"},
          {PROBE_SCOPE_PAIR, 1, "FED-111", "[c3 → c4]"}}},
	{"a gateway and a path",
         FOUR,
         "..r. ..rp .... ..r.",
         {{PROBE_SCOPE_GATEWAY, 3, "FED-110", "gw-3"},
          {PROBE_SCOPE_PAIR, 1, "FED-140", "[c2 → c4]"}}},
	{"inside a group",
         SEVEN,
         ".t..... ....... ....... ....... ....... ....... .......",
         {{PROBE_SCOPE_PAIR, 1, "FED-111", "[east-1 → east-2]"}}},
	{"one good cell speaks against its gateway",
         FOUR,
         "..k. .... .... ..k.",
         {{PROBE_SCOPE_PAIR, 1, "FED-130", "[c1 → c3]"},
          {PROBE_SCOPE_PAIR, 1, "FED-130", "[c4 → c3]"}}},
};

static struct probe_result draw(const struct letter *letter)
{
	struct probe_result result = {.ok = letter->stage < 0};
	int last = result.ok ? PROBE_STAGE_REPLY : letter->stage;
	for (int i = 0; i <= last; i++)
		result.steps[result.n_steps++] = (struct probe_step){
			(enum probe_stage)i, result.ok || i < letter->stage, 1000};
	snprintf(result.code, sizeof(result.code), "%s", letter->code);
	return result;
}

static struct probe_matrix *draw_matrix(const struct probe_topology *topology, const char *drawing)
{
	struct err err;
	size_t n;
	struct probe_matrix *matrix = probe_matrix_create(topology, &err);
	assert_non_null(matrix);
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n);
	for (size_t i = 0; i < n; i++) {
		char c = drawing[cells[i].from * (topology->n_clusters + 1) + cells[i].to];
		for (size_t k = 0; k < N_ELEMS(letters); k++) {
			if (letters[k].letter != c)
				continue;
			struct probe_result result = draw(&letters[k]);
			probe_matrix_set(matrix, i, &result, 1000);
		}
	}
	return matrix;
}

static void check_row(const struct row *row)
{
	struct probe_matrix *matrix = draw_matrix(&row->topology, row->drawing);
	struct probe_causes causes;
	size_t wanted = 0;
	probe_grouping_run(matrix, &causes);
	while (wanted < N_ELEMS(row->causes) && row->causes[wanted].code != NULL)
		wanted++;
	for (size_t i = 0; i < causes.n; i++) {
		const struct probe_cause *cause = &causes.list[i];
		if (i >= wanted || cause->scope != row->causes[i].scope ||
		    cause->explains != row->causes[i].explains ||
		    strcmp(cause->code, row->causes[i].code) != 0 ||
		    strstr(cause->message, row->causes[i].says) == NULL)
			fail_msg("%s: cause %zu: scope %d explains %zu %s %s", row->name, i,
			         (int)cause->scope, cause->explains, cause->code, cause->message);
	}
	if (causes.n != wanted)
		fail_msg("%s: %zu causes", row->name, causes.n);
	probe_causes_fini(&causes);
	probe_matrix_destroy(matrix);
}

static void failures_are_grouped_into_the_fewest_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		check_row(&rows[i]);
}

static void causes_carry_remedy_and_a_command_to_paste(void **state)
{
	(void)state;
	struct probe_matrix *matrix = draw_matrix(&rows[1].topology, rows[1].drawing);
	struct probe_causes causes;
	probe_grouping_run(matrix, &causes);
	json_t *list CLEANUP(json_cleanup) = probe_causes_encode(matrix, &causes);
	const json_t *cause = json_array_get(list, 0);
	assert_string_equal(json_str_at(cause, "command", ""),
	                    "fedway connectivity run --from sg-1 --to west-1");
	assert_int_equal(json_int_at(cause, "explains", 0), 4);
	assert_true(strlen(json_str_at(cause, "remedy", "")) > 0);
	probe_causes_fini(&causes);
	probe_matrix_destroy(matrix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_grouped_into_the_fewest_causes),
		cmocka_unit_test(causes_carry_remedy_and_a_command_to_paste),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
