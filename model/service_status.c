/* SPDX-License-Identifier: Apache-2.0 */
#include "model/service_status.h"

#include "view_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "model/health.h"

enum {
	NAMES_MAX = 1 << 16,
	COUNTS_MAX = 32
};

bool service_has_status(const struct mesh_service *service)
{
	return service->left_out != MESH_CLUSTER_LOCAL;
}

static json_t *ports_of(const struct mesh_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->n_ports; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:i, s:s}", "name", service->ports[i].name, "port",
		                         (int)service->ports[i].number, "protocol", "TCP"));
	return array;
}

static json_t *policy_of(const struct mesh *mesh, const struct mesh_service *service)
{
	struct view_route route = {.subset = ""};

	if (service->n_ports > 0)
		route.port = service->ports[0].number;
	view_policy_choose(mesh, service, &route);
	json_t *obj = json_pack("{s:s, s:s, s:s}", "source", route.policy_source, "field",
	                        route.policy_field, "mode", view_mode_text(route.mode));

	free(route.policy_source);
	return obj;
}

json_t *service_status(const struct mesh *mesh, const struct mesh_service *service)
{
	json_t *clusters = json_array(), *conflicts = json_array();
	CLEANUP(buf_fini) struct buf names;
	char counts[COUNTS_MAX];
	uint64_t ready = 0, total = 0;

	buf_init(&names, NAMES_MAX);
	for (size_t i = 0; i < service->n_parts; i++) {
		const struct mesh_part *part = &service->parts[i];
		uint32_t part_ready = health_ready_of_part(mesh, service, part);

		json_array_append_new(
			clusters, json_pack("{s:s, s:s, s:i, s:i}", "cluster", part->cluster->name,
		                            "network", part->cluster->network, "ready",
		                            (int)part_ready, "total", (int)part->total));
		buf_printf(&names, "%s%s", i > 0 ? "," : "", part->cluster->name);
		ready += part_ready;
		total += part->total;
	}
	for (size_t i = 0; i < service->n_conflicts; i++)
		json_array_append_new(conflicts, json_string(service->conflicts[i]));
	snprintf(counts, sizeof(counts), "%llu/%llu", (unsigned long long)ready,
	         (unsigned long long)total);
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s}", "ports", ports_of(service), "clusters",
	                 clusters, "policy", policy_of(mesh, service), "conflicts", conflicts,
	                 "clusterNames", buf_text(&names), "endpoints", counts);
}
