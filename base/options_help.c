/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/options.h"

enum {
	HELP_INDENT = 6,
	HELP_WIDTH = 80
};

/* Words of text in lines of HELP_WIDTH, each indented. */
static void add_wrapped(struct buf *out, const char *text, size_t indent)
{
	struct str rest = str_from(text);
	struct str word;
	size_t column = 0;

	while (str_split(&rest, ' ', &word)) {
		if (column > 0 && column + 1 + word.len > HELP_WIDTH) {
			buf_add_char(out, '\n');
			column = 0;
		}
		if (column == 0) {
			buf_printf(out, "%*s", (int)indent, "");
			column = indent;
		} else {
			buf_add_char(out, ' ');
			column++;
		}
		buf_add_str(out, word);
		column += word.len;
	}
	buf_add_char(out, '\n');
}

static bool is_repeatable(enum options_kind kind)
{
	return kind == OPTIONS_TEXTS || kind == OPTIONS_HOSTPORTS;
}

static void add_row(struct buf *out, const struct options_row *row)
{
	char letter[8] = "";

	if (row->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	buf_printf(out, "  %s--%s%s%s\n", letter, row->name, row->arg != NULL ? " " : "",
	           row->arg != NULL ? row->arg : "");
	add_wrapped(out, row->help, HELP_INDENT);
	if (row->dflt != NULL)
		buf_printf(out, "%*sDefault: %s\n", HELP_INDENT, "", row->dflt);
	if (is_repeatable(row->kind))
		buf_printf(out, "%*sMay be given several times.\n", HELP_INDENT, "");
}

static bool has_env(const struct options_spec *spec)
{
	for (size_t i = 0; i < spec->n_rows; i++) {
		if (!spec->rows[i].no_env)
			return true;
	}
	return false;
}

void options_format_help(const struct options_spec *spec, struct buf *out)
{
	buf_printf(out, "Usage: %s%s%s%s\n\n", spec->program,
	           spec->n_rows > 0 ? " [OPTION...]" : "", spec->operands != NULL ? " " : "",
	           spec->operands != NULL ? spec->operands : "");
	add_wrapped(out, spec->about, 0);
	buf_add_text(out, "\nOptions:\n");
	for (size_t i = 0; i < spec->n_rows; i++)
		add_row(out, &spec->rows[i]);
	buf_add_text(out, "  -h, --help\n  --version\n");
	if (has_env(spec)) {
		buf_add_char(out, '\n');
		add_wrapped(out,
		            "Every option can come from the environment: --some-name is "
		            "FEDWAY_SOME_NAME. The command line wins.",
		            0);
	}
}
