/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <jansson.h>

#include "base/json.h"
#include "probe/matrix.h"

static const struct probe_cluster clusters[] = {
	{"a1", "a", true, "10.0.0.1", 15020}, {"a2", "a", true, "", 0},
	{"b1", "b", true, "10.0.0.3", 15020}, {"x1", "x", false, "10.0.0.4", 15020},
	{"d1", "d", true, "10.0.0.5", 15020}, {"lone", "", false, "", 0},
};
static const struct probe_gateway gateways[] = {
	{"gw-b1", "b", "192.0.2.1", 15443},
	{"gw-b2", "b", "gw.example.com", 15444},
	{"gw-a", "a", "", 15443},
};
static const struct probe_topology topology = {clusters, N_ELEMS(clusters), gateways,
                                               N_ELEMS(gateways), 50000};

static const struct probe_result good = {
	.ok = true,
	.n_steps = 6,
	.steps = {{PROBE_STAGE_ADDRESS, true, 0},
                  {PROBE_STAGE_CONNECT, true, 3000},
                  {PROBE_STAGE_TLS, true, 5000},
                  {PROBE_STAGE_IDENTITY, true, 0},
                  {PROBE_STAGE_ROUTE, true, 0},
                  {PROBE_STAGE_REPLY, true, 2000}},
};

static struct probe_matrix *make(const struct probe_topology *of)
{
	struct err err;
	struct probe_matrix *matrix = probe_matrix_create(of, &err);
	assert_non_null(matrix);
	return matrix;
}

static size_t find(const struct probe_matrix *matrix, size_t from, size_t to, const char *address)
{
	size_t n;
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n);
	for (size_t i = 0; i < n; i++) {
		if (cells[i].from == from && cells[i].to == to &&
		    strcmp(cells[i].address, address) == 0)
			return i;
	}
	fail_msg("no cell %zu %zu %s", from, to, address);
	return 0;
}

static const struct probe_cell *cell_at(const struct probe_matrix *matrix, size_t index)
{
	size_t n;
	return &probe_matrix_cells(matrix, &n)[index];
}

static void cells_are_what_the_topology_expects(void **state)
{
	static const struct {
		size_t from;
		size_t to;
		const char *address;
		enum probe_cell_state state;
		bool direct;
		const char *code;
	} rows[] = {
		{0, 1, "", PROBE_CELL_NO_RESULT, true, "FED-171"},
		{1, 0, "10.0.0.1", PROBE_CELL_NO_RESULT, true, ""},
		{0, 2, "192.0.2.1", PROBE_CELL_NO_RESULT, false, ""},
		{0, 2, "gw.example.com", PROBE_CELL_NO_RESULT, false, ""},
		{2, 0, "", PROBE_CELL_FAILED, false, "FED-101"},
		{2, 4, "", PROBE_CELL_FAILED, false, "FED-104"},
		{0, 3, "", PROBE_CELL_NOT_EXPECTED, false, ""},
		{3, 0, "", PROBE_CELL_NOT_EXPECTED, false, ""},
		{5, 0, "", PROBE_CELL_NOT_EXPECTED, false, ""},
	};
	(void)state;
	struct probe_matrix *matrix = make(&topology);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const struct probe_cell *cell =
			cell_at(matrix, find(matrix, rows[i].from, rows[i].to, rows[i].address));
		assert_int_equal(cell->state, rows[i].state);
		assert_int_equal(cell->direct, rows[i].direct);
		assert_string_equal(cell->code, rows[i].code);
	}
	probe_matrix_destroy(matrix);
}

static void a_check_asks_for_the_other_clusters_probe(void **state)
{
	(void)state;
	char sni[PROBE_SNI_MAX];
	struct probe_check check;
	struct probe_matrix *matrix = make(&topology);
	assert_true(probe_matrix_check(matrix, find(matrix, 0, 2, "gw.example.com"), sni, &check));
	assert_string_equal(check.sni, "_probe.b1.fedway.internal");
	assert_string_equal(check.cluster, "b1");
	assert_string_equal(check.address, "gw.example.com");
	assert_int_equal(check.port, 15444);
	assert_false(check.direct);
	assert_true(probe_matrix_check(matrix, find(matrix, 1, 0, "10.0.0.1"), sni, &check));
	assert_true(check.direct);
	assert_false(probe_matrix_check(matrix, find(matrix, 0, 3, ""), sni, &check));
	assert_false(probe_matrix_check(matrix, find(matrix, 2, 0, ""), sni, &check));
	probe_matrix_destroy(matrix);
}

static void results_become_states(void **state)
{
	(void)state;
	struct probe_matrix *matrix = make(&topology);
	size_t index = find(matrix, 0, 2, "192.0.2.1");
	struct probe_result result = good;
	probe_matrix_set(matrix, index, &result, 5);
	assert_int_equal(cell_at(matrix, index)->state, PROBE_CELL_OK);
	result.steps[5].took_us = 50001;
	probe_matrix_set(matrix, index, &result, 6);
	assert_int_equal(cell_at(matrix, index)->state, PROBE_CELL_SLOW);
	assert_string_equal(cell_at(matrix, index)->code, "FED-150");
	probe_matrix_set(matrix, index, NULL, 7);
	assert_int_equal(cell_at(matrix, index)->state, PROBE_CELL_NO_RESULT);
	assert_null(cell_at(matrix, index)->result);
	probe_matrix_destroy(matrix);
}

