/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - one member's snapshot on disk, so that a restart knows what was there.
 *
 *   CLUSTER.snapshot   {"generation": N}\n  whole snapshot, replaced as one step, synced to the
 * disk CLUSTER.journal    {"generation": N}\n  one line per change since, appended
 *
 * A journal of another generation, and a last line that was cut, do not count. Appends are not
 * synced one by one: they survive the end of the process, and after a power cut the copy may lack
 * the last changes, which is a state that was true shortly before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/snapshot.h"

enum {
	COPY_SNAPSHOT_MAX = 64 << 20, /* bytes; what the JSON reader takes */
	COPY_JOURNAL_LEAST = 256 << 10
};

/* --- pure ------------------------------------------------------------------------------------- */

/* One line that leads from an older snapshot to `snapshot`, given the keys that differ. Ends with
 * a line feed; out's maximum may be passed (buf_failed). */
void copy_change_encode(const struct snapshot *snapshot, const char *const *keys, size_t n_keys,
                        struct buf *out);
/* Puts a line into effect: a new snapshot, owned. NULL with err: broken. */
MUST_CHECK
struct snapshot *copy_change_apply(struct snapshot *snapshot, struct str line, struct err *err);

/* --- files ------------------------------------------------------------------------------------ */

struct copy {
	char *snapshot_path;
	char *journal_path;
	int journal_fd; /* -1: not open */
	uint64_t generation;
	size_t snapshot_bytes;
	size_t journal_bytes;
};

void copy_init(struct copy *copy, const char *dir, const char *cluster);
void copy_fini(struct copy *copy);

/* Owned; NULL with ERR_NOT_FOUND: there is none; other errors: not readable. ret_saved_wall_s: when
 * it was last known to be right. */
MUST_CHECK
struct snapshot *copy_load(struct copy *copy, int64_t *ret_saved_wall_s, struct err *err);

/* Writes the change, or, where that is smaller or the first time, the whole. */
MUST_CHECK
bool copy_write(struct copy *copy, const struct snapshot *snapshot, const char *const *keys,
                size_t n_keys, struct err *err);
/* It is still right now. */
void copy_touch(const struct copy *copy);
void copy_remove(struct copy *copy);
