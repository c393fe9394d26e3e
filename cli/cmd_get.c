/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "get.h"
#include "resources.h"

#include <assert.h>
#include <stdio.h>

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

int cmd_get(void *arg)
{
	const struct get_options *options = arg;
	const struct options_head *head = &options->common.head;
	if (head->n_args < 1 || head->n_args > 2)
		return cli_usage("get needs a type: %s", resources_known());
	const struct kube_resource *resource = resources_find(head->args[0]);
	if (resource == NULL)
		return cli_usage("'%s' is no type of these: %s; kubectl knows the others",
		                 head->args[0], resources_known());
	struct get_request request = {
		.ref = {.resource = resource,
	                .namespace_ = resource->namespaced ? options->namespace_ : NULL,
	                .name = head->n_args == 2 ? head->args[1] : NULL},
		.selector = options->selector,
	};
	if (request.ref.name != NULL && resource->namespaced && options->namespace_ == NULL)
		return cli_usage("one of the %s needs its --namespace", resource->plural);
	return get_run(&options->common, &request);
}
