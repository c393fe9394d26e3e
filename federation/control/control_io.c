/* SPDX-License-Identifier: Apache-2.0 */
#include "control_priv.h"

#include "base/alloc.h"

static void declare_metrics(struct control *control, struct metrics *metrics)
{
	control->reconciles =
		metrics_series(metrics_family(metrics, METRICS_COUNTER, "fedway_reconciles_total",
	                                      "Objects that were looked at again.", "", 1),
	                       NULL);
	control->status_writes = metrics_series(
		metrics_family(metrics, METRICS_COUNTER, "fedway_status_writes_total",
	                       "Writes of status or finalizers.", "", 1),
		NULL);
	control->routes_withdrawn = metrics_series(
		metrics_family(metrics, METRICS_GAUGE, "fedway_routes_withdrawn",
	                       "Routes of a network whose endpoints are ready, but do not answer "
	                       "its own gateways: not ready for other networks.",
	                       "", 1),
		NULL);
	control->route_withdrawals = metrics_series(metrics_family(metrics, METRICS_COUNTER,
	                                                           "fedway_route_withdrawals_total",
	                                                           "How often that began.", "", 1),
	                                            NULL);
}

struct control *control_create(const struct control_config *config, struct err *err)
{
	struct control *control = xcalloc(1, sizeof(*control));
	control->loop = config->loop;
	control->api = config->api;
	control->store = config->store;
	declare_metrics(control, config->metrics);
	list_init(&control->reviews);
	world_init(&control->world);
	control_queue_init(control);
	control_writes_init(control);
	control_hooks_init(control);
	control_outages_init(control);
	control_reach_init(control);
	if (!control_publish_init(control, config->data_dir, err) || !control_watch(control, err)) {
		control_destroy(control);
		return NULL;
	}
	return control;
}

void control_start(struct control *control, struct ads *ads, const char *xds_address)
{
	control->xds_address = xstrdup(xds_address);
	control->ads = ads;
	for (int kind = 0; kind < N_CONTROL_KINDS; kind++)
		reflector_start(control->reflectors[kind]);
}

void control_stop(struct control *control)
{
	if (control != NULL)
		control_reviews_end(control, NULL);
}

void control_destroy(struct control *control)
{
	if (control == NULL)
		return;
	for (int kind = 0; kind < N_CONTROL_KINDS; kind++)
		reflector_destroy(control->reflectors[kind]);
	map_for_each (it, &control->world.members)
		control_member_disconnect(map_value(it));
	control_writes_fini(control);
	control_services_fini(control);
	control_publish_fini(control);
	control_hooks_fini(control);
	control_outages_fini(control);
	control_reach_fini(control);
	control_queue_fini(control);
	world_fini(&control->world);
	free(control->xds_address);
	free(control);
}

struct mesh *control_mesh(const struct control *control)
{
	return control->mesh;
}

void control_on_mesh(struct control *control, void (*cb)(struct mesh *mesh, void *arg), void *arg)
{
	control->on_mesh = cb;
	control->on_mesh_arg = arg;
}
