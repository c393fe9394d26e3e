/* SPDX-License-Identifier: Apache-2.0 */
#include "grouping_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

enum {
	NAMES_SHOWN = 4
};

static size_t find_root(size_t *parent, size_t i)
{
	while (parent[i] != i) {
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

/* For each cluster the first one of its part. Owned. */
static size_t *find_parts(const struct probe_matrix *matrix)
{
	size_t n_clusters = probe_matrix_topology(matrix)->n_clusters;
	size_t n_cells;
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n_cells);
	size_t *parent = xcalloc(n_clusters + 1, sizeof(*parent));
	for (size_t i = 0; i < n_clusters; i++)
		parent[i] = i;
	for (size_t i = 0; i < n_cells; i++) {
		const struct probe_step *step =
			cells[i].result != NULL
				? probe_result_find(cells[i].result, PROBE_STAGE_IDENTITY)
				: NULL;
		if (step != NULL && step->ok)
			parent[find_root(parent, cells[i].from)] = find_root(parent, cells[i].to);
	}
	for (size_t i = 0; i < n_clusters; i++)
		parent[i] = find_root(parent, i);
	return parent;
}

bool probe_trust_is_split(const struct probe_matrix *matrix)
{
	size_t n_cells;
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n_cells);
	size_t *part = find_parts(matrix);
	bool any = false;
	bool inside = false;
	for (size_t i = 0; i < n_cells; i++) {
		if (cells[i].state != PROBE_CELL_FAILED || strcmp(cells[i].code, "FED-120") != 0)
			continue;
		any = true;
		inside |= part[cells[i].from] == part[cells[i].to];
	}
	free(part);
	return any && !inside;
}

void probe_trust_part(const struct probe_matrix *matrix, const struct probe_cell *cell, char *text,
                      size_t size)
{
	const struct probe_topology *topology = probe_matrix_topology(matrix);
	size_t *part = find_parts(matrix);
	size_t n_from = 0;
	size_t n_to = 0;
	for (size_t i = 0; i < topology->n_clusters; i++) {
		n_from += part[i] == part[cell->from];
		n_to += part[i] == part[cell->to];
	}
	size_t chosen = part[n_from < n_to ? cell->from : cell->to];
	size_t shown = 0;
	size_t total = n_from < n_to ? n_from : n_to;
	struct buf out CLEANUP(buf_fini);
	buf_init(&out, 1024);
	for (size_t i = 0; i < topology->n_clusters && shown < NAMES_SHOWN; i++) {
		if (part[i] == chosen)
			buf_printf(&out, "%s%s", shown++ > 0 ? ", " : "",
			           topology->clusters[i].name);
	}
	if (total > shown)
		buf_printf(&out, " and %zu more", total - shown);
	snprintf(text, size, "%s", buf_text(&out));
	free(part);
}
