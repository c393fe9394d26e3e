/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "gateway.h"
#include "gateway_io.h"
#include "table.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"

enum {
	FOLLOW_MS = 500, /* between two looks of trace --watch */
	RETRY_MS = 1000  /* at a gateway that has gone */
};

struct gateway_options {
	struct cli_common common;
	const char *socket;
	const char *sni;
	uint64_t max;
	bool watch;
	uint64_t interval_ms;
	uint64_t count;
};

static_assert(sizeof(struct gateway_options) <= CLI_SIZE, "fits");

/* clang-format off */
#define SOCKET_ROW \
	{.name = "socket", .kind = OPTIONS_TEXT, .arg = "PATH", .no_env = true, \
	 .help = "the gateway's admin socket, where it is not " GATEWAY_SOCKETS "/NAME.sock", \
	 .offset = offsetof(struct gateway_options, socket)}
/* clang-format on */

static const struct options_row trace_rows[] = {
	SOCKET_ROW,
	{.name = "sni",
         .no_env = true,
         .kind = OPTIONS_TEXT,
         .arg = "TEXT",
         .help = "only server names that contain this",
         .offset = offsetof(struct gateway_options, sni)},
	{.name = "max",
         .no_env = true,
         .kind = OPTIONS_NUMBER,
         .arg = "N",
         .dflt = "100",
         .help = "the last so many, at most 4096",
         .offset = offsetof(struct gateway_options, max)},
	{.name = "watch",
         .letter = 'w',
         .no_env = true,
         .kind = OPTIONS_BOOL,
         .help = "and go on with what comes; -o json: one event a line",
         .offset = offsetof(struct gateway_options, watch)},
	CLI_LOOK_ROWS,
};

static const struct options_row top_rows[] = {
	SOCKET_ROW,
	{.name = "interval",
         .no_env = true,
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .dflt = "2s",
         .help = "between two looks",
         .offset = offsetof(struct gateway_options, interval_ms)},
	{.name = "count",
         .no_env = true,
         .kind = OPTIONS_NUMBER,
         .arg = "N",
         .dflt = "0",
         .help = "end after so many; 0: never",
         .offset = offsetof(struct gateway_options, count)},
	CLI_LOOK_ROWS,
};

static const struct options_row list_rows[] = {CLI_LOOK_ROWS};

const struct options_spec cmd_gateway_trace_spec = {
	.program = "fedway gateway trace",
	.operands = "[NAME]",
	.about = "The last decisions, failed attempts and refusals of a gateway on this machine. "
		 "Elsewhere: kubectl exec POD -- fedway gateway trace",
	.rows = trace_rows,
	.n_rows = N_ELEMS(trace_rows),
};
const struct options_spec cmd_gateway_top_spec = {
	.program = "fedway gateway top",
	.operands = "[NAME]",
	.about = "What goes on at a gateway on this machine: connections of each server name, and "
		 "what is refused, again and again. -o json: one look a line.",
	.rows = top_rows,
	.n_rows = N_ELEMS(top_rows),
};
const struct options_spec cmd_gateway_list_spec = {
	.program = "fedway gateway list",
	.about = "The gateways of this machine that have a socket in " GATEWAY_SOCKETS ". Ends "
		 "with 3 when one does not answer.",
	.rows = list_rows,
	.n_rows = N_ELEMS(list_rows),
};

/* Of a gateway that did not answer as it should. */
static int fail(const struct err *err)
{
	int status = cli_fail(err);
	return err->code == ERR_IO || err->code == ERR_TIMEOUT ? EXIT_UNREACHABLE : status;
}

/* NULL: *ret_status has been told. */
static struct gateway *open_one(const struct gateway_options *options, struct look *ret_look,
                                int *ret_status)
{
	const struct options_head *head = &options->common.head;
	char path[GATEWAY_PATH_MAX];
	struct err err;
	*ret_status = EXIT_USAGE;
	if (!look_make(&options->common, ret_look, &err)) {
		cli_usage("%s", err.msg);
		return NULL;
	}
	if (head->n_args > 1) {
		cli_usage("one gateway at a time");
		return NULL;
	}
	if (!gateway_find(head->n_args > 0 ? head->args[0] : NULL, options->socket, path, &err)) {
		cli_usage("%s", err.msg);
		return NULL;
	}
	return gateway_open(path);
}

static void print_line(const json_t *value)
{
	char *line = json_format(value);
	puts(line);
	free(line);
}

/* --- trace ------------------------------------------------------------------------------------ */

static void add_escaped(struct buf *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (isalnum((unsigned char)*c))
			buf_add_char(out, *c);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
	}
}

static json_t *ask_trace(struct gateway *gateway, const struct gateway_options *options,
                         int64_t since, uint64_t max, struct err *err)
{
	struct buf path CLEANUP(buf_fini);
	buf_init(&path, CLI_TEXT_MAX);
	buf_printf(&path, "/trace?max=%llu&since=%lld", (unsigned long long)max, (long long)since);
	if (options->sni != NULL) {
		buf_add_text(&path, "&sni=");
		add_escaped(&path, options->sni);
	}
	return gateway_get(gateway, buf_text(&path), err);
}

static void print_events(const json_t *answer, struct look look)
{
	struct buf text CLEANUP(buf_fini);
	size_t i;
	json_t *event;
	buf_init(&text, CLI_TEXT_MAX);
	json_array_foreach (json_object_get(answer, "events"), i, event) {
		if (look.form == LOOK_JSON || look.form == LOOK_YAML)
			print_line(event);
		else
			gateway_event_format(event, look, &text);
	}
	look_print(&text);
	fflush(stdout);
}

