/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix - which cluster reaches which: a cell for each ordered pair of clusters and each gateway
 * address that leads there, with the last result of its check.
 *
 *   same network      one cell, to the other cluster's probe itself (gateway "")
 *   both joined       one cell for each gateway address of the other network
 *   anything else     one cell that is not expected
 *
 * A matrix keeps its own copy of the topology. The clock is a parameter. One thread.
 * Source: contracts 6 (ConnectivityMatrix).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probe/ladder.h"

enum {
	PROBE_CLUSTERS_MAX = 1000,
	PROBE_CELLS_MAX = 1 << 20,
	PROBE_SLOW_US = 250000 /* reply later than this is slow, when the topology names none */
};

/* Borrowed texts. */
struct probe_cluster {
	const char *name;
	const char *network; /* its network group, "" none */
	bool joined;         /* that group is in the interconnect */
	const char *address; /* of its probe, for direct checks; NULL or "": not known */
	uint16_t port;
};

struct probe_gateway {
	const char *name;    /* may be "" (an address typed on the group) */
	const char *network; /* the one that it leads into */
	const char *address; /* "": it has none yet */
	uint16_t port;
};

struct probe_topology {
	const struct probe_cluster *clusters;
	size_t n_clusters;
	const struct probe_gateway *gateways;
	size_t n_gateways;
	uint32_t slow_us; /* 0: PROBE_SLOW_US */
};

enum probe_cell_state {
	PROBE_CELL_OK,
	PROBE_CELL_SLOW,
	PROBE_CELL_FAILED,
	PROBE_CELL_NO_RESULT,
	PROBE_CELL_NOT_EXPECTED,
};

/* "Ok", "Slow", ... */
const char *probe_cell_state_name(enum probe_cell_state state);

struct probe_cell {
	size_t from; /* index into the topology's clusters */
	size_t to;
	const char *gateway; /* borrowed from the matrix; "" for a direct cell */
	const char *address; /* "" when there is none */
	uint16_t port;
	bool expected;
	bool direct;
	enum probe_cell_state state;
	char code[PROBE_CODE_MAX];
	int64_t at_ms;               /* of the result, monotonic; 0: none */
	struct probe_result *result; /* owned by the matrix, NULL: none */
};

bool probe_topology_eq(const struct probe_topology *a, const struct probe_topology *b);

struct probe_matrix;

/* ERR_TOO_LARGE: more than PROBE_CLUSTERS_MAX clusters or PROBE_CELLS_MAX cells. */
MUST_CHECK
struct probe_matrix *probe_matrix_create(const struct probe_topology *topology, struct err *err);
/* NULL is harmless. */
void probe_matrix_destroy(struct probe_matrix *matrix);

/* Borrowed; texts are the matrix's own. */
const struct probe_topology *probe_matrix_topology(const struct probe_matrix *matrix);
const struct probe_cell *probe_matrix_cells(const struct probe_matrix *matrix, size_t *ret_n);

/* The check that a cell stands for. sni is written into sni_text, which the check borrows, as it
 * does the matrix's texts. False: nothing to check (not expected, no address). */
enum {
	PROBE_SNI_MAX = 254
};
bool probe_matrix_check(const struct probe_matrix *matrix, size_t cell,
                        char sni_text[PROBE_SNI_MAX], struct probe_check *ret_check);

/* result is copied; NULL: there is none (the probe did not answer). A cell without an address keeps
 * its own code. */
void probe_matrix_set(struct probe_matrix *matrix, size_t cell, const struct probe_result *result,
                      int64_t now_ms);
/* The negative check of this cell's address failed: so does the cell, unless it failed before. */
void probe_matrix_set_refusal(struct probe_matrix *matrix, size_t cell,
                              const struct probe_result *result);
/* Takes over the results of cells that old has too (same clusters, gateway and address). */
void probe_matrix_carry(struct probe_matrix *matrix, const struct probe_matrix *old);

/* {"apiVersion", "kind": "ConnectivityMatrix", "observedAt", "ageSeconds", "cells", "causes"}.
 * observedAt is the newest result. Owned by the caller. */
json_t *probe_matrix_encode(const struct probe_matrix *matrix, int64_t now_ms, int64_t wall_s);
