/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "objects.h"
#include "report.h"

#include <string.h>
#include <time.h>

#include "base/json.h"

static const struct options_row rows[] = {CLI_SERVER_ROWS, CLI_LOOK_ROWS};

const struct options_spec cmd_status_spec = {
	.program = "fedway status",
	.about = "The health of the mesh on one screen. Ends with 3 when there are errors.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

const struct options_spec cmd_certs_status_spec = {
	.program = "fedway certs status",
	.about = "The root, each cluster's intermediate, each gateway's certificate. Ends with 3 "
		 "when one has expired.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

struct form {
	json_t *(*make)(const struct report_input *input);
	void (*format)(const json_t *report, struct look look, struct buf *out);
};

/* Ours to decref; NULL with err. */
static json_t *make_report(const struct cli_common *common, const struct form *form,
                           struct err *err)
{
	struct objects CLEANUP(objects_fini) objects = {0};
	struct remote *remote = remote_open(common, err);
	bool ok = remote != NULL && objects_load(&objects, remote, err);
	remote_close(remote);
	struct report_input input = {.mesh = objects.mesh,
	                             .clusters = objects.clusters,
	                             .groups = objects.groups,
	                             .gateways = objects.gateways,
	                             .services = objects.services,
	                             .now_s = time(NULL)};
	return ok ? form->make(&input) : NULL;
}

static int show(const struct cli_common *common, const struct form *form, json_t **ret_report)
{
	struct look look;
	struct err err;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	*ret_report = NULL;
	if (!look_make(common, &look, &err))
		return cli_usage("%s", err.msg);
	*ret_report = make_report(common, form, &err);
	if (*ret_report == NULL)
		return remote_fail(&err);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, *ret_report);
	else
		form->format(*ret_report, look, &text);
	look_print(&text);
	return EXIT_DONE;
}

int cmd_status(void *arg)
{
	static const struct form form = {report_make, report_format};
	json_t *report CLEANUP(json_cleanup) = NULL;
	int status = show(arg, &form, &report);
	return status == EXIT_DONE && report_has_errors(report) ? EXIT_FOUND : status;
}

int cmd_certs_status(void *arg)
{
	static const struct form form = {report_certs, report_format_certs};
	json_t *report CLEANUP(json_cleanup) = NULL;
	int status = show(arg, &form, &report);
	const json_t *all = json_object_get(report, "certificates");
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (strcmp(json_str_at(json_array_get(all, i), "state", ""), "Expired") == 0)
			return EXIT_FOUND;
	}
	return status;
}
