/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common - the options that every command has, and how results look: table, JSON or YAML; marks and
 * colours. A command's options struct begins with a struct cli_common, and its table of options
 * with the rows of the macros below that it needs.
 */
#pragma once

#include <jansson.h>

#include "base/options.h"

struct cli_common {
	struct options_head head;
	/* CLI_SERVER_ROWS */
	const char *kubeconfig;
	const char *context;
	const char *server;
	const char *token;
	const char *ca_file;
	bool insecure;
	uint64_t timeout_ms;
	/* CLI_LOOK_ROWS */
	const char *output;
	const char *color;
	bool ascii;
	/* CLI_YES_ROW */
	bool yes;
};

enum {
	CLI_SIZE = 512,         /* every options struct of these commands fits */
	CLI_TEXT_MAX = 16 << 20 /* of what one command prints */
};

#define CLI_ROW(option, type, shown, value, says, field)                                           \
	{                                                                                          \
		.name = option, .kind = type, .arg = shown, .dflt = value, .help = says,           \
		.offset = offsetof(struct cli_common, field)                                       \
	}

/* clang-format off */
#define CLI_SERVER_ROWS \
	CLI_ROW("kubeconfig", OPTIONS_TEXT, "FILE", NULL, \
	        "how to reach the control plane (default: $KUBECONFIG, then ~/.kube/config)", kubeconfig), \
	CLI_ROW("context", OPTIONS_TEXT, "NAME", NULL, "which context of it", context), \
	{.name = "server", .letter = 's', .kind = OPTIONS_TEXT, .arg = "URL", \
	 .help = "address of the control plane, in place of the kubeconfig's", \
	 .offset = offsetof(struct cli_common, server)}, \
	CLI_ROW("token", OPTIONS_TEXT, "TOKEN", NULL, "bearer token", token), \
	CLI_ROW("certificate-authority", OPTIONS_TEXT, "FILE", NULL, "whom to believe", ca_file), \
	CLI_ROW("insecure-skip-tls-verify", OPTIONS_BOOL, NULL, NULL, \
	        "believe any certificate", insecure), \
	CLI_ROW("timeout", OPTIONS_DURATION, "TIME", "5m", \
	        "how long to wait for what was asked", timeout_ms)

#define CLI_LOOK_ROWS \
	{.name = "output", .letter = 'o', .kind = OPTIONS_TEXT, .arg = "FORM", .dflt = "table", \
	 .help = "table, wide, json, yaml or name, where it makes sense", \
	 .offset = offsetof(struct cli_common, output)}, \
	CLI_ROW("color", OPTIONS_TEXT, "WHEN", "auto", "auto, always or never", color), \
	CLI_ROW("ascii", OPTIONS_BOOL, NULL, NULL, "marks as words: OK, WARN, FAIL", ascii)

#define CLI_YES_ROW \
	{.name = "yes", .letter = 'y', .kind = OPTIONS_BOOL, .no_env = true, \
	 .help = "accept the plan without being asked; accepts no losses", \
	 .offset = offsetof(struct cli_common, yes)}
/* clang-format on */

/*     mark         glyph  word    colour */
#define LOOK_MARKS(X)                                                                              \
	X(MARK_GOOD, "●", "OK", "32")                                                              \
	X(MARK_PASS, "✓", "OK", "32")                                                              \
	X(MARK_WARN, "▲", "WARN", "33")                                                            \
	X(MARK_FAIL, "✗", "FAIL", "31")                                                            \
	X(MARK_NONE, "–", "-", "")

enum look_mark {
#define X(mark, glyph, word, colour) mark,
	LOOK_MARKS(X)
#undef X
};

enum look_form {
	LOOK_TABLE,
	LOOK_WIDE,
	LOOK_JSON,
	LOOK_YAML,
	LOOK_NAME
};

struct look {
	enum look_form form;
	bool color;
	bool ascii;
};

enum {
	LOOK_MARK_MAX = 24
};

/* ERR_INVALID: a form or colour that is none. Asks whether stdout is a terminal. */
MUST_CHECK
bool look_make(const struct cli_common *common, struct look *ret_look, struct err *err);
/* "●", coloured if need be. Returns text. */
const char *look_mark(struct look look, enum look_mark mark, char text[LOOK_MARK_MAX]);
/* What stands before what is not there. */
const char *look_dash(struct look look);

/* Text in lines of 80 columns, the first behind label, the others below the text's beginning.
 * Nothing for empty text. */
void look_wrap(struct buf *out, const char *label, const char *text);

/* The value as JSON or YAML to stdout. */
void look_print_json(struct look look, const json_t *value);
void look_print(const struct buf *text);

/* One line that says what was done: to stdout, or to stderr when that is for JSON or YAML alone. */
void cli_done(const struct cli_common *common, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Asks on the terminal. -1: go on; else the exit status (no terminal, or the answer was no). */
int cli_confirm(const struct cli_common *common, const char *question);
/* Prints "fedway: MESSAGE" to stderr, returns EXIT_USAGE. */
int cli_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
