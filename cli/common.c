/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include "command.h"
#include "table.h"

enum {
	LINE_COLUMNS = 80
};

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/yaml.h"

static const char *const forms[] = {"table", "wide", "json", "yaml", "name"};

static bool wants_color(const char *when)
{
	const char *none = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(STDOUT_FILENO) && (none == NULL || none[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

bool look_make(const struct cli_common *common, struct look *ret_look, struct err *err)
{
	struct look look = {.color = wants_color(common->color), .ascii = common->ascii};
	size_t form = 0;
	while (form < N_ELEMS(forms) && strcmp(common->output, forms[form]) != 0)
		form++;
	if (form == N_ELEMS(forms))
		return err_set(err, ERR_INVALID,
		               "--output '%s' is none of table, wide, json, yaml, name",
		               common->output);
	if (strcmp(common->color, "auto") != 0 && strcmp(common->color, "always") != 0 &&
	    strcmp(common->color, "never") != 0)
		return err_set(err, ERR_INVALID, "--color '%s' is none of auto, always, never",
		               common->color);
	look.form = (enum look_form)form;
	*ret_look = look;
	return true;
}

const char *look_mark(struct look look, enum look_mark mark, char text[LOOK_MARK_MAX])
{
	static const struct {
		const char *glyph;
		const char *word;
		const char *color;
	} marks[] = {
#define X(mark, glyph, word, colour) {glyph, word, colour},
		LOOK_MARKS(X)
#undef X
	};
	const char *shown = look.ascii ? marks[mark].word : marks[mark].glyph;
	if (look.color && marks[mark].color[0] != '\0')
		snprintf(text, LOOK_MARK_MAX, "\x1b[%sm%s\x1b[0m", marks[mark].color, shown);
	else
		snprintf(text, LOOK_MARK_MAX, "%s", shown);
	return text;
}

const char *look_dash(struct look look)
{
	return look.ascii ? "-" : "–";
}

void look_wrap(struct buf *out, const char *label, const char *text)
{
	struct str rest = str_from(text);
	struct str word;
	size_t indent = table_width(label);
	size_t column = 0;
	if (text[0] == '\0')
		return;
	buf_add_text(out, label);
	while (str_split(&rest, ' ', &word)) {
		if (column > 0 && indent + column + 1 + word.len > LINE_COLUMNS) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = 0;
		}
		buf_printf(out, "%s%.*s", column > 0 ? " " : "", STR_ARG(word));
		column += word.len + (column > 0 ? 1 : 0);
	}
	buf_add_char(out, '\n');
}

void look_print_json(struct look look, const json_t *value)
{
	char *text = look.form == LOOK_YAML ? yaml_format(value)
	                                    : json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
	if (text == NULL)
		UNREACHABLE("what was parsed can be written");
	fputs(text, stdout);
	if (look.form != LOOK_YAML)
		putchar('\n');
	free(text);
}

void look_print(const struct buf *text)
{
	fputs(buf_text(text), stdout);
}

void cli_done(const struct cli_common *common, const char *fmt, ...)
{
	bool data = strcmp(common->output, "json") == 0 || strcmp(common->output, "yaml") == 0;
	FILE *to = data ? stderr : stdout;
	va_list args;
	va_start(args, fmt);
	vfprintf(to, fmt, args);
	va_end(args);
	fputc('\n', to);
}

int cli_confirm(const struct cli_common *common, const char *question)
{
	char line[16];
	if (common->yes)
		return -1;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		fputs("fedway: this needs a yes, and there is no terminal to ask on; add --yes\n",
		      stderr);
		return EXIT_REFUSED;
	}
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
		return -1;
	fputs("nothing was changed\n", stderr);
	return EXIT_REFUSED;
}

int cli_usage(const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "fedway: %s\n", text);
	return EXIT_USAGE;
}
