/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - cells in columns, as every list of `fedway` is printed: two blanks between columns, left
 * aligned, no lines, nothing cut. Width is that of a terminal (East Asian wide characters count
 * two, colours nothing). Pure.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"

enum {
	TABLE_COLUMNS_MAX = 64,
	TABLE_CELL_MAX = 64 << 10
};

struct table {
	size_t n_columns;
	size_t indent; /* blanks before every line */
	char **cells;
	size_t n_cells;
	size_t cap;
};

/* n_columns: 1 to TABLE_COLUMNS_MAX. */
void table_init(struct table *table, size_t n_columns);
/* Harmless twice. Usable with CLEANUP(). */
void table_fini(struct table *table);

/* The next cell; after n_columns of them a row is complete. Control characters become blanks, but
 * for the escapes of colours. */
void table_cell(struct table *table, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Complete rows only; no blanks at the end of a line. */
void table_format(const struct table *table, struct buf *out);

/* Columns that UTF-8 text takes on a terminal. */
size_t table_width(const char *text);
