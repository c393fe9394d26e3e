/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "common.h"
#include "table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model/causes.h"

struct help_options {
	struct cli_common common;
	const char *lang;
};

static_assert(sizeof(struct help_options) <= CLI_SIZE, "fits");

static const struct options_row rows[] = {
	{.name = "lang",
         .kind = OPTIONS_TEXT,
         .arg = "LANG",
         .dflt = "en",
         .help = "language of titles: en or zh-CN",
         .offset = offsetof(struct help_options, lang)},
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_help_spec = {
	.program = "fedway help",
	.operands = "[FED-NNN | causes | exit-codes | COMMAND...]",
	.about = "Explains a cause, an exit code or a command. Needs no server.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

const struct options_spec cmd_version_spec = {
	.program = "fedway version",
	.about = "Says which version this is.",
	.rows = rows + 1,
	.n_rows = N_ELEMS(rows) - 1,
};

static void exit_codes(struct buf *out)
{
	static const struct {
		int value;
		const char *text;
	} exits[] = {
#define X(name, value, text) {value, text},
		CLI_EXITS(X)
#undef X
	};
	struct table table CLEANUP(table_fini);
	table_init(&table, 2);
	table_cell(&table, "CODE");
	table_cell(&table, "MEANING");
	for (size_t i = 0; i < N_ELEMS(exits); i++) {
		table_cell(&table, "%d", exits[i].value);
		table_cell(&table, "%s", exits[i].text);
	}
	table_format(&table, out);
}

static const char *title_of(const struct cause *cause, const char *lang)
{
	return strncmp(lang, "zh", 2) == 0 ? cause->title_zh : cause->title;
}

static void causes(struct buf *out, const char *lang)
{
	size_t n;
	const struct cause *all = cause_all(&n);
	struct table table CLEANUP(table_fini);
	table_init(&table, 3);
	table_cell(&table, "CODE");
	table_cell(&table, "SEVERITY");
	table_cell(&table, "TITLE");
	for (size_t i = 0; i < n; i++) {
		table_cell(&table, "%s", all[i].code);
		table_cell(&table, "%s", all[i].severity);
		table_cell(&table, "%s", title_of(&all[i], lang));
	}
	table_format(&table, out);
}

static void add_part(struct buf *out, const char *label, const char *text)
{
	if (text[0] != '\0')
		buf_add_char(out, '\n');
	look_wrap(out, label, text);
}

static void one_cause(struct buf *out, const struct cause *cause, const char *lang)
{
	buf_printf(out, "%s  %s  %s\n", cause->code, cause->severity, title_of(cause, lang));
	add_part(out, "Cause   ", cause->cause);
	add_part(out, "Remedy  ", cause->remedy);
	if (cause->command[0] != '\0')
		buf_printf(out, "\n%-8s%s\n", "Run", cause->command);
}

static int on_command(char **words, int n)
{
	int n_words;
	struct buf text CLEANUP(buf_fini) = {0};
	const struct command *command = command_find(n, words, &n_words);
	if (command == NULL) {
		const struct command *near = command_nearest(n, words);
		return cli_usage("no help on '%s'%s%s%s", words[0],
		                 near != NULL ? "; did you mean '" : "",
		                 near != NULL ? near->words : "", near != NULL ? "'?" : "");
	}
	buf_init(&text, CLI_TEXT_MAX);
	options_format_help(command->spec, &text);
	look_print(&text);
	return EXIT_DONE;
}

int cmd_help(void *arg)
{
	const struct help_options *options = arg;
	const struct options_head *head = &options->common.head;
	const char *word = head->n_args > 0 ? head->args[0] : "";
	const struct cause *cause = cause_find(word);
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (word[0] == '\0')
		command_list(&text);
	else if (strcmp(word, "exit-codes") == 0)
		exit_codes(&text);
	else if (strcmp(word, "causes") == 0)
		causes(&text, options->lang);
	else if (cause != NULL)
		one_cause(&text, cause, options->lang);
	else if (strncmp(word, "FED-", 4) == 0)
		return cli_usage("there is no cause '%s'; fedway help causes lists them", word);
	else
		return on_command(head->args, head->n_args);
	look_print(&text);
	return EXIT_DONE;
}

int cmd_version(void *arg)
{
	struct look look;
	struct err err;
	if (!look_make(arg, &look, &err))
		return cli_usage("%s", err.msg);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML) {
		json_t *version = json_pack("{ss}", "version", FEDWAY_VERSION);
		look_print_json(look, version);
		json_decref(version);
	} else {
		puts("fedway " FEDWAY_VERSION);
	}
	return EXIT_DONE;
}