/* Until it is interrupted; a gateway that is started anew is followed as well. */
static _Noreturn void follow(struct gateway *gateway, const struct gateway_options *options,
                             struct look look, int64_t since)
{
	enum {
		ALL = 4096
	};
	bool gone = false;
	for (;;) {
		struct err err;
		gateway_pause(gateway, gone ? RETRY_MS : FOLLOW_MS);
		json_t *answer CLEANUP(json_cleanup) =
			ask_trace(gateway, options, since, ALL, &err);
		if (answer == NULL && !gone)
			fprintf(stderr, "fedway: %s; trying again\n", err.msg);
		gone = answer == NULL;
		if (gone)
			continue;
		if (json_bool_at(answer, "lost", false))
			fputs("fedway: more came than the gateway remembers; some are missing\n",
			      stderr);
		print_events(answer, look);
		since = json_int_at(answer, "next", 0);
	}
}

int cmd_gateway_trace(void *arg)
{
	const struct gateway_options *options = arg;
	struct look look;
	struct err err;
	int status;
	struct gateway *gateway = open_one(options, &look, &status);
	if (gateway == NULL)
		return status;
	json_t *answer CLEANUP(json_cleanup) = ask_trace(gateway, options, 0, options->max, &err);
	if (answer == NULL) {
		gateway_close(gateway);
		return fail(&err);
	}
	if (options->watch || (look.form != LOOK_JSON && look.form != LOOK_YAML))
		print_events(answer, look);
	else
		look_print_json(look, answer);
	if (options->watch)
		follow(gateway, options, look, json_int_at(answer, "next", 0));
	gateway_close(gateway);
	return EXIT_DONE;
}

/* --- top -------------------------------------------------------------------------------------- */

static void print_top(const json_t *report, struct look look, bool first)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (look.form == LOOK_JSON) {
		print_line(report);
	} else if (look.form == LOOK_YAML) {
		puts("---");
		look_print_json(look, report);
	} else {
		gateway_top_format(report, look, &text);
		fputs(isatty(STDOUT_FILENO) ? "\x1b[H\x1b[J" : first ? "" : "\n", stdout);
		look_print(&text);
	}
	fflush(stdout);
}

/* False with err: it does not answer. */
static bool look_again(struct gateway *gateway, const struct gateway_options *options,
                       struct look look, struct err *err)
{
	json_t *before = gateway_get(gateway, "/sums", err);
	for (uint64_t i = 0; before != NULL && (options->count == 0 || i < options->count); i++) {
		gateway_pause(gateway, (int64_t)options->interval_ms);
		json_t *now = gateway_get(gateway, "/sums", err);
		if (now != NULL) {
			json_t *report CLEANUP(json_cleanup) = gateway_top_make(before, now);
			print_top(report, look, i == 0);
		}
		json_decref(before);
		before = now;
	}
	bool ok = before != NULL;
	json_decref(before);
	return ok;
}

int cmd_gateway_top(void *arg)
{
	const struct gateway_options *options = arg;
	struct look look;
	struct err err;
	int status;
	struct gateway *gateway = open_one(options, &look, &status);
	if (gateway == NULL)
		return status;
	bool ok = look_again(gateway, options, look, &err);
	gateway_close(gateway);
	return ok ? EXIT_DONE : fail(&err);
}

/* --- list ------------------------------------------------------------------------------------- */

/* {name, socket, state, ...} as far as it answers. */
static json_t *status_of(const char *name)
{
	char path[GATEWAY_PATH_MAX];
	struct err err;
	if (!gateway_find(name, NULL, path, &err))
		return json_pack("{ss ss}", "name", name, "error", err.msg);
	struct gateway *gateway = gateway_open(path);
	json_t *status = gateway_get(gateway, "/status", &err);
	gateway_close(gateway);
	if (status == NULL)
		status = json_pack("{ss}", "error", err.msg);
	json_object_set_new(status, "name", json_string(name));
	json_object_set_new(status, "socket", json_string(path));
	return status;
}

static void print_list(const json_t *list, struct look look)
{
	static const char *const heads[] = {"NAME",   "STATE",       "VERSION",
	                                    "ROUTES", "CONNECTIONS", "SOCKET"};
	struct table table CLEANUP(table_fini);
	struct buf text CLEANUP(buf_fini);
	size_t i;
	json_t *one;
	buf_init(&text, CLI_TEXT_MAX);
	table_init(&table, N_ELEMS(heads));
	for (i = 0; i < N_ELEMS(heads); i++)
		table_cell(&table, "%s", heads[i]);
	json_array_foreach (list, i, one) {
		table_cell(&table, "%s", json_str_at(one, "name", ""));
		table_cell(&table, "%s", json_str_at(one, "state", "no answer"));
		table_cell(&table, "%s", json_str_at(one, "version", look_dash(look)));
		table_cell(&table, "%lld", (long long)json_int_at(one, "routes", 0));
		table_cell(&table, "%lld", (long long)json_int_at(one, "connections", 0));
		table_cell(&table, "%s", json_str_at(one, "socket", ""));
	}
	table_format(&table, &text);
	look_print(&text);
}

int cmd_gateway_list(void *arg)
{
	const struct gateway_options *options = arg;
	char *names[GATEWAY_LIST_MAX];
	json_t *list CLEANUP(json_cleanup) = json_array();
	bool all = true;
	struct look look;
	struct err err;
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	size_t n = gateway_list(names);
	for (size_t i = 0; i < n; i++) {
		json_t *one = status_of(names[i]);
		all &= json_object_get(one, "error") == NULL;
		json_array_append_new(list, one);
		free(names[i]);
	}
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, list);
	else
		print_list(list, look);
	return all ? EXIT_DONE : EXIT_FOUND;
}