static void an_answered_refusal_check_fails_a_good_cell_only(void **state)
{
	(void)state;
	struct probe_matrix *matrix = make(&topology);
	size_t index = find(matrix, 0, 2, "192.0.2.1");
	struct probe_result answered = {.ok = false,
	                                .code = "FED-112",
	                                .n_steps = 1,
	                                .steps = {{PROBE_STAGE_ROUTE, false, 1}}};
	struct probe_result timeout = {.ok = false,
	                               .code = "FED-111",
	                               .n_steps = 1,
	                               .steps = {{PROBE_STAGE_CONNECT, false, 1}}};
	probe_matrix_set_refusal(matrix, index, &answered);
	assert_int_equal(cell_at(matrix, index)->state, PROBE_CELL_NO_RESULT);
	probe_matrix_set(matrix, index, &timeout, 1);
	probe_matrix_set_refusal(matrix, index, &answered);
	assert_string_equal(cell_at(matrix, index)->code, "FED-111");
	probe_matrix_set(matrix, index, &good, 2);
	probe_matrix_set_refusal(matrix, index, &answered);
	assert_int_equal(cell_at(matrix, index)->state, PROBE_CELL_FAILED);
	assert_string_equal(cell_at(matrix, index)->code, "FED-112");
	probe_matrix_destroy(matrix);
}

static void results_of_cells_that_stay_are_kept(void **state)
{
	(void)state;
	struct probe_topology three = topology;
	three.n_clusters = 3;
	struct probe_matrix *old = make(&three);
	probe_matrix_set(old, find(old, 0, 2, "192.0.2.1"), &good, 42);
	struct probe_matrix *matrix = make(&topology);
	probe_matrix_carry(matrix, old);
	probe_matrix_destroy(old);
	const struct probe_cell *kept = cell_at(matrix, find(matrix, 0, 2, "192.0.2.1"));
	assert_int_equal(kept->state, PROBE_CELL_OK);
	assert_int_equal(kept->at_ms, 42);
	assert_int_equal(cell_at(matrix, find(matrix, 0, 2, "gw.example.com"))->state,
	                 PROBE_CELL_NO_RESULT);
	probe_matrix_destroy(matrix);
}

static void the_answer_has_the_published_shape(void **state)
{
	(void)state;
	struct probe_topology two = {&clusters[0], 3, gateways, 1, 0};
	struct probe_matrix *matrix = make(&two);
	size_t index = find(matrix, 0, 2, "192.0.2.1");
	json_t *empty CLEANUP(json_cleanup) = probe_matrix_encode(matrix, 100000, 1000000);
	assert_true(json_is_null(json_at(empty, "observedAt")));
	probe_matrix_set(matrix, index, &good, 96000);
	json_t *answer CLEANUP(json_cleanup) = probe_matrix_encode(matrix, 100000, 1000000);
	assert_string_equal(json_str_at(answer, "kind", ""), "ConnectivityMatrix");
	assert_string_equal(json_str_at(answer, "apiVersion", ""), "answers.fedway.io/v1alpha1");
	assert_string_equal(json_str_at(answer, "observedAt", ""), "1970-01-12T13:46:36Z");
	assert_int_equal(json_int_at(answer, "ageSeconds", -1), 4);
	const json_t *cell = json_array_get(json_at(answer, "cells"), index);
	assert_string_equal(json_str_at(cell, "from", ""), "a1");
	assert_string_equal(json_str_at(cell, "to", ""), "b1");
	assert_string_equal(json_str_at(cell, "gateway", ""), "gw-b1");
	assert_string_equal(json_str_at(cell, "address", ""), "192.0.2.1:15443");
	assert_string_equal(json_str_at(cell, "state", ""), "Ok");
	assert_true(json_bool_at(cell, "expected", false));
	assert_int_equal(json_array_size(json_at(cell, "stages")), 6);
	const json_t *stage = json_array_get(json_at(cell, "stages"), 1);
	assert_string_equal(json_str_at(stage, "name", ""), "connect");
	assert_float_equal(json_real_value(json_object_get(stage, "tookSeconds")), 0.003, 1e-9);
	assert_true(json_is_array(json_at(answer, "causes")));
	probe_matrix_destroy(matrix);
}

static void a_matrix_beyond_the_limits_is_refused(void **state)
{
	(void)state;
	struct probe_topology huge = {clusters, PROBE_CLUSTERS_MAX + 1, gateways, 0, 0};
	struct err err;
	assert_null(probe_matrix_create(&huge, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_what_the_topology_expects),
		cmocka_unit_test(a_check_asks_for_the_other_clusters_probe),
		cmocka_unit_test(results_become_states),
		cmocka_unit_test(an_answered_refusal_check_fails_a_good_cell_only),
		cmocka_unit_test(results_of_cells_that_stay_are_kept),
		cmocka_unit_test(the_answer_has_the_published_shape),
		cmocka_unit_test(a_matrix_beyond_the_limits_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
