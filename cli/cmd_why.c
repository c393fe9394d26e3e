/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"
#include "command.h"
#include "common.h"
#include "offline.h"
#include "remote.h"
#include "why.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "model/explain.h"

struct why_options {
	struct cli_common common;
	const char *from;
	const char *locality;
	const char *dir;
	const char *subset;
};

static_assert(sizeof(struct why_options) <= CLI_SIZE, "fits");

static const struct options_row rows[] = {
	{.name = "from",
         .kind = OPTIONS_TEXT,
         .arg = "CLUSTER",
         .help = "whose calls",
         .offset = offsetof(struct why_options, from)},
	{.name = "locality",
         .kind = OPTIONS_TEXT,
         .arg = "REGION/ZONE/SUBZONE",
         .help = "where in it (default: the Cluster's own)",
         .offset = offsetof(struct why_options, locality)},
	{.name = "filename",
         .letter = 'f',
         .kind = OPTIONS_TEXT,
         .arg = "DIR",
         .help = "plain manifests in place of a server: hosted objects at the top of DIR, a "
                 "member's in DIR/CLUSTER/",
         .offset = offsetof(struct why_options, dir)},
	{.name = "subset",
         .kind = OPTIONS_TEXT,
         .arg = "NAME",
         .help = "a subset of the DestinationRule",
         .offset = offsetof(struct why_options, subset)},
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_why_spec = {
	.program = "fedway why",
	.operands = "SERVICE",
	.about = "Where calls to SERVICE (NAMESPACE/NAME:PORT or NAME.NAMESPACE:PORT) from a "
		 "cluster go, and why. Ends with 3 when there is no destination.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

/* Owned; NULL with err. */
static struct view *view_of(struct mesh *mesh, const struct why_options *options, struct err *err)
{
	const struct mesh_cluster *cluster = mesh_find_cluster(mesh, options->from);
	if (cluster == NULL) {
		err_set(err, ERR_NOT_FOUND, "--from '%s' is no Cluster of '%s'", options->from,
		        options->dir);
		return NULL;
	}
	struct view_key key = {
		.network = cluster->network,
		.cluster = cluster->name,
		.locality = options->locality != NULL ? locality_parse(str_from(options->locality))
	                                              : cluster->locality,
		.role = VIEW_GATEWAY,
	};
	return view_create(mesh, &key);
}

static json_t *explain(const struct why_options *options, const struct explain_request *request,
                       struct err *err)
{
	char now[32];
	time_t wall = time(NULL);
	struct tm tm;
	json_t *answer = NULL;
	struct offline *offline = offline_create();
	struct mesh *mesh =
		offline_load(offline, options->dir, err) ? offline_mesh(offline, err) : NULL;
	struct view *view = mesh != NULL ? view_of(mesh, options, err) : NULL;
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&wall, &tm));
	if (view != NULL)
		answer = explain_route(view, request, "", now, err);
	view_unref(view);
	mesh_unref(mesh);
	offline_destroy(offline);
	return answer;
}

/* The same function, computed by the control plane on what it has now. */
static json_t *ask(const struct why_options *options, struct err *err)
{
	json_t *spec = json_pack("{ss s{ss}}", "service", options->common.head.args[0], "from",
	                         "cluster", options->from);
	if (options->locality != NULL)
		json_set_at(spec, "from.locality", json_string(options->locality));
	if (options->subset != NULL)
		json_set_at(spec, "subset", json_string(options->subset));
	struct remote *hub = remote_open(&options->common, err);
	json_t *answer = hub != NULL ? answers_ask(hub, "routeexplanations", "RouteExplanation",
	                                           json_incref(spec), err)
	                             : NULL;
	json_decref(spec);
	remote_close(hub);
	return answer;
}

static int show(const json_t *answer, struct look look)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML) {
		look_print_json(look, answer);
	} else {
		why_format(answer, look, &text);
		look_print(&text);
	}
	return why_has_destination(answer) ? EXIT_DONE : EXIT_FOUND;
}

int cmd_why(void *arg)
{
	const struct why_options *options = arg;
	struct explain_request request;
	struct look look;
	struct err err;
	if (options->common.head.n_args != 1 || options->from == NULL)
		return cli_usage("why needs a service and --from CLUSTER, as in: fedway why "
		                 "sample/helloworld:5000 --from c1");
	if (!explain_parse_service(str_from(options->common.head.args[0]), &request, &err) ||
	    !look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	if (options->subset != NULL)
		request.subset = str_from(options->subset);
	json_t *answer CLEANUP(json_cleanup) =
		options->dir != NULL ? explain(options, &request, &err) : ask(options, &err);
	if (answer != NULL)
		return show(answer, look);
	return options->dir != NULL ? cli_fail(&err) : remote_fail(&err);
}
