/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - revisions in SQLite: one row a change, row id = revision = resourceVersion.
 *
 *   id │ cluster resource namespace name │ created deleted prev │ time │ value (the whole object)
 *
 * A change names the revision it replaces; (name, prev) is unique, so two changes can never follow
 * the same state. The state is each name's newest row; history is what has not been compacted.
 * Blocking: used at start, then only by the committer's thread.
 * Source: the table follows kine's (one append-only log with its revisions as keys).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	API_STORE_VERSION = 1 /* of the file's layout: PRAGMA user_version */
};

struct api_row {
	uint64_t rev;
	uint64_t create_rev;
	uint64_t prev_rev; /* 0: the object was not there */
	bool deleted;
	int64_t time_s; /* wall clock */
	char *cluster;  /* texts and value are owned */
	char *resource; /* "widgets.example.com" */
	char *namespace_;
	char *name;
	struct str value;
};

void api_row_fini(struct api_row *row);

struct api_store;

/* Opens or makes the file, held exclusively. Older layouts are migrated after a copy was put beside
 * them. ERR_INVALID: made by a newer version; ERR_IO: everything else, locked by another process
 * among it. */
MUST_CHECK
struct api_store *api_store_open(const char *path, struct err *err);
void api_store_close(struct api_store *store);

/* Every row that is left, oldest first; the row is borrowed for the call. cb returning false ends
 * it with cb's err. */
typedef bool (*api_row_cb)(const struct api_row *row, void *arg, struct err *err);
MUST_CHECK
bool api_store_load(struct api_store *store, api_row_cb cb, void *arg, struct err *err);
/* History begins behind this revision. */
MUST_CHECK
bool api_store_compacted(struct api_store *store, uint64_t *ret_rev, struct err *err);

/* All rows in one transaction, on disk when this returns. */
MUST_CHECK
bool api_store_write(struct api_store *store, const struct api_row *rows, size_t n,
                     struct err *err);
/* Deletes what was replaced or deleted at rev or before. */
MUST_CHECK
bool api_store_compact(struct api_store *store, uint64_t rev, struct err *err);
