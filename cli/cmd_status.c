/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "objects.h"
#include "report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

enum {
	AGAIN_MS = 1000 /* between two looks of --wait and --watch */
};

struct status_options {
	struct cli_common common;
	bool wait;
	bool watch;
};

static_assert(sizeof(struct status_options) <= CLI_SIZE, "fits");

static const struct options_row status_rows[] = {
	{.name = "wait",
         .no_env = true,
         .kind = OPTIONS_BOOL,
         .help = "until there are no errors (at most --timeout, then exit 5)",
         .offset = offsetof(struct status_options, wait)},
	{.name = "watch",
         .letter = 'w',
         .no_env = true,
         .kind = OPTIONS_BOOL,
         .help = "again whenever it has changed; -o json: one event a line",
         .offset = offsetof(struct status_options, watch)},
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_status_spec = {
	.program = "fedway status",
	.about = "The health of the mesh on one screen. Ends with 3 when there are errors.",
	.rows = status_rows,
	.n_rows = N_ELEMS(status_rows),
};

static const struct options_row certs_rows[] = {CLI_SERVER_ROWS, CLI_LOOK_ROWS};

const struct options_spec cmd_certs_status_spec = {
	.program = "fedway certs status",
	.about = "The root, each cluster's intermediate, each gateway's certificate. Ends with 3 "
		 "when one has expired.",
	.rows = certs_rows,
	.n_rows = N_ELEMS(certs_rows),
};

/* --- one look --------------------------------------------------------------------------------- */

/* Owned; NULL with err. */
static json_t *look_at(struct remote *hub, json_t *(*make)(const struct report_input *input),
                       struct err *err)
{
	struct objects CLEANUP(objects_fini) objects = {0};
	if (!objects_load(&objects, hub, err))
		return NULL;
	struct report_input input = {.mesh = objects.mesh,
	                             .clusters = objects.clusters,
	                             .groups = objects.groups,
	                             .gateways = objects.gateways,
	                             .services = objects.services,
	                             .now_s = time(NULL)};
	return make(&input);
}

static void print(const json_t *report, struct look look,
                  void (*format)(const json_t *report, struct look look, struct buf *out))
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, report);
	else
		format(report, look, &text);
	look_print(&text);
}

/* --- status ----------------------------------------------------------------------------------- */

static int status_of(const json_t *report)
{
	return report_has_errors(report) ? EXIT_FOUND : EXIT_DONE;
}

static int show_once(struct remote *hub, struct look look)
{
	struct err err;
	json_t *report CLEANUP(json_cleanup) = look_at(hub, report_make, &err);
	if (report == NULL)
		return remote_fail(&err);
	print(report, look, report_format);
	return status_of(report);
}

/* A control plane that does not answer is one more thing to wait for. */
static int show_when_healthy(struct remote *hub, const struct status_options *options,
                             struct look look)
{
	int64_t end_ms = clock_now_ms() + (int64_t)options->common.timeout_ms;
	while (true) {
		struct err err;
		json_t *report CLEANUP(json_cleanup) = look_at(hub, report_make, &err);
		bool late = clock_now_ms() >= end_ms;
		if (report != NULL && (late || !report_has_errors(report)))
			print(report, look, report_format);
		if (report != NULL && !report_has_errors(report))
			return EXIT_DONE;
		if (late && report == NULL)
			return remote_fail(&err);
		if (late) {
			fprintf(stderr, "fedway: there are still errors after %lld s\n",
			        (long long)options->common.timeout_ms / 1000);
			return EXIT_TIMEOUT;
		}
		remote_pause(hub, AGAIN_MS);
	}
}

static void print_change(const json_t *report, struct look look, const char *text, bool first)
{
	if (look.form == LOOK_JSON) {
		json_t *event = json_pack("{ss sO}", "type", first ? "ADDED" : "MODIFIED", "object",
		                          report);
		char *line = json_format(event);
		puts(line);
		free(line);
		json_decref(event);
	} else if (look.form == LOOK_YAML) {
		puts("---");
		look_print_json(look, report);
	} else {
		fputs(isatty(STDOUT_FILENO) ? "\x1b[H\x1b[J" : first ? "" : "\n", stdout);
		fputs(text, stdout);
	}
	fflush(stdout);
}

/* Until it is interrupted. What counts as a change is what would be seen. */
static _Noreturn void show_changes(struct remote *hub, struct look look)
{
	char *last = NULL;
	bool lost = false;
	while (true) {
		struct err err;
		struct buf text CLEANUP(buf_fini);
		json_t *report CLEANUP(json_cleanup) = look_at(hub, report_make, &err);
		buf_init(&text, CLI_TEXT_MAX);
		if (report != NULL)
			report_format(report, look, &text);
		if (report == NULL && !lost)
			fprintf(stderr, "fedway: %s; trying again\n", err.msg);
		lost = report == NULL;
		if (report != NULL && (last == NULL || strcmp(last, buf_text(&text)) != 0)) {
			print_change(report, look, buf_text(&text), last == NULL);
			free(last);
			last = xstrdup(buf_text(&text));
		}
		remote_pause(hub, AGAIN_MS);
	}
}

int cmd_status(void *arg)
{
	const struct status_options *options = arg;
	struct look look;
	struct err err;
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	if (options->wait && options->watch)
		return cli_usage("--wait ends when all is well, --watch never: give one of them");
	struct remote *hub = remote_open(&options->common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	if (options->watch)
		show_changes(hub, look);
	int status = options->wait ? show_when_healthy(hub, options, look) : show_once(hub, look);
	remote_close(hub);
	return status;
}

/* --- certs status ----------------------------------------------------------------------------- */

static bool has_expired(const json_t *report)
{
	size_t i;
	json_t *certificate;
	json_array_foreach (json_object_get(report, "certificates"), i, certificate) {
		if (strcmp(json_str_at(certificate, "state", ""), "Expired") == 0)
			return true;
	}
	return false;
}

int cmd_certs_status(void *arg)
{
	const struct cli_common *common = arg;
	struct look look;
	struct err err;
	if (!look_make(common, &look, &err))
		return cli_usage("%s", err.msg);
	struct remote *hub = remote_open(common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	json_t *report CLEANUP(json_cleanup) = look_at(hub, report_certs, &err);
	remote_close(hub);
	if (report == NULL)
		return remote_fail(&err);
	print(report, look, report_format_certs);
	return has_expired(report) ? EXIT_FOUND : EXIT_DONE;
}
