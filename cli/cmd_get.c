/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "get.h"
#include "resources.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

struct get_options {
	struct cli_common common;
	const char *namespace_;
	const char *selector;
};

static_assert(sizeof(struct get_options) <= CLI_SIZE, "fits");

static const struct options_row rows[] = {
	{.name = "namespace",
         .letter = 'n',
         .kind = OPTIONS_TEXT,
         .arg = "NAME",
         .help = "one namespace (default: all)",
         .offset = offsetof(struct get_options, namespace_)},
	{.name = "selector",
         .letter = 'l',
         .kind = OPTIONS_TEXT,
         .arg = "LABELS",
         .help = "only objects with these labels",
         .offset = offsetof(struct get_options, selector)},
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_get_spec = {
	.program = "fedway get",
	.operands = "TYPE [NAME]",
	.about = "Lists objects of the control plane in the columns it names, as kubectl does.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

/* --- what the server has ---------------------------------------------------------------------- */

/* Appends {group, version, resources}. A group whose own server is away has no types. */
static void add_list(struct remote *hub, json_t *lists, const char *group, const char *version)
{
	struct err err;
	char path[KUBE_PATH_MAX];
	if (group[0] == '\0')
		snprintf(path, sizeof(path), "/api/%s", version);
	else
		snprintf(path, sizeof(path), "/apis/%s/%s", group, version);
	json_t *list CLEANUP(json_cleanup) = remote_get_path(hub, path, &err);
	json_t *resources = json_object_get(list, "resources");
	if (resources != NULL)
		json_array_append_new(lists, json_pack("{ss ss sO}", "group", group, "version",
		                                       version, "resources", resources));
}

/* For resources_match(). Owned; NULL with err. */
static json_t *discover(struct remote *hub, struct err *err)
{
	json_t *groups CLEANUP(json_cleanup) = remote_get_path(hub, "/apis", err);
	json_t *lists = json_array();
	size_t i;
	json_t *group;
	add_list(hub, lists, "", "v1");
	json_array_foreach (json_object_get(groups, "groups"), i, group)
		add_list(hub, lists, json_str_at(group, "name", ""),
		         json_str_at(group, "preferredVersion.version", ""));
	if (groups != NULL)
		return lists;
	json_decref(lists);
	return NULL;
}

/* --- the command ------------------------------------------------------------------------------ */

struct getting {
	const struct get_options *options;
	const char *word;
	const char *name; /* NULL: all */
	struct look look;
	struct remote *hub;
};

static int show(const struct getting *getting, const struct kube_resource *resources, size_t n)
{
	struct get_request requests[RESOURCES_MATCH_MAX];
	const char *namespace_ = getting->options->namespace_;
	if (n > 1 && getting->name != NULL)
		return cli_usage("'%s' is a category of %zu types: a name needs its type",
		                 getting->word, n);
	for (size_t i = 0; i < n; i++) {
		bool namespaced = resources[i].namespaced;
		if (getting->name != NULL && namespaced && namespace_ == NULL)
			return cli_usage("one of the %s needs its --namespace",
			                 resources[i].plural);
		requests[i] = (struct get_request){
			.ref = {.resource = &resources[i],
		                .namespace_ = namespaced ? namespace_ : NULL,
		                .name = getting->name},
			.selector = getting->options->selector,
		};
	}
	return get_run_all(getting->hub, getting->look, requests, n);
}

static int run(const struct getting *getting)
{
	struct err err;
	struct kube_resource found[RESOURCES_MATCH_MAX];
	const struct kube_resource *known = resources_find(getting->word);
	/* "mesh" is the category of all that is ours, and with a name the kind, as for kubectl */
	bool is_category = getting->name == NULL && strcmp(getting->word, "mesh") == 0;
	if (known != NULL && !is_category)
		return show(getting, known, 1);
	json_t *lists CLEANUP(json_cleanup) = discover(getting->hub, &err);
	size_t n = lists != NULL
	                   ? resources_match(lists, getting->word, getting->name != NULL, found)
	                   : 0;
	if (lists == NULL)
		return remote_fail(&err);
	if (n == 0)
		return cli_usage("the server has no type '%s'; there are %s, and all that it lists "
		                 "under /apis",
		                 getting->word, resources_known());
	return show(getting, found, n);
}

int cmd_get(void *arg)
{
	const struct get_options *options = arg;
	const struct options_head *head = &options->common.head;
	struct getting getting = {.options = options};
	struct err err;
	if (head->n_args < 1 || head->n_args > 2)
		return cli_usage("get needs a type: %s", resources_known());
	if (!look_make(&options->common, &getting.look, &err))
		return cli_usage("%s", err.msg);
	getting.word = head->args[0];
	getting.name = head->n_args == 2 ? head->args[1] : NULL;
	getting.hub = remote_open(&options->common, &err);
	if (getting.hub == NULL)
		return cli_fail(&err);
	int status = run(&getting);
	remote_close(getting.hub);
	return status;
}
