/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"
#include "command.h"
#include "matrix.h"
#include "remote.h"

#include <assert.h>

#include "base/json.h"

struct connectivity_options {
	struct cli_common common;
	const char *from;
	const char *to;
};

static_assert(sizeof(struct connectivity_options) <= CLI_SIZE, "fits");

static const struct options_row rows[] = {
	{.name = "from",
         .no_env = true,
         .kind = OPTIONS_TEXT,
         .arg = "CLUSTER",
         .help = "only from there; a group's name means all its clusters",
         .offset = offsetof(struct connectivity_options, from)},
	{.name = "to",
         .no_env = true,
         .kind = OPTIONS_TEXT,
         .arg = "CLUSTER",
         .help = "only to there",
         .offset = offsetof(struct connectivity_options, to)},
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_connectivity_run_spec = {
	.program = "fedway connectivity run",
	.about = "Has the probes check now whether each cluster reaches each other. Ends with 3 "
		 "when a path has failed.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};
const struct options_spec cmd_connectivity_matrix_spec = {
	.program = "fedway connectivity matrix",
	.about = "What the last checks found, from each cluster to each other. Ends with 3 when a "
		 "path has failed.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

static int show(const json_t *answer, struct look look)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, answer);
	else
		matrix_format(answer, look, &text);
	look_print(&text);
	return matrix_has_failed(answer) ? EXIT_FOUND : EXIT_DONE;
}

static int ask(const struct connectivity_options *options, bool now)
{
	struct look look;
	struct err err;
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	struct remote *hub = remote_open(&options->common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	json_t *spec = json_pack("{sb}", "run", (int)now);
	if (options->from != NULL)
		json_object_set_new(spec, "from", json_string(options->from));
	if (options->to != NULL)
		json_object_set_new(spec, "to", json_string(options->to));
	json_t *answer CLEANUP(json_cleanup) =
		answers_ask(hub, "connectivitymatrices", "ConnectivityMatrix", spec, &err);
	remote_close(hub);
	return answer != NULL ? show(answer, look) : remote_fail(&err);
}

int cmd_connectivity_run(void *arg)
{
	return ask(arg, true);
}

int cmd_connectivity_matrix(void *arg)
{
	return ask(arg, false);
}
