/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - whole files: read with a limit, replaced as one step.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Replaces buf's content. ERR_NOT_FOUND, ERR_TOO_LARGE (over buf->max), ERR_IO. */
MUST_CHECK
bool file_load(const char *path, struct buf *buf, struct err *err);

/* Written beside, fsynced, renamed over path, folder fsynced: old or new, never half. */
MUST_CHECK
bool file_save(const char *path, struct str content, mode_t mode, struct err *err);

/* Makes path and its parents (0700). */
MUST_CHECK
bool file_make_dirs(const char *path, struct err *err);
