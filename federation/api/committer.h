/* SPDX-License-Identifier: Apache-2.0 */
/*
 * committer - the store's thread: whatever has been queued meanwhile goes into one transaction, so
 * many writers share one fsync.
 *
 * Functions are for the loop's thread; callbacks run there too. While the disk refuses, the same
 * rows are tried again each second, and nothing is answered.
 */
#pragma once

#include "store.h"

struct api_committer;
struct loop;

struct api_committer_events {
	/* Everything up to rev is on disk. */
	void (*on_durable)(uint64_t rev, void *arg);
	/* The disk refuses (err), or accepts again (err NULL). */
	void (*on_failing)(const struct err *err, void *arg);
	void *arg;
};

/* Takes over the store. */
struct api_committer *api_committer_create(struct loop *loop, struct api_store *store,
                                           const struct api_committer_events *events);
/* Commits what is queued (one try), ends the thread, closes the store. No callbacks any more. */
void api_committer_destroy(struct api_committer *committer);

/* Takes over the row's memory. Revisions come in order. */
void api_committer_add(struct api_committer *committer, const struct api_row *row);
/* When the queue is empty the next time. */
void api_committer_compact(struct api_committer *committer, uint64_t rev);
