/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three passes over the table: defaults, environment, command line; each goes through set_value(),
 * so that they take the same texts and complain in the same words.
 */
#include "base/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/alloc.h"

enum {
	OPTIONS_NAME_MAX = 80,
	LONG_FIRST = 1000, /* getopt value of row 0, past all letters */
	WISH_HELP = 2000,
	WISH_VERSION = 2001
};

static void *field_of(const struct options_row *row, void *target)
{
	return (char *)target + row->offset;
}

static bool is_list(enum options_kind kind)
{
	return kind == OPTIONS_TEXTS || kind == OPTIONS_HOSTPORTS;
}

static void clear_list(struct options_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct options_list){NULL, 0};
}

/* --- values ----------------------------------------------------------------------------------- */

static bool set_bool(const char *text, bool *field)
{
	*field = strcmp(text, "true") == 0;
	return *field || strcmp(text, "false") == 0;
}

static bool is_listen(const char *text)
{
	struct str s = str_from(text);
	struct addr addr;
	uint64_t fd;

	if (str_starts_with(s, STR_LIT("fd:")))
		return str_to_u64(str_make(s.ptr + 3, s.len - 3), INT32_MAX, &fd);
	return addr_parse(s, &addr);
}

/* A name or address, a colon, a port from 1. */
static bool is_hostport(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct addr addr;
	uint64_t port;

	if (colon == NULL || colon == text || !str_to_u64(str_from(colon + 1), UINT16_MAX, &port))
		return false;
	if (strchr(text, ':') != colon)
		return port > 0 && addr_parse(str_from(text), &addr);
	return port > 0 && strpbrk(text, " \t/[]") == NULL;
}

static bool add_item(struct options_list *list, enum options_kind kind, const char *text)
{
	if (list->n == OPTIONS_ITEMS_MAX || (kind == OPTIONS_HOSTPORTS && !is_hostport(text)))
		return false;
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(list->items[0]));
	list->items[list->n++] = xstrdup(text);
	return true;
}

static bool set_field(const struct options_row *row, const char *text, void *field)
{
	switch (row->kind) {
	case OPTIONS_BOOL:
		return set_bool(text, field);
	case OPTIONS_LISTEN:
		if (!is_listen(text))
			return false;
		*(const char **)field = text;
		return true;
	case OPTIONS_TEXT:
		*(const char **)field = text;
		return true;
	case OPTIONS_NUMBER:
		return str_to_u64(str_from(text), UINT64_MAX, field);
	case OPTIONS_DURATION:
		return str_to_duration_ms(str_from(text), field);
	case OPTIONS_TEXTS:
	case OPTIONS_HOSTPORTS:
		return add_item(field, row->kind, text);
	}
	UNREACHABLE("kind of an option");
}

static const char *const wanted[] = {
	[OPTIONS_BOOL] = "write true or false",
	[OPTIONS_TEXT] = "write a text",
	[OPTIONS_TEXTS] = "at most 256 are allowed",
	[OPTIONS_NUMBER] = "write a whole number such as 3",
	[OPTIONS_DURATION] = "write a duration such as 10s, 2m or 1h30m",
	[OPTIONS_LISTEN] = "write ADDR:PORT such as 0.0.0.0:6443 or [::]:6443, or fd:N",
	[OPTIONS_HOSTPORTS] = "write HOST:PORT such as fedway.example.com:6443 (at most 256)",
};

/* where: "--name" or "FEDWAY_NAME". */
static bool set_value(const struct options_row *row, const char *where, const char *text,
                      void *target, struct err *err)
{
	if (set_field(row, text, field_of(row, target)))
		return true;
	return err_set(err, ERR_INVALID, "%s: '%s' will not do: %s", where, text,
	               wanted[row->kind]);
}

/* Environment and defaults: a comma list for repeatable options. */
static bool set_whole(const struct options_row *row, const char *where, const char *text,
                      void *target, struct err *err)
{
	struct str rest = str_from(text);
	struct str item;

	if (!is_list(row->kind))
		return set_value(row, where, text, target, err);
	clear_list(field_of(row, target));
	while (rest.len > 0 && str_split(&rest, ',', &item)) {
		CLEANUP(free_ptr) char *copy = str_dup(str_trim(item));
		if (copy[0] != '\0' && !set_value(row, where, copy, target, err))
			return false;
	}
	return true;
}

