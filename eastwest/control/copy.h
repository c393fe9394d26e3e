/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - the last good configuration of a gateway on disk, from which it starts when nothing else
 * can be had.
 *
 *   fedway-gateway-copy FORMAT SHA256-HEX\n
 *   canonical JSON
 *
 * Written beside and renamed (0600). A copy whose head, format or checksum is wrong counts as none.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
	EW_COPY_FORMAT = 1
};

/* DIR/last-good.json. ERR_IO. */
MUST_CHECK
bool ew_copy_save(const char *dir, const json_t *tree, struct err *err);
/* Owned. NULL: ERR_NOT_FOUND, ERR_INVALID (the message says what is wrong), ERR_IO. */
MUST_CHECK
json_t *ew_copy_load(const char *dir, struct err *err);
void ew_copy_remove(const char *dir);

/* The pure part: the text of the file, owned; and back. */
char *ew_copy_format(const json_t *tree);
MUST_CHECK
json_t *ew_copy_parse(struct str text, struct err *err);
