/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "probe/grouping.h"
#include "probe/matrix.h"

static json_t *encode_steps(const struct probe_result *result)
{
	json_t *list = json_array();
	for (size_t i = 0; result != NULL && i < result->n_steps; i++) {
		const struct probe_step *step = &result->steps[i];
		const char *evidence = step->stage == result->evidence_of ? result->evidence : "";
		json_array_append_new(list, json_pack("{s:s, s:b, s:f, s:s}", "name",
		                                      probe_stage_name(step->stage), "ok", step->ok,
		                                      "tookSeconds", step->took_us / 1e6,
		                                      "evidence", evidence));
	}
	return list;
}

static json_t *encode_cell(const struct probe_topology *topology, const struct probe_cell *cell)
{
	char address[320] = "";
	bool brackets = strchr(cell->address, ':') != NULL;
	if (cell->address[0] != '\0')
		snprintf(address, sizeof(address), brackets ? "[%s]:%u" : "%s:%u", cell->address,
		         cell->port);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:s}", "from",
	                 topology->clusters[cell->from].name, "to",
	                 topology->clusters[cell->to].name, "gateway", cell->gateway, "address",
	                 address, "expected", cell->expected, "state",
	                 probe_cell_state_name(cell->state), "stages", encode_steps(cell->result),
	                 "code", cell->code);
}

json_t *probe_matrix_encode(const struct probe_matrix *matrix, int64_t now_ms, int64_t wall_s)
{
	const struct probe_topology *topology = probe_matrix_topology(matrix);
	struct probe_causes causes;
	json_t *list = json_array();
	int64_t newest_ms = 0;
	size_t n;
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n);
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, encode_cell(topology, &cells[i]));
		if (cells[i].at_ms > newest_ms)
			newest_ms = cells[i].at_ms;
	}
	json_t *answer =
		json_pack("{s:s, s:s, s:n, s:n, s:o}", "apiVersion", "answers.fedway.io/v1alpha1",
	                  "kind", "ConnectivityMatrix", "observedAt", "ageSeconds", "cells", list);
	if (newest_ms > 0) {
		char text[32];
		int64_t age_s = now_ms > newest_ms ? (now_ms - newest_ms) / 1000 : 0;
		json_object_set_new(answer, "observedAt",
		                    json_string(clock_format_rfc3339(wall_s - age_s, text)));
		json_object_set_new(answer, "ageSeconds", json_integer(age_s));
	}
	probe_grouping_run(matrix, &causes);
	json_object_set_new(answer, "causes", probe_causes_encode(matrix, &causes));
	probe_causes_fini(&causes);
	return answer;
}
