/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core - the state of the server without its transport: kinds with their objects, history, and the
 * one way to change them.
 */
#pragma once

#include "hub.h"
#include "kinds.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct api_answer_kind;
struct api_committer;
struct api_tokens;
struct api_row;

enum {
	API_ANSWERS_MAX = 16
};

struct api_core {
	struct api_kinds kinds;     /* of the logical cluster "" */
	struct schema *object_meta; /* of metadata, for every kind */
	struct api_hub hub;
	uint64_t head; /* the newest revision, on disk or not */
	/* NULL: in memory only, every write is durable at once (tests). */
	struct api_committer *committer;
	bool is_failing;           /* the disk refuses */
	uint64_t start_id;         /* random, of this life: part of ETags */
	struct api_tokens *tokens; /* of service accounts; borrowed, NULL: none are valid */
	char *admin_token;         /* NULL: none */
	/* Put into kube-root-ca.crt of every namespace; NULL: none. */
	char *ca_pem;
	/* Resources that others compute; each is also a virtual kind. */
	const struct api_answer_kind *answers[API_ANSWERS_MAX];
	size_t n_answers;
	/* The moment, set by whoever calls. */
	int64_t now_s;
	int64_t now_ms; /* monotonic */
	/* Namespaces and definitions that are going away; see lifecycle. */
	bool has_chores;
};

MUST_CHECK
bool api_core_init(struct api_core *core, struct err *err);
void api_core_fini(struct api_core *core);

/*
 * The object, new or changed, becomes the current one under the next revision. obj is borrowed; its
 * resourceVersion does not matter. Returns the new state, borrowed from the index.
 */
struct api_object *api_core_put(struct api_core *core, struct api_resource *resource,
                                const json_t *obj);
/* The object goes away; last is what the DELETED event shows. */
void api_core_remove(struct api_core *core, struct api_resource *resource, const json_t *last);

/* One row of the store at start. */
MUST_CHECK
bool api_core_load_row(struct api_core *core, const struct api_row *row, uint64_t compacted,
                       struct err *err);
/* From the committer. */
void api_core_set_durable(struct api_core *core, uint64_t rev);

/* A namespace that takes new objects? Borrowed, NULL: there is none. */
struct api_object *api_core_find_namespace(const struct api_core *core, const char *name);
