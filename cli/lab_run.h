/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_run - runs `ip`, `nft` and their like and keeps what they say when they fail.
 */
#pragma once

#include "base/err.h"

/* A command line, words parted by single blanks. ERR_IO with the program's own words. */
MUST_CHECK
bool lab_run(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