/* --- the three passes ------------------------------------------------------------------------- */

static const char *env_name(const struct options_row *row, char name[OPTIONS_NAME_MAX])
{
	snprintf(name, OPTIONS_NAME_MAX, "FEDWAY_%s", row->name);
	for (char *c = name; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	return name;
}

static void clear_target(const struct options_spec *spec, void *target)
{
	*(struct options_head *)target = (struct options_head){.wish = OPTIONS_RUN};
	for (size_t i = 0; i < spec->n_rows; i++) {
		void *field = field_of(&spec->rows[i], target);
		switch (spec->rows[i].kind) {
		case OPTIONS_BOOL:
			*(bool *)field = false;
			break;
		case OPTIONS_TEXT:
		case OPTIONS_LISTEN:
			*(const char **)field = NULL;
			break;
		case OPTIONS_NUMBER:
		case OPTIONS_DURATION:
			*(uint64_t *)field = 0;
			break;
		case OPTIONS_TEXTS:
		case OPTIONS_HOSTPORTS:
			*(struct options_list *)field = (struct options_list){NULL, 0};
			break;
		}
	}
}

static bool set_defaults(const struct options_spec *spec, void *target, struct err *err)
{
	char name[OPTIONS_NAME_MAX];

	for (size_t i = 0; i < spec->n_rows; i++) {
		const struct options_row *row = &spec->rows[i];
		const char *env = row->no_env ? NULL : getenv(env_name(row, name));
		if (row->dflt != NULL && !set_whole(row, row->name, row->dflt, target, err))
			return false;
		if (env != NULL && env[0] != '\0' && !set_whole(row, name, env, target, err))
			return false;
	}
	return true;
}

struct getopt_tables {
	struct option longs[OPTIONS_ROWS_MAX + 3];
	char shorts[OPTIONS_ROWS_MAX * 2 + 8];
	bool seen[OPTIONS_ROWS_MAX];
};

static void fill_tables(const struct options_spec *spec, struct getopt_tables *tables)
{
	char *next = tables->shorts;

	assert(spec->n_rows <= OPTIONS_ROWS_MAX);
	if (spec->stop_at_operand)
		*next++ = '+';
	*next++ = ':'; /* a missing argument is told apart from an unknown option */
	*next++ = 'h';
	for (size_t i = 0; i < spec->n_rows; i++) {
		const struct options_row *row = &spec->rows[i];
		bool has_arg = row->kind != OPTIONS_BOOL;
		tables->longs[i] = (struct option){row->name, has_arg, NULL, LONG_FIRST + (int)i};
		if (row->letter == 0)
			continue;
		*next++ = row->letter;
		if (has_arg)
			*next++ = ':';
	}
	*next = '\0';
	tables->longs[spec->n_rows] = (struct option){"help", no_argument, NULL, WISH_HELP};
	tables->longs[spec->n_rows + 1] =
		(struct option){"version", no_argument, NULL, WISH_VERSION};
}

static const struct options_row *find_row(const struct options_spec *spec, int got)
{
	if (got >= LONG_FIRST && got < LONG_FIRST + (int)spec->n_rows)
		return &spec->rows[got - LONG_FIRST];
	for (size_t i = 0; i < spec->n_rows; i++) {
		if (got > 0 && spec->rows[i].letter == got)
			return &spec->rows[i];
	}
	return NULL;
}

/* The option that word ("--nam=x") was probably meant to be, or NULL. */
static const char *nearest(const struct options_spec *spec, const char *word)
{
	struct str typed = str_from(word + strspn(word, "-"));
	const char *best = NULL;
	size_t best_distance = 3;
	struct str name;

	if (!str_split(&typed, '=', &name))
		return NULL;
	for (size_t i = 0; i < spec->n_rows; i++) {
		size_t distance = str_distance(name, str_from(spec->rows[i].name));
		if (distance < best_distance) {
			best = spec->rows[i].name;
			best_distance = distance;
		}
	}
	return best;
}

static bool refuse_unknown(const struct options_spec *spec, const char *word, struct err *err)
{
	const char *near = nearest(spec, word);

	if (near != NULL)
		return err_set(err, ERR_INVALID, "unknown option '%s': did you mean --%s?", word,
		               near);
	return err_set(err, ERR_INVALID, "unknown option '%s': see %s --help", word, spec->program);
}

/* got is '?' or ':'. */
static bool refuse(const struct options_spec *spec, char **argv, int got, struct err *err)
{
	const struct options_row *row = find_row(spec, optopt);

	if (row != NULL && row->kind == OPTIONS_BOOL)
		return err_set(err, ERR_INVALID, "--%s takes no argument", row->name);
	if (row != NULL && got == ':')
		return err_set(err, ERR_INVALID, "--%s needs an argument: %s", row->name, row->arg);
	if (optopt > 0 && optopt < LONG_FIRST)
		return err_set(err, ERR_INVALID, "unknown option '-%c': see %s --help", optopt,
		               spec->program);
	return refuse_unknown(spec, argv[optind - 1], err);
}

static bool take_option(const struct options_spec *spec, struct getopt_tables *tables, int got,
                        void *target, struct err *err)
{
	const struct options_row *row = find_row(spec, got);
	char where[OPTIONS_NAME_MAX];

	if (row == NULL) {
		struct options_head *head = target;
		head->wish = got == WISH_VERSION ? OPTIONS_VERSION : OPTIONS_HELP;
		return true;
	}
	bool *seen = &tables->seen[row - spec->rows];
	if (is_list(row->kind) && !*seen)
		clear_list(field_of(row, target));
	*seen = true;
	snprintf(where, sizeof(where), "--%s", row->name);
	return set_value(row, where, row->kind == OPTIONS_BOOL ? "true" : optarg, target, err);
}

static bool take_argv(const struct options_spec *spec, int argc, char **argv, void *target,
                      struct err *err)
{
	struct getopt_tables tables = {0};
	struct options_head *head = target;

	fill_tables(spec, &tables);
	opterr = 0;
	optind = 0; /* 0, not 1, makes glibc start afresh */
	for (;;) {
		int got = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
		if (got == -1)
			break;
		if (got == '?' || got == ':')
			return refuse(spec, argv, got, err);
		if (!take_option(spec, &tables, got, target, err))
			return false;
	}
	head->args = argv + optind;
	head->n_args = argc - optind;
	if (head->n_args > 0 && spec->operands == NULL && head->wish == OPTIONS_RUN)
		return err_set(err, ERR_INVALID, "unexpected argument '%s': see %s --help",
		               head->args[0], spec->program);
	return true;
}

bool options_parse(const struct options_spec *spec, int argc, char **argv, void *target,
                   struct err *err)
{
	clear_target(spec, target);
	if (set_defaults(spec, target, err) && take_argv(spec, argc, argv, target, err))
		return true;
	options_fini(spec, target);
	return false;
}

void options_fini(const struct options_spec *spec, void *target)
{
	for (size_t i = 0; i < spec->n_rows; i++) {
		if (is_list(spec->rows[i].kind))
			clear_list(field_of(&spec->rows[i], target));
	}
}

int options_start(const struct options_spec *spec, int argc, char **argv, void *target)
{
	const struct options_head *head = target;
	struct err err;

	if (!options_parse(spec, argc, argv, target, &err)) {
		fprintf(stderr, "%s: %s\n", spec->program, err.msg);
		return 2;
	}
	if (head->wish == OPTIONS_RUN)
		return -1;
	if (head->wish == OPTIONS_VERSION) {
		printf("%s %s\n", spec->program, FEDWAY_VERSION);
	} else {
		struct buf help;
		buf_init(&help, 1 << 20);
		options_format_help(spec, &help);
		fputs(buf_text(&help), stdout);
		buf_fini(&help);
	}
	options_fini(spec, target);
	return 0;
}
