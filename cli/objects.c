/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include "resources.h"

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
