/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program - what consumers with the same view hold, kept up to date: a model view on one side, an
 * xDS set on the other. No I/O; the clock is a parameter; loop thread.
 *
 *   mesh ──▶ view_update ──▶ view_diff ──▶ resources ──▶ xds_set ──▶ every stream that follows it
 *
 * Only what differs is encoded again. A pure weight change goes out at once, then at most one a
 * second per resource; a change from none to some, or some to none, ready always goes out at once.
 *
 * While a member is incomplete (its lists have not ended since start), what it contributes to is
 * held: sent to consumers that do not have it, never changed or removed where they do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/view.h"
#include "xds/set.h"

enum {
	PROGRAM_WEIGHTS_MS = 1000 /* between two pure weight changes of one resource */
};

struct program;

/* Is the service held: does a member that is incomplete contribute to it? */
typedef bool (*program_held_cb)(const struct mesh_service *service, void *arg);

struct program_config {
	struct view_key key;  /* copied */
	program_held_cb held; /* NULL: never */
	void *arg;
};

struct program *program_create(const struct program_config *config);
/* NULL is harmless. The set lives on with its other owners. */
void program_destroy(struct program *program);

/* Follows a later mesh. Returns true if the set changed and must be flushed. */
bool program_update(struct program *program, struct mesh *mesh, int64_t now_ms);
/* Sends weight changes whose second is over. True: the set changed. ret_next_ms: when to call
 * again, -1 never. */
bool program_tick(struct program *program, int64_t now_ms, int64_t *ret_next_ms);
/* What is held may have changed: every resource is looked at again. True: the set changed. */
bool program_review(struct program *program, bool all_complete);

/* Borrowed. */
struct xds_set *program_set(const struct program *program);
const struct view *program_view(const struct program *program);
bool program_is_for(const struct program *program, const struct view_key *key);

/* Resources encoded since the beginning: what a test of "work in proportion" looks at. */
uint64_t program_encoded(const struct program *program);
