/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each scope numbers its hypotheses by keys (a cluster, a gateway, a pair of networks), and each
 * cell belongs to at most two of a scope. One pass over the cells fills in what speaks for and
 * against every hypothesis; after that choosing is a matter of counters.
 */
#include "probe/grouping.h"

#include "grouping_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"

#define NO_KEY SIZE_MAX

enum {
	N_SCOPES = 8
};

struct hypothesis {
	size_t open;  /* cells that it would explain and nothing has yet */
	bool against; /* a cell in its reach speaks against it */
	bool needed;  /* the kind of cell that it cannot do without was seen */
	bool spread;  /* reaches two different ones (sources, networks, peers) */
	size_t first; /* the first of them, plus 1 */
};

struct work {
	const struct probe_matrix *matrix;
	const struct probe_topology *topology;
	const struct probe_cell *cells;
	size_t n_cells;
	size_t *network_of; /* cluster -> number of its network */
	size_t n_networks;
	size_t n_gateways;
	size_t *gateway_of; /* cell -> number of its gateway address, NO_KEY none */
	struct hypothesis *scopes[N_SCOPES];
	size_t n_keys[N_SCOPES];
	struct probe_causes *out;
};

/* What a cell is to a hypothesis. */
enum role {
	ROLE_NONE,    /* nothing to do with it */
	ROLE_FOR,     /* would be explained */
	ROLE_AGAINST, /* could not be if it were true */
};

static bool has_result(const struct probe_cell *cell)
{
	return cell->state == PROBE_CELL_OK || cell->state == PROBE_CELL_SLOW ||
	       cell->state == PROBE_CELL_FAILED;
}

static bool is_bad(const struct probe_cell *cell)
{
	return cell->state == PROBE_CELL_FAILED || cell->state == PROBE_CELL_NO_RESULT;
}

static bool has_code(const struct probe_cell *cell, const char *code)
{
	return strcmp(cell->code, code) == 0;
}

