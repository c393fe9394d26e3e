/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON array as objects of a member and of ours: refused or taken, never a crash; what was
 * taken goes through merge and view. */
#include <stdint.h>

#include "model/mesh.h"
#include "model/snapshot_builder.h"
#include "model/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void feed(const json_t *obj, struct snapshot_builder *s, struct mesh_builder *m)
{
	struct err err;
	struct policy *policy = policy_decode(obj, &err);
	struct mesh_settings settings;
	struct cluster_spec cluster;
	struct group_spec group;
	struct gateway_spec gateway;

	if (policy != NULL)
		mesh_builder_set_policy(m, policy);
	policy_unref(policy);
	if (mesh_settings_decode(obj, &settings, &err)) {
		mesh_builder_set_settings(m, &settings);
		mesh_settings_fini(&settings);
	}
	if (cluster_spec_decode(obj, &cluster, &err))
		cluster_spec_fini(&cluster);
	if (group_spec_decode(obj, &group, &err))
		group_spec_fini(&group);
	if (gateway_spec_decode(obj, &gateway, &err))
		gateway_spec_fini(&gateway);
	/* Refusal is a good outcome here. */
	IGNORE(snapshot_builder_put(s, json_str_at(obj, "kind", ""), obj, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	json_t *all = json_parse(str_make((const char *)data, len), &err);
	struct snapshot_builder *s = snapshot_builder_create("c1");
	struct mesh_builder *m = mesh_builder_create();
	struct mesh_cluster c = {.name = "c1", .network = "n1", .locality = locality_none()};
	struct view_key key = {"n1", "c1", locality_parse(STR_LIT("r/z")), VIEW_GATEWAY};

	for (size_t i = 0; i < json_array_size(all); i++)
		feed(json_array_get(all, i), s, m);
	struct snapshot *snapshot = snapshot_builder_build(s);

	mesh_builder_set_cluster(m, &c);
	mesh_builder_set_snapshot(m, "c1", snapshot);
	struct mesh *mesh = mesh_builder_build(m);
	struct view *view = view_create(mesh, &key);

	view_unref(view);
	mesh_unref(mesh);
	snapshot_unref(snapshot);
	mesh_builder_destroy(m);
	snapshot_builder_destroy(s);
	json_decref(all);
	return 0;
}
