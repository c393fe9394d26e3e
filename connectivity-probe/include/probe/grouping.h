/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grouping - the fewest causes that explain everything that failed in a matrix. Hypotheses are
 * tried in this order, and each step takes the one that explains most of what is still open (the
 * earlier one among equals); a cell has one cause.
 *
 *   cluster down    nothing from or to it works                       a cross
 *   probe silent    no results from it
 *   gateway         nothing through one address of a gateway works    a column
 *   egress          nothing from one cluster to others works          a row
 *   link            nothing between two networks works, either way
 *   group pair      nothing from one network to another works         a block
 *   trust split     the clusters fall into parts with other roots
 *   single pair     what is left
 *
 * A hypothesis holds only if no cell in its reach speaks against it. Pure; any thread.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "probe/matrix.h"

enum {
	PROBE_CAUSES_MAX = 256 /* what is left then has no cause */
};

enum probe_scope {
	PROBE_SCOPE_CLUSTER,
	PROBE_SCOPE_SILENT,
	PROBE_SCOPE_GATEWAY,
	PROBE_SCOPE_EGRESS,
	PROBE_SCOPE_LINK,
	PROBE_SCOPE_GROUP_PAIR,
	PROBE_SCOPE_TRUST,
	PROBE_SCOPE_PAIR,
};

struct probe_cause {
	enum probe_scope scope;
	char code[PROBE_CODE_MAX]; /* of causes.yaml */
	size_t subject;            /* CLUSTER, SILENT, EGRESS: that cluster; else 0 */
	size_t cell;               /* the first one that it explains */
	size_t explains;           /* cells */
	char message[512];
};

struct probe_causes {
	struct probe_cause *list; /* owned */
	size_t n;
	size_t *of_cell; /* owned: for each cell its cause, SIZE_MAX none */
};

void probe_grouping_run(const struct probe_matrix *matrix, struct probe_causes *ret_causes);
void probe_causes_fini(struct probe_causes *causes);
/* [{code, explains, message, remedy, command}], words in capitals filled in. Owned. */
json_t *probe_causes_encode(const struct probe_matrix *matrix, const struct probe_causes *causes);
