/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mesh: fed by what changed, built and published once a turn. MeshServices of changed services
 * are looked at again.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "discovery/discovery.h"

void control_publish_soon(struct control *control)
{
	if (!loop_timer_is_set(&control->publish))
		loop_timer_set(&control->publish, 0);
}

static void mark_service(struct str key, void *old_value, void *new_value, void *arg)
{
	char *text = str_dup(key);
	(void)old_value;
	(void)new_value;
	control_enqueue(arg, KIND_SERVICE, text, 0);
	free(text);
}

static void on_publish(void *arg)
{
	struct control *control = arg;
	if (!control->started || control->ads == NULL)
		return;
	/* the first mesh has every object in it, and the copies of the members */
	if (control->mesh == NULL && control_is_due(control)) {
		loop_timer_set(&control->publish, 1);
		return;
	}
	struct mesh *old = control->mesh;
	struct mesh *mesh = mesh_builder_build(control->builder);
	if (mesh == old) {
		mesh_unref(mesh);
		return;
	}
	control->mesh = mesh;
	ads_publish(control->ads, mesh);
	if (control->on_mesh != NULL)
		control->on_mesh(mesh, control->on_mesh_arg);
	tree_diff(old != NULL ? old->services : NULL, mesh->services, mark_service, control);
	/* what counts as ready depends on whether a network can be reached */
	if (old == NULL || old->settings_revision != mesh->settings_revision ||
	    old->networks != mesh->networks)
		control_enqueue_all(control, KIND_SERVICE);
	control_enqueue(control, KIND_MESH, "default", 0);
	mesh_unref(old);
}

/* --- what discovery tells -----------------------------------------------------------------------
 */

static void on_snapshot(const struct discovery_change *change, void *arg)
{
	struct control *control = arg;
	mesh_builder_set_snapshot(control->builder, change->cluster, change->snapshot);
	log_debug("control", "snapshot  cluster=%s services=%zu from_copy=%d", change->cluster,
	          change->n_services, change->from_copy);
	control_publish_soon(control);
	control_enqueue(control, KIND_CLUSTER, change->cluster, 0);
}

static void on_status(const char *cluster, void *arg)
{
	control_enqueue(arg, KIND_CLUSTER, cluster, 0);
}

static bool open_discovery(struct control *control, const char *data_dir, struct err *err)
{
	struct discovery_handlers handlers = {
		.on_snapshot = on_snapshot, .on_status = on_status, .arg = control};
	char *dir = xasprintf("%s/members", data_dir);
	control->discovery = discovery_create(control->loop, dir, &handlers, err);
	free(dir);
	return control->discovery != NULL;
}

bool control_publish_init(struct control *control, const char *data_dir, struct err *err)
{
	control->builder = mesh_builder_create();
	loop_timer_init(&control->publish, control->loop, on_publish, control);
	return open_discovery(control, data_dir, err);
}

void control_publish_fini(struct control *control)
{
	loop_timer_fini(&control->publish);
	discovery_destroy(control->discovery);
	mesh_builder_destroy(control->builder);
	mesh_unref(control->mesh);
}
