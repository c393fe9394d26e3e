/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include "command.h"
#include "resources.h"

#include <stdio.h>

bool objects_load(struct objects *objects, struct remote *remote, struct err *err)
{
	const struct {
		const struct kube_resource *resource;
		json_t **list;
	} rows[] = {
		{&cli_cluster, &objects->clusters},
		{&cli_group, &objects->groups},
		{&cli_gateway, &objects->gateways},
		{&cli_service, &objects->services},
	};
	struct kube_ref mesh = {.resource = &cli_mesh, .name = "default"};
	objects->mesh = remote_get(remote, &mesh, err);
	bool ok = objects->mesh != NULL;
	for (size_t i = 0; ok && i < N_ELEMS(rows); i++) {
		struct kube_ref ref = {.resource = rows[i].resource};
		*rows[i].list = remote_list(remote, &ref, NULL, err);
		ok = *rows[i].list != NULL;
	}
	return ok;
}

void objects_fini(struct objects *objects)
{
	json_decref(objects->mesh);
	json_decref(objects->clusters);
	json_decref(objects->groups);
	json_decref(objects->gateways);
	json_decref(objects->services);
	*objects = (struct objects){0};
}

struct plan_input objects_plan_input(const struct objects *objects)
{
	return (struct plan_input){.clusters = objects->clusters,
	                           .groups = objects->groups,
	                           .gateways = objects->gateways,
	                           .services = objects->services};
}

int objects_show_plan(const json_t *plan, struct look look)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	plan_format(plan, look, &text);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, plan);
	else
		fputs(buf_text(&text), stderr);
	if (plan_n_losses(plan) == 0)
		return -1;
	fputs("\nRefused: something would be lost; nothing was changed.\n", stderr);
	return EXIT_REFUSED;
}
