/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/matrix.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/sni.h"

static const char *const state_names[] = {
	[PROBE_CELL_OK] = "Ok",
	[PROBE_CELL_SLOW] = "Slow",
	[PROBE_CELL_FAILED] = "Failed",
	[PROBE_CELL_NO_RESULT] = "NoResult",
	[PROBE_CELL_NOT_EXPECTED] = "NotExpected",
};

struct probe_matrix {
	struct probe_topology topology; /* its arrays and texts are ours */
	struct probe_cell *cells;
	size_t n_cells;
	size_t cap;
};

const char *probe_cell_state_name(enum probe_cell_state state)
{
	return state_names[state];
}

/* --- topology --------------------------------------------------------------------------------- */

static const char *keep(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

static void forget(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void keep_topology(struct probe_topology *to, const struct probe_topology *from)
{
	struct probe_cluster *clusters = xcalloc(from->n_clusters + 1, sizeof(*clusters));
	struct probe_gateway *gateways = xcalloc(from->n_gateways + 1, sizeof(*gateways));
	for (size_t i = 0; i < from->n_clusters; i++) {
		clusters[i] = from->clusters[i];
		clusters[i].name = keep(from->clusters[i].name);
		clusters[i].network = keep(from->clusters[i].network);
		clusters[i].address = keep(from->clusters[i].address);
	}
	for (size_t i = 0; i < from->n_gateways; i++) {
		gateways[i] = from->gateways[i];
		gateways[i].name = keep(from->gateways[i].name);
		gateways[i].network = keep(from->gateways[i].network);
		gateways[i].address = keep(from->gateways[i].address);
	}
	*to = (struct probe_topology){clusters, from->n_clusters, gateways, from->n_gateways,
	                              from->slow_us != 0 ? from->slow_us : PROBE_SLOW_US};
}

static void forget_topology(struct probe_topology *topology)
{
	for (size_t i = 0; i < topology->n_clusters; i++) {
		forget(topology->clusters[i].name);
		forget(topology->clusters[i].network);
		forget(topology->clusters[i].address);
	}
	for (size_t i = 0; i < topology->n_gateways; i++) {
		forget(topology->gateways[i].name);
		forget(topology->gateways[i].network);
		forget(topology->gateways[i].address);
	}
	free((void *)(uintptr_t)topology->clusters);
	free((void *)(uintptr_t)topology->gateways);
}

static bool text_eq(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool cluster_eq(const struct probe_cluster *a, const struct probe_cluster *b)
{
	return text_eq(a->name, b->name) && text_eq(a->network, b->network) &&
	       text_eq(a->address, b->address) && a->port == b->port && a->joined == b->joined;
}

static bool gateway_eq(const struct probe_gateway *a, const struct probe_gateway *b)
{
	return text_eq(a->name, b->name) && text_eq(a->network, b->network) &&
	       text_eq(a->address, b->address) && a->port == b->port;
}

bool probe_topology_eq(const struct probe_topology *a, const struct probe_topology *b)
{
	bool eq = a->n_clusters == b->n_clusters && a->n_gateways == b->n_gateways &&
	          (a->slow_us != 0 ? a->slow_us : PROBE_SLOW_US) ==
	                  (b->slow_us != 0 ? b->slow_us : PROBE_SLOW_US);
	for (size_t i = 0; eq && i < a->n_clusters; i++)
		eq = cluster_eq(&a->clusters[i], &b->clusters[i]);
	for (size_t i = 0; eq && i < a->n_gateways; i++)
		eq = gateway_eq(&a->gateways[i], &b->gateways[i]);
	return eq;
}

/* --- cells ------------------------------------------------------------------------------------ */

static struct probe_cell *add_cell(struct probe_matrix *matrix, size_t from, size_t to)
{
	if (matrix->n_cells == matrix->cap) {
		matrix->cap = matrix->cap > 0 ? matrix->cap * 2 : 64;
		matrix->cells = xrealloc(matrix->cells, matrix->cap * sizeof(*matrix->cells));
	}
	struct probe_cell *cell = &matrix->cells[matrix->n_cells++];
	*cell = (struct probe_cell){
		.from = from,
		.to = to,
		.gateway = "",
		.address = "",
		.state = PROBE_CELL_NOT_EXPECTED,
	};
	return cell;
}

/* The state without a result. */
static void reset_cell(struct probe_cell *cell)
{
	const char *code = "";
	free(cell->result);
	cell->result = NULL;
	cell->at_ms = 0;
	cell->state = cell->expected ? PROBE_CELL_NO_RESULT : PROBE_CELL_NOT_EXPECTED;
	if (cell->expected && cell->address[0] == '\0' && cell->direct) {
		code = "FED-171";
	} else if (cell->expected && cell->address[0] == '\0') {
		/* Known without any check. */
		cell->state = PROBE_CELL_FAILED;
		code = cell->gateway[0] != '\0' ? "FED-101" : "FED-104";
	}
	snprintf(cell->code, sizeof(cell->code), "%s", code);
}

static void add_direct(struct probe_matrix *matrix, size_t from, size_t to)
{
	struct probe_cell *cell = add_cell(matrix, from, to);
	cell->expected = true;
	cell->direct = true;
	cell->address = matrix->topology.clusters[to].address;
	cell->port = matrix->topology.clusters[to].port;
	reset_cell(cell);
}

static void add_remote(struct probe_matrix *matrix, size_t from, size_t to)
{
	const struct probe_topology *topology = &matrix->topology;
	size_t before = matrix->n_cells;
	for (size_t i = 0; i < topology->n_gateways; i++) {
		const struct probe_gateway *gateway = &topology->gateways[i];
		if (strcmp(gateway->network, topology->clusters[to].network) != 0)
			continue;
		struct probe_cell *cell = add_cell(matrix, from, to);
		cell->expected = true;
		cell->gateway = gateway->name;
		cell->address = gateway->address;
		cell->port = gateway->port;
		reset_cell(cell);
	}
	if (matrix->n_cells == before) {
		struct probe_cell *cell = add_cell(matrix, from, to);
		cell->expected = true;
		reset_cell(cell);
	}
}

static void add_pair(struct probe_matrix *matrix, size_t from, size_t to)
{
	const struct probe_cluster *a = &matrix->topology.clusters[from];
	const struct probe_cluster *b = &matrix->topology.clusters[to];
	if (a->network[0] != '\0' && strcmp(a->network, b->network) == 0)
		add_direct(matrix, from, to);
	else if (a->joined && b->joined && a->network[0] != '\0' && b->network[0] != '\0')
		add_remote(matrix, from, to);
	else
		add_cell(matrix, from, to);
}

struct probe_matrix *probe_matrix_create(const struct probe_topology *topology, struct err *err)
{
	if (topology->n_clusters > PROBE_CLUSTERS_MAX) {
		err_set(err, ERR_TOO_LARGE, "a matrix of more than %d clusters",
		        PROBE_CLUSTERS_MAX);
		return NULL;
	}
	struct probe_matrix *matrix = xcalloc(1, sizeof(*matrix));
	keep_topology(&matrix->topology, topology);
	for (size_t from = 0; from < topology->n_clusters; from++) {
		for (size_t to = 0; to < topology->n_clusters; to++) {
			if (from != to)
				add_pair(matrix, from, to);
		}
		if (matrix->n_cells > PROBE_CELLS_MAX) {
			err_set(err, ERR_TOO_LARGE, "a matrix of more than %d cells",
			        PROBE_CELLS_MAX);
			probe_matrix_destroy(matrix);
			return NULL;
		}
	}
	return matrix;
}

void probe_matrix_destroy(struct probe_matrix *matrix)
{
	if (matrix == NULL)
		return;
	for (size_t i = 0; i < matrix->n_cells; i++)
		free(matrix->cells[i].result);
	free(matrix->cells);
	forget_topology(&matrix->topology);
	free(matrix);
}

const struct probe_topology *probe_matrix_topology(const struct probe_matrix *matrix)
{
	return &matrix->topology;
}

const struct probe_cell *probe_matrix_cells(const struct probe_matrix *matrix, size_t *ret_n)
{
	*ret_n = matrix->n_cells;
	return matrix->cells;
}

bool probe_matrix_check(const struct probe_matrix *matrix, size_t index,
                        char sni_text[PROBE_SNI_MAX], struct probe_check *ret_check)
{
	const struct probe_cell *cell = &matrix->cells[index];
	const char *cluster = matrix->topology.clusters[cell->to].name;
	_Static_assert((int)PROBE_SNI_MAX == (int)SNI_MAX + 1, "one size");
	if (!cell->expected || cell->address[0] == '\0' ||
	    !sni_format_probe(str_from(cluster), sni_text))
		return false;
	*ret_check = (struct probe_check){
		.address = cell->address,
		.port = cell->port,
		.sni = sni_text,
		.cluster = cluster,
		.direct = cell->direct,
	};
	return true;
}

/* --- results ---------------------------------------------------------------------------------- */

static void judge(const struct probe_matrix *matrix, struct probe_cell *cell)
{
	const struct probe_result *result = cell->result;
	const struct probe_step *reply = probe_result_find(result, PROBE_STAGE_REPLY);
	const char *code = result->code;
	cell->state = result->ok ? PROBE_CELL_OK : PROBE_CELL_FAILED;
	if (result->ok && reply != NULL && reply->took_us > matrix->topology.slow_us) {
		cell->state = PROBE_CELL_SLOW;
		if (code[0] == '\0')
			code = "FED-150";
	}
	snprintf(cell->code, sizeof(cell->code), "%s", code);
}

void probe_matrix_set(struct probe_matrix *matrix, size_t index, const struct probe_result *result,
                      int64_t now_ms)
{
	struct probe_cell *cell = &matrix->cells[index];
	reset_cell(cell);
	if (result == NULL || !cell->expected || cell->address[0] == '\0')
		return;
	cell->result = xmemdup(result, sizeof(*result));
	cell->at_ms = now_ms;
	judge(matrix, cell);
}

void probe_matrix_set_refusal(struct probe_matrix *matrix, size_t index,
                              const struct probe_result *result)
{
	struct probe_cell *cell = &matrix->cells[index];
	if (result->ok || cell->result == NULL || !cell->result->ok)
		return;
	*cell->result = *result;
	judge(matrix, cell);
}

static void format_key(const struct probe_matrix *matrix, const struct probe_cell *cell,
                       struct buf *key)
{
	buf_clear(key);
	buf_printf(key, "%s\n%s\n%s\n%s\n%u\n%d", matrix->topology.clusters[cell->from].name,
	           matrix->topology.clusters[cell->to].name, cell->gateway, cell->address,
	           cell->port, cell->direct);
}

void probe_matrix_carry(struct probe_matrix *matrix, const struct probe_matrix *old)
{
	struct map by_key = MAP_EMPTY;
	struct buf key CLEANUP(buf_fini);
	buf_init(&key, 4096);
	for (size_t i = 0; i < old->n_cells; i++) {
		if (old->cells[i].result == NULL)
			continue;
		format_key(old, &old->cells[i], &key);
		map_set(&by_key, buf_str(&key), &old->cells[i]);
	}
	for (size_t i = 0; i < matrix->n_cells; i++) {
		format_key(matrix, &matrix->cells[i], &key);
		const struct probe_cell *from = map_find(&by_key, buf_str(&key));
		if (from != NULL)
			probe_matrix_set(matrix, i, from->result, from->at_ms);
	}
	map_fini(&by_key, NULL);
}
