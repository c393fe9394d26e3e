/* SPDX-License-Identifier: Apache-2.0 */
#include "matrix.h"

#include "table.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum {
	CELL_MAX = 64
};

struct names {
	const char *at[MATRIX_CLUSTERS_MAX];
	size_t n;
	bool full;
};

static void add_name(struct names *names, const char *name)
{
	size_t i = 0;
	while (i < names->n && strcmp(names->at[i], name) < 0)
		i++;
	if (i < names->n && strcmp(names->at[i], name) == 0)
		return;
	if (names->n == MATRIX_CLUSTERS_MAX) {
		names->full = true;
		return;
	}
	memmove(names->at + i + 1, names->at + i, (names->n - i) * sizeof(names->at[0]));
	names->at[i] = name;
	names->n++;
}

static const char *state_of(const json_t *cell)
{
	return json_str_at(cell, "state", "NoResult");
}

static double took_of(const json_t *cell)
{
	const json_t *stages = json_object_get(cell, "stages");
	double sum = 0;
	for (size_t i = 0; i < json_array_size(stages); i++)
		sum += json_number_value(json_object_get(json_array_get(stages, i), "tookSeconds"));
	return sum;
}

/* How bad a state is: several gateways of one pair show as the worst. */
static int rank_of(const json_t *cell)
{
	static const char *const states[] = {"NotExpected", "Ok", "NoResult", "Slow", "Failed"};
	for (size_t i = 0; i < N_ELEMS(states); i++) {
		if (strcmp(state_of(cell), states[i]) == 0)
			return (int)i;
	}
	return 2;
}

static const json_t *find_cell(const json_t *cells, const char *from, const char *to)
{
	const json_t *worst = NULL;
	for (size_t i = 0; i < json_array_size(cells); i++) {
		const json_t *cell = json_array_get(cells, i);
		if (strcmp(json_str_at(cell, "from", ""), from) != 0 ||
		    strcmp(json_str_at(cell, "to", ""), to) != 0)
			continue;
		if (worst == NULL || rank_of(cell) > rank_of(worst))
			worst = cell;
	}
	return worst;
}

static const char *cell_text(const json_t *cell, struct look look, char text[CELL_MAX])
{
	const char *state = cell != NULL ? state_of(cell) : "NotExpected";
	const char *via = json_str_at(cell, "gateway", "")[0] != '\0' ? "g" : "";
	const char *code = json_str_at(cell, "code", "");
	char mark[LOOK_MARK_MAX];
	double ms = took_of(cell) * 1000;
	if (strcmp(state, "Failed") == 0)
		snprintf(text, CELL_MAX, "%s%s", look_mark(look, MARK_FAIL, mark),
		         strncmp(code, "FED-", 4) == 0 ? code + 4 : code);
	else if (strcmp(state, "NoResult") == 0)
		snprintf(text, CELL_MAX, "?");
	else if (strcmp(state, "NotExpected") == 0)
		snprintf(text, CELL_MAX, "%s", look_dash(look));
	else
		snprintf(text, CELL_MAX, ms < 10 ? "%.1f%s%s" : "%.0f%s%s", ms, via,
		         strcmp(state, "Slow") == 0 ? "!" : "");
	return text;
}

static void add_grid(const json_t *cells, const struct names *names, struct look look,
                     struct buf *out)
{
	struct table table CLEANUP(table_fini);
	char text[CELL_MAX];
	table_init(&table, names->n + 1);
	table_cell(&table, "FROM \\ TO");
	for (size_t i = 0; i < names->n; i++)
		table_cell(&table, "%s", names->at[i]);
	for (size_t i = 0; i < names->n; i++) {
		table_cell(&table, "%s", names->at[i]);
		for (size_t k = 0; k < names->n; k++) {
			const json_t *cell = find_cell(cells, names->at[i], names->at[k]);
			bool self = i == k && cell == NULL;
			table_cell(&table, "%s", self ? "." : cell_text(cell, look, text));
		}
	}
	table_format(&table, out);
	buf_add_text(out, "(ms; g = via gateway; ! = slow; ? = no recent result)\n\n");
}

static void add_counts(const json_t *answer, struct buf *out)
{
	const json_t *cells = json_object_get(answer, "cells");
	size_t counts[5] = {0};
	for (size_t i = 0; i < json_array_size(cells); i++)
		counts[rank_of(json_array_get(cells, i))]++;
	buf_printf(out,
	           "%zu expected paths: %zu ok, %zu slow, %zu failed, %zu without a recent result; "
	           "%zu not expected; %lld s old\n",
	           counts[1] + counts[2] + counts[3] + counts[4], counts[1], counts[3], counts[4],
	           counts[2], counts[0], (long long)json_int_at(answer, "ageSeconds", 0));
}

static void add_causes(const json_t *answer, struct look look, struct buf *out)
{
	const json_t *causes = json_object_get(answer, "causes");
	char mark[LOOK_MARK_MAX];
	char label[LOOK_MARK_MAX + CELL_MAX];
	for (size_t i = 0; i < json_array_size(causes); i++) {
		const json_t *cause = json_array_get(causes, i);
		const char *command = json_str_at(cause, "command", "");
		snprintf(label, sizeof(label), "%s %.16s  ", look_mark(look, MARK_FAIL, mark),
		         json_str_at(cause, "code", ""));
		char text[1024];
		snprintf(text, sizeof(text), "%s (explains %lld)",
		         json_str_at(cause, "message", ""),
		         (long long)json_int_at(cause, "explains", 0));
		look_wrap(out, label, text);
		look_wrap(out, look.ascii ? "           -> " : "           → ",
		          json_str_at(cause, "remedy", ""));
		if (command[0] != '\0')
			buf_printf(out, "             %s\n", command);
	}
}

void matrix_format(const json_t *answer, struct look look, struct buf *out)
{
	const json_t *cells = json_object_get(answer, "cells");
	struct names names = {.n = 0};
	for (size_t i = 0; i < json_array_size(cells); i++) {
		add_name(&names, json_str_at(json_array_get(cells, i), "from", ""));
		add_name(&names, json_str_at(json_array_get(cells, i), "to", ""));
	}
	if (names.full)
		buf_printf(out, "more than %d clusters: only causes are shown; -o json has all\n",
		           MATRIX_CLUSTERS_MAX);
	else if (names.n > 0)
		add_grid(cells, &names, look, out);
	add_counts(answer, out);
	add_causes(answer, look, out);
}

bool matrix_has_failed(const json_t *answer)
{
	const json_t *cells = json_object_get(answer, "cells");
	for (size_t i = 0; i < json_array_size(cells); i++) {
		if (strcmp(state_of(json_array_get(cells, i)), "Failed") == 0)
			return true;
	}
	return false;
}
