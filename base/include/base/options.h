/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options - one table of options drives the command line, the environment, --help and the errors.
 *
 * Command line before environment (FEDWAY_API_LISTEN for --api-listen) before default. Every
 * program and every command has a table; its rows point into a struct of its own, which begins with
 * a struct options_head. --help and --version are always there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	OPTIONS_ROWS_MAX = 64,
	OPTIONS_ITEMS_MAX = 256 /* of one repeatable option */
};

/*  kind                 field             environment and default */
enum options_kind {
	OPTIONS_BOOL,     /* bool              "true" or "false"; no argument on the command line */
	OPTIONS_TEXT,     /* const char *      as it is */
	OPTIONS_TEXTS,    /* struct options_list, repeatable; comma list */
	OPTIONS_NUMBER,   /* uint64_t          decimal */
	OPTIONS_DURATION, /* uint64_t          milliseconds; "10s", "1h30m" */
	OPTIONS_LISTEN,   /* const char *      ADDR:PORT or fd:N, checked, for net_listen_text() */
	OPTIONS_HOSTPORTS, /* struct options_list of HOST:PORT, checked, repeatable; comma list */
};

/* Owned texts, as given. */
struct options_list {
	char **items;
	size_t n;
};

struct options_row {
	const char *name; /* without dashes */
	char letter;      /* short form; 0: none */
	bool no_env;      /* not read from the environment */
	enum options_kind kind;
	const char *arg;  /* how --help names the argument; NULL for OPTIONS_BOOL */
	const char *dflt; /* NULL: zero */
	const char *help;
	size_t offset; /* of the field */
};

struct options_spec {
	const char *program;  /* "fedwayd", "fedway why" */
	const char *operands; /* "SERVICE [FILE...]"; NULL: none allowed */
	const char *about;    /* one sentence or more */
	bool stop_at_operand; /* what follows the first operand is left alone (subcommands) */
	const struct options_row *rows;
	size_t n_rows;
};

enum options_wish {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options_head {
	enum options_wish wish;
	char **args; /* operands, borrowed from argv */
	int n_args;
};

/* Fills target, which is overwritten. ERR_INVALID names the option or variable and the fix; target
 * then holds nothing. Texts are borrowed from argv, environment and table. Not thread-safe. */
MUST_CHECK
bool options_parse(const struct options_spec *spec, int argc, char **argv, void *target,
                   struct err *err);

/* Frees the lists; harmless twice. */
void options_fini(const struct options_spec *spec, void *target);

void options_format_help(const struct options_spec *spec, struct buf *out);

/* For main(): parses, and prints help, version or the error. -1: go on; else the exit status. */
int options_start(const struct options_spec *spec, int argc, char **argv, void *target);
