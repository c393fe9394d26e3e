/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/alloc.h"

enum {
	GUTTER = 2,
	ESCAPE = 0x1b,
	DELETE = 0x7f
};

void table_init(struct table *table, size_t n_columns)
{
	if (n_columns == 0 || n_columns > TABLE_COLUMNS_MAX)
		UNREACHABLE("a table has columns, and not too many");
	*table = (struct table){.n_columns = n_columns};
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->n_cells = table->cap = 0;
}

void table_cell(struct table *table, const char *fmt, ...)
{
	struct buf text;
	char piece[TABLE_CELL_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(piece, sizeof(piece), fmt, args);
	va_end(args);
	buf_init(&text, sizeof(piece));
	for (const char *at = piece; *at != '\0'; at++) {
		bool control = ((unsigned char)*at < ' ' && *at != ESCAPE) || *at == DELETE;
		buf_add_char(&text, control ? ' ' : *at);
	}
	if (table->n_cells == table->cap) {
		table->cap = table->cap == 0 ? 64 : table->cap * 2;
		table->cells = xrealloc(table->cells, table->cap * sizeof(*table->cells));
	}
	table->cells[table->n_cells++] = xstrdup(buf_text(&text));
	buf_fini(&text);
}

/* Past the escape that sets a colour, which begins at text; text itself when it is none. */
static const char *skip_colour(const char *text)
{
	if (text[0] != ESCAPE || text[1] != '[')
		return text;
	const char *end = strchr(text, 'm');
	return end != NULL ? end + 1 : text;
}

/* In the locale in force, which must be of UTF-8. */
static size_t width_of(const char *text)
{
	size_t width = 0;
	mbstate_t state = {0};
	while (*text != '\0') {
		const char *next = skip_colour(text);
		wchar_t c;
		if (next != text) {
			text = next;
			continue;
		}
		size_t len = mbrtowc(&c, text, strlen(text), &state);
		if (len == (size_t)-1 || len == (size_t)-2) {
			state = (mbstate_t){0};
			len = 1;
			width++;
		} else {
			int columns = wcwidth(c);
			width += columns > 0 ? (size_t)columns : 0;
		}
		text += len;
	}
	return width;
}

/* Widths do not depend on the user's locale: our text is UTF-8 everywhere. */
static locale_t enter_utf8(locale_t *ret_before)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	*ret_before = utf8 != (locale_t)0 ? uselocale(utf8) : (locale_t)0;
	return utf8;
}

static void leave_utf8(locale_t utf8, locale_t before)
{
	if (utf8 == (locale_t)0)
		return;
	uselocale(before);
	freelocale(utf8);
}

size_t table_width(const char *text)
{
	locale_t before;
	locale_t utf8 = enter_utf8(&before);
	size_t width = width_of(text);
	leave_utf8(utf8, before);
	return width;
}

static void add_row(const struct table *table, char **cells, const size_t *widths, struct buf *out)
{
	size_t last = table->n_columns;
	while (last > 0 && cells[last - 1][0] == '\0')
		last--;
	if (last > 0)
		buf_printf(out, "%*s", (int)table->indent, "");
	for (size_t i = 0; i < last; i++) {
		size_t pad = i + 1 < last ? widths[i] + GUTTER - width_of(cells[i]) : 0;
		buf_printf(out, "%s%*s", cells[i], (int)pad, "");
	}
	buf_add_char(out, '\n');
}

void table_format(const struct table *table, struct buf *out)
{
	locale_t before;
	locale_t utf8 = enter_utf8(&before);
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t n = table->n_cells / table->n_columns * table->n_columns;
	for (size_t i = 0; i < n; i++) {
		size_t width = width_of(table->cells[i]);
		if (width > widths[i % table->n_columns])
			widths[i % table->n_columns] = width;
	}
	for (size_t i = 0; i < n; i += table->n_columns)
		add_row(table, table->cells + i, widths, out);
	leave_utf8(utf8, before);
}