/* The network under the mesh is to blame, not what stands behind it. */
static bool failed_below_tls(const struct probe_cell *cell)
{
	return cell->state == PROBE_CELL_FAILED && cell->result != NULL &&
	       cell->result->n_steps > 0 && probe_result_failed(cell->result) <= PROBE_STAGE_TLS;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* The same both ways. */
static size_t link_of(const struct work *work, const struct probe_cell *cell)
{
	size_t from = work->network_of[cell->from];
	size_t to = work->network_of[cell->to];
	return from < to ? from * work->n_networks + to : to * work->n_networks + from;
}

static size_t key_of(const struct work *work, enum probe_scope scope, const struct probe_cell *cell,
                     bool second)
{
	switch (scope) {
	case PROBE_SCOPE_CLUSTER:
	case PROBE_SCOPE_SILENT:
		return second ? cell->to : cell->from;
	case PROBE_SCOPE_GATEWAY:
		return second ? NO_KEY : work->gateway_of[cell - work->cells];
	case PROBE_SCOPE_EGRESS:
		return second || cell->direct ? NO_KEY : cell->from;
	case PROBE_SCOPE_LINK:
		return second || cell->direct ? NO_KEY : link_of(work, cell);
	case PROBE_SCOPE_GROUP_PAIR:
		return second || cell->direct ? NO_KEY
		                              : work->network_of[cell->from] * work->n_networks +
		                                        work->network_of[cell->to];
	case PROBE_SCOPE_TRUST:
		return second ? NO_KEY : 0;
	case PROBE_SCOPE_PAIR:
		return second ? NO_KEY : cell->from * work->topology->n_clusters + cell->to;
	}
	UNREACHABLE("scope");
}

/* --- roles ------------------------------------------------------------------------------------ */

static enum role role_silent(const struct probe_cell *cell, bool second)
{
	if (!second)
		return cell->state == PROBE_CELL_NO_RESULT        ? ROLE_FOR
		       : has_result(cell) && cell->result != NULL ? ROLE_AGAINST
		                                                  : ROLE_NONE;
	/* Its probe does not answer either. */
	bool unanswered = (cell->state == PROBE_CELL_NO_RESULT && cell->address[0] == '\0') ||
	                  (cell->state == PROBE_CELL_FAILED && has_code(cell, "FED-131"));
	return unanswered ? ROLE_FOR : ROLE_NONE;
}

static enum role role_of(enum probe_scope scope, const struct probe_cell *cell, bool second)
{
	bool failed = cell->state == PROBE_CELL_FAILED;
	switch (scope) {
	case PROBE_SCOPE_CLUSTER:
		if (cell->state == PROBE_CELL_NO_RESULT || failed_below_tls(cell) ||
		    (failed && has_code(cell, "FED-131")))
			return ROLE_FOR;
		return ROLE_AGAINST;
	case PROBE_SCOPE_SILENT:
		return role_silent(cell, second);
	case PROBE_SCOPE_GATEWAY:
	case PROBE_SCOPE_GROUP_PAIR:
		if (cell->state == PROBE_CELL_NO_RESULT)
			return ROLE_NONE;
		return failed && !has_code(cell, "FED-120") ? ROLE_FOR : ROLE_AGAINST;
	case PROBE_SCOPE_EGRESS:
	case PROBE_SCOPE_LINK:
		if (cell->state == PROBE_CELL_NO_RESULT)
			return ROLE_NONE;
		return failed_below_tls(cell) ? ROLE_FOR : ROLE_AGAINST;
	case PROBE_SCOPE_TRUST:
		return failed && has_code(cell, "FED-120") ? ROLE_FOR : ROLE_NONE;
	case PROBE_SCOPE_PAIR:
		return is_bad(cell) ? ROLE_FOR : ROLE_NONE;
	}
	UNREACHABLE("scope");
}

/* Of which a wide hypothesis must reach two. */
static size_t spread_of(const struct work *work, enum probe_scope scope,
                        const struct probe_cell *cell, bool second)
{
	switch (scope) {
	case PROBE_SCOPE_CLUSTER:
		return second ? cell->from : cell->to;
	case PROBE_SCOPE_GATEWAY:
		return cell->from;
	case PROBE_SCOPE_EGRESS:
		return work->network_of[cell->to];
	case PROBE_SCOPE_LINK:
		return work->network_of[cell->from];
	case PROBE_SCOPE_GROUP_PAIR:
	case PROBE_SCOPE_TRUST:
		return cell->from * work->topology->n_clusters + cell->to;
	case PROBE_SCOPE_SILENT:
	case PROBE_SCOPE_PAIR:
		return 0;
	}
	UNREACHABLE("scope");
}

/* A cluster that is down is not reached; a silent probe has sent nothing. */
static bool is_needed(enum probe_scope scope, const struct probe_cell *cell, bool second)
{
	if (scope == PROBE_SCOPE_CLUSTER)
		return second && failed_below_tls(cell);
	if (scope == PROBE_SCOPE_SILENT)
		return !second && cell->state == PROBE_CELL_NO_RESULT;
	return true;
}

static void weigh(struct work *work, enum probe_scope scope, const struct probe_cell *cell,
                  bool second)
{
	size_t key = key_of(work, scope, cell, second);
	if (key == NO_KEY)
		return;
	struct hypothesis *hypothesis = &work->scopes[scope][key];
	size_t spread = spread_of(work, scope, cell, second) + 1;
	switch (role_of(scope, cell, second)) {
	case ROLE_NONE:
		return;
	case ROLE_AGAINST:
		hypothesis->against = true;
		return;
	case ROLE_FOR:
		break;
	}
	hypothesis->open++;
	hypothesis->needed |= is_needed(scope, cell, second);
	if (hypothesis->first == 0)
		hypothesis->first = spread;
	hypothesis->spread |= hypothesis->first != spread;
}

static bool holds(enum probe_scope scope, const struct hypothesis *hypothesis)
{
	bool narrow = scope == PROBE_SCOPE_SILENT || scope == PROBE_SCOPE_PAIR;
	return hypothesis->open > 0 && !hypothesis->against && hypothesis->needed &&
	       (narrow || hypothesis->spread);
}

/* --- choosing --------------------------------------------------------------------------------- */

/* Explained: no other hypothesis needs to do it. */
static void take_cell(struct work *work, const struct probe_cell *cell)
{
	for (int i = 0; i < 2 * N_SCOPES; i++) {
		enum probe_scope scope = (enum probe_scope)(i / 2);
		bool second = i % 2 == 1;
		size_t key = key_of(work, scope, cell, second);
		if (key != NO_KEY && role_of(scope, cell, second) == ROLE_FOR)
			work->scopes[scope][key].open--;
	}
}

static void explain(struct work *work, struct probe_cause *cause, size_t key)
{
	size_t number = work->out->n - 1;
	for (size_t i = 0; i < work->n_cells; i++) {
		const struct probe_cell *cell = &work->cells[i];
		bool in[2];
		if (work->out->of_cell[i] != SIZE_MAX || !cell->expected)
			continue;
		for (int k = 0; k < 2; k++)
			in[k] = key_of(work, cause->scope, cell, k == 1) == key &&
			        role_of(cause->scope, cell, k == 1) == ROLE_FOR;
		if (!in[0] && !in[1])
			continue;
		if (cause->explains++ == 0)
			cause->cell = i;
		work->out->of_cell[i] = number;
		take_cell(work, cell);
	}
}

static bool choose(const struct work *work, enum probe_scope *ret_scope, size_t *ret_key)
{
	size_t best = 0;
	for (int scope = 0; scope < N_SCOPES; scope++) {
		for (size_t key = 0; key < work->n_keys[scope]; key++) {
			const struct hypothesis *hypothesis = &work->scopes[scope][key];
			if (hypothesis->open <= best || !holds((enum probe_scope)scope, hypothesis))
				continue;
			best = hypothesis->open;
			*ret_scope = (enum probe_scope)scope;
			*ret_key = key;
		}
	}
	return best > 0;
}

static void add_cause(struct work *work, enum probe_scope scope, size_t key)
{
	struct probe_causes *out = work->out;
	out->list = xrealloc(out->list, (out->n + 1) * sizeof(*out->list));
	struct probe_cause *cause = &out->list[out->n++];
	*cause = (struct probe_cause){.scope = scope};
	if (scope == PROBE_SCOPE_CLUSTER || scope == PROBE_SCOPE_SILENT ||
	    scope == PROBE_SCOPE_EGRESS)
		cause->subject = key;
	explain(work, cause, key);
	probe_cause_describe(work->matrix, out, out->n - 1);
}

/* --- setting up ------------------------------------------------------------------------------- */

static void number_networks(struct work *work)
{
	struct map numbers = MAP_EMPTY;
	size_t n = work->topology->n_clusters;
	work->network_of = xcalloc(n + 1, sizeof(*work->network_of));
	for (size_t i = 0; i < n; i++) {
		const char *network = work->topology->clusters[i].network;
		uintptr_t number = (uintptr_t)map_find_text(&numbers, network);
		if (number == 0) {
			number = ++work->n_networks;
			map_set(&numbers, str_from(network), (void *)number);
		}
		work->network_of[i] = number - 1;
	}
	map_fini(&numbers, NULL);
}

/* Gateways that share an address are one. */
static void number_gateways(struct work *work)
{
	struct map numbers = MAP_EMPTY;
	struct buf key CLEANUP(buf_fini);
	buf_init(&key, 1024);
	work->gateway_of = xcalloc(work->n_cells + 1, sizeof(*work->gateway_of));
	for (size_t i = 0; i < work->n_cells; i++) {
		const struct probe_cell *cell = &work->cells[i];
		work->gateway_of[i] = NO_KEY;
		if (cell->address[0] == '\0' || cell->direct)
			continue;
		buf_clear(&key);
		buf_printf(&key, "%s %u", cell->address, cell->port);
		uintptr_t number = (uintptr_t)map_find(&numbers, buf_str(&key));
		if (number == 0) {
			number = ++work->n_gateways;
			map_set(&numbers, buf_str(&key), (void *)number);
		}
		work->gateway_of[i] = number - 1;
	}
	map_fini(&numbers, NULL);
}

static void set_up(struct work *work)
{
	size_t n = work->topology->n_clusters;
	const size_t n_keys[N_SCOPES] = {
		[PROBE_SCOPE_CLUSTER] = n,
		[PROBE_SCOPE_SILENT] = n,
		[PROBE_SCOPE_GATEWAY] = work->n_gateways,
		[PROBE_SCOPE_EGRESS] = n,
		[PROBE_SCOPE_LINK] = work->n_networks * work->n_networks,
		[PROBE_SCOPE_GROUP_PAIR] = work->n_networks * work->n_networks,
		[PROBE_SCOPE_TRUST] = 1,
		[PROBE_SCOPE_PAIR] = n * n,
	};
	for (int scope = 0; scope < N_SCOPES; scope++) {
		work->n_keys[scope] = n_keys[scope];
		work->scopes[scope] = xcalloc(n_keys[scope] + 1, sizeof(*work->scopes[scope]));
	}
	for (size_t i = 0; i < work->n_cells; i++) {
		if (!work->cells[i].expected)
			continue;
		for (int scope = 0; scope < N_SCOPES; scope++) {
			weigh(work, (enum probe_scope)scope, &work->cells[i], false);
			weigh(work, (enum probe_scope)scope, &work->cells[i], true);
		}
	}
	if (!probe_trust_is_split(work->matrix))
		work->scopes[PROBE_SCOPE_TRUST][0].against = true;
}

void probe_grouping_run(const struct probe_matrix *matrix, struct probe_causes *ret_causes)
{
	struct work work = {
		.matrix = matrix,
		.topology = probe_matrix_topology(matrix),
		.out = ret_causes,
	};
	enum probe_scope scope;
	size_t key;
	work.cells = probe_matrix_cells(matrix, &work.n_cells);
	*ret_causes = (struct probe_causes){.list = NULL};
	ret_causes->of_cell = xcalloc(work.n_cells + 1, sizeof(*ret_causes->of_cell));
	for (size_t i = 0; i < work.n_cells; i++)
		ret_causes->of_cell[i] = SIZE_MAX;
	number_networks(&work);
	number_gateways(&work);
	set_up(&work);
	while (ret_causes->n < PROBE_CAUSES_MAX && choose(&work, &scope, &key))
		add_cause(&work, scope, key);
	for (int i = 0; i < N_SCOPES; i++)
		free(work.scopes[i]);
	free(work.network_of);
	free(work.gateway_of);
}

void probe_causes_fini(struct probe_causes *causes)
{
	free(causes->list);
	free(causes->of_cell);
	*causes = (struct probe_causes){.list = NULL};
}
