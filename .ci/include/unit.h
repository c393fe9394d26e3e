/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit - cmocka with the headers that it wants before it, and the test of a table's row.
 */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Names the row of a table before the test fails. */
#define assert_row(row, condition)                                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("row '%s': %s", (row), #condition);                               \
	} while (0)
