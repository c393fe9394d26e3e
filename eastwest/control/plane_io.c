/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plane_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "eastwest/mesh.h"
#include "uplink/canary_io.h"
#include "uplink/istiod_io.h"
#include "uplink/istiod_trust_io.h"
#include "uplink/mesh_copy.h"
#include "uplink/ping_io.h"
#include "uplink/report.h"
#include "uplink/uplink_io.h"

enum {
	REPORT_EVERY_MS = 1000
};

struct ew_plane {
	struct ew_control *control;
	struct ew_mesh *mesh;
	struct ew_canary *canary;      /* NULL: an istiod's mesh does not know canaries */
	struct ew_uplink *uplink;      /* to a fedwayd */
	struct ew_istiod_link *istiod; /* or to an istiod */
	struct loop_timer report;
	bool complete;
	bool from_copy; /* the table is that of the disk copy */

	/* for /status and metrics */
	bool up;
	char why[ERR_MSG_MAX];
	uint64_t bursts;
	uint64_t resyncs;
	uint64_t renewals;
	int64_t not_after_s;
	struct metrics_value *up_value;
	struct metrics_value *bursts_value;
	struct metrics_value *resyncs_value;
	struct metrics_value *not_after_value;
};

/* --- tables ----------------------------------------------------------------------------------- */

static void put_in_force(struct ew_plane *plane, const struct ew_burst *burst)
{
	struct ew_control *control = plane->control;
	struct str *hosts;
	size_t left_out;
	struct err err;
	size_t n_hosts = ew_mesh_hosts(plane->mesh, &hosts);
	ew_resolver_want(control->resolver, hosts, n_hosts);
	free(hosts);
	struct ew_mesh_parts parts = {control->table, burst, ew_resolver_find, control->resolver};
	struct ew_table *table = ew_mesh_table(plane->mesh, &parts, &left_out, &err);
	if (left_out > 0)
		log_error("eastwest", "%zu parts of the mesh were left as they were: %s", left_out,
		          err.msg);
	ew_control_set_table(control, table);
}

/* Takes burst. */
static void take_burst(struct ew_plane *plane, struct ew_burst *burst)
{
	ew_mesh_take(plane->mesh, burst);
	put_in_force(plane, burst);
	ew_burst_destroy(burst);
	plane->complete = true;
}

static void on_burst(struct ew_burst *burst, void *arg)
{
	struct ew_plane *plane = arg;
	plane->from_copy = false;
	plane->bursts++;
	metrics_add(plane->bursts_value, 1);
	take_burst(plane, burst);
	log_debug("eastwest", "mesh in force version=%s routes=%u", ew_mesh_version(plane->mesh),
	          ew_table_n_routes(plane->control->table));
	ew_control_on_complete(plane->control);
}

static void on_left(void *arg)
{
	struct ew_plane *plane = arg;
	log_warn("eastwest", "the cluster has left the mesh");
	plane->complete = false;
	ew_control_drain(plane->control);
}

void ew_plane_on_resolved(struct ew_plane *plane)
{
	put_in_force(plane, NULL);
}

/* --- certificate ------------------------------------------------------------------------------ */

/* Canary and checks of other gateways prove themselves by it from now on. */
static bool use_credentials(struct ew_plane *plane, const struct ew_credentials *credentials,
                            struct err *err)
{
	struct tls_ctx *tls = ew_ping_tls(credentials, err);
	bool ok = tls != NULL && ew_canary_set_credentials(plane->canary, credentials, err);
	if (ok)
		ew_checker_set_tls(plane->control->checker, tls);
	tls_ctx_unref(tls);
	return ok;
}

static void on_credentials(const struct ew_credentials *credentials, void *arg)
{
	struct ew_plane *plane = arg;
	struct err err;
	char time[32];
	if (plane->canary != NULL && !use_credentials(plane, credentials, &err)) {
		log_error("eastwest", "the certificate cannot be used: %s", err.msg);
		return;
	}
	plane->not_after_s = credentials->not_after_s;
	plane->renewals = credentials->renewals;
	metrics_set(plane->not_after_value, credentials->not_after_s);
	log_info("eastwest", "certificate cluster=%s name=%s notAfter=%s",
	         credentials->identity.cluster, credentials->identity.name,
	         clock_format_rfc3339(credentials->not_after_s, time));
}

static bool is_peer(const char *cluster, void *arg)
{
	const struct ew_plane *plane = arg;
	return ew_mesh_has_peer(plane->mesh, cluster);
}

/* --- stream and reports ----------------------------------------------------------------------- */

static void on_stream(bool up, uint64_t resyncs, const char *why, void *arg)
{
	struct ew_plane *plane = arg;
	if (up && !plane->up)
		log_info("eastwest", "connected to the control plane");
	plane->up = up;
	plane->resyncs = resyncs;
	snprintf(plane->why, sizeof(plane->why), "%s", why);
	metrics_set(plane->up_value, up);
	metrics_set(plane->resyncs_value, (int64_t)resyncs);
}

static const struct ew_uplink_events events = {on_burst, on_left, on_credentials, on_stream};

static void on_report(void *arg)
{
	struct ew_plane *plane = arg;
	struct buf report CLEANUP(buf_fini) = {0};
	loop_timer_set(&plane->report, REPORT_EVERY_MS);
	if (!plane->complete)
		return;
	buf_init(&report, EW_REPORT_MAX);
	ew_report_add_seen(plane->control->table, loop_now_ms(plane->control->loop), &report);
	ew_report_add_lost(ew_checker_lost(plane->control->checker), &report);
	if (!buf_failed(&report))
		ew_uplink_set_report(plane->uplink, buf_str(&report));
}

/* --- life ------------------------------------------------------------------------------------- */

static bool is_istiod(const struct ew_config *config)
{
	return strcmp(config->control_plane.type, "istiod") == 0;
}

static bool check_block(const struct ew_config *config, struct err *err)
{
	const struct ew_control_plane_config *block = &config->control_plane;
	const struct {
		const char *key;
		const char *value;
		bool for_istiod_only;
	} needed[] = {{"trustFile", block->trust_file, false},
	              {"tokenFile", block->token_file, true},
	              {"cluster", block->cluster, false},
	              {"name", block->name, false}};
	for (size_t i = 0; i < N_ELEMS(needed); i++) {
		if (needed[i].for_istiod_only && !is_istiod(config))
			continue;
		if (needed[i].value == NULL || needed[i].value[0] == '\0')
			return err_set(err, ERR_INVALID, "controlPlane.%s: is missing",
			               needed[i].key);
	}
	/* a cluster of Istio may have any name */
	if (!str_is_dns_label(str_from(block->name)) ||
	    (!is_istiod(config) && !str_is_dns_label(str_from(block->cluster))))
		return err_set(err, ERR_INVALID,
		               "controlPlane: cluster and name must be DNS labels");
	if (config->data_dir == NULL)
		return err_set(err, ERR_INVALID,
		               "dataDir: is missing; with a controlPlane it holds the disk copy, "
		               "the key and the certificate");
	return true;
}

static void declare_metrics(struct ew_plane *plane)
{
	const struct {
		struct metrics_value **value;
		enum ew_metric metric;
	} rows[] = {
		{&plane->up_value, EW_METRIC_PLANE_UP},
		{&plane->bursts_value, EW_METRIC_BURSTS},
		{&plane->resyncs_value, EW_METRIC_RESYNCS},
		{&plane->not_after_value, EW_METRIC_NOT_AFTER},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		*rows[i].value = ew_stats_single(plane->control->stats, rows[i].metric);
}

/* The table of the disk copy, or an empty one. */
static void start_table(struct ew_plane *plane, struct xds_delta_client *client, const char *dir,
                        const char *cluster)
{
	struct ew_control *control = plane->control;
	struct err err;
	if (ew_mesh_copy_load(dir, cluster, client, &err)) {
		plane->from_copy = true;
		take_burst(plane, ew_burst_create(client, true));
		log_info("eastwest", "start from the disk copy version=%s routes=%u",
		         ew_mesh_version(plane->mesh), ew_table_n_routes(control->table));
		return;
	}
	if (err.code == ERR_NOT_FOUND)
		log_info("eastwest", "no disk copy of the mesh, waiting for the control plane");
	else
		log_warn("eastwest", "the disk copy is left aside: %s", err.msg);
	control->table = ew_table_builder_finish(ew_table_builder_create(NULL, control->registry));
}

static bool begin_fedwayd(struct ew_plane *plane, const struct ew_config *config, struct err *err)
{
	struct ew_control *control = plane->control;
	struct xds_node node;
	plane->canary = ew_canary_create(control->loop, is_peer, plane, err);
	if (plane->canary == NULL)
		return false;
	plane->mesh = ew_mesh_create(control->registry, ew_canary_addr(plane->canary));
	ew_uplink_node(config, &node);
	struct xds_delta_client *client = xds_delta_client_create(&node, ew_burst_check, NULL);
	xds_node_fini(&node);
	start_table(plane, client, config->data_dir, config->control_plane.cluster);
	plane->uplink = ew_uplink_create(control->loop, config, client, &events, plane);
	loop_timer_set(&plane->report, 0);
	return true;
}

static bool begin_istiod(struct ew_plane *plane, const struct ew_config *config, struct err *err)
{
	static const struct addr no_canary;
	struct ew_control *control = plane->control;
	struct xds_node node;
	plane->istiod = ew_istiod_link_create(control->loop, config, &events, plane, err);
	if (plane->istiod == NULL)
		return false;
	plane->mesh = ew_mesh_create(control->registry, &no_canary);
	ew_uplink_node(config, &node);
	struct xds_delta_client *copy = xds_delta_client_create(&node, ew_burst_check, NULL);
	char *dir = ew_istiod_dir(config);
	xds_node_fini(&node);
	start_table(plane, copy, dir, config->control_plane.cluster);
	xds_delta_client_destroy(copy);
	free(dir);
	return true;
}

bool ew_plane_create(struct ew_control *control, const struct ew_config *config,
                     struct ew_plane **ret_plane, struct err *err)
{
	if (!check_block(config, err))
		return err_wrap(err, "%s", control->options->config);
	struct ew_plane *plane = xcalloc(1, sizeof(*plane));
	plane->control = control;
	loop_timer_init(&plane->report, control->loop, on_report, plane);
	declare_metrics(plane);
	bool ok = is_istiod(config) ? begin_istiod(plane, config, err)
	                            : begin_fedwayd(plane, config, err);
	if (!ok) {
		ew_plane_destroy(plane);
		return err_wrap(err, "%s", control->options->config);
	}
	*ret_plane = plane;
	return true;
}

void ew_plane_destroy(struct ew_plane *plane)
{
	if (plane == NULL)
		return;
	loop_timer_fini(&plane->report);
	ew_uplink_destroy(plane->uplink);
	ew_istiod_link_destroy(plane->istiod);
	ew_canary_destroy(plane->canary);
	ew_mesh_destroy(plane->mesh);
	free(plane);
}

bool ew_plane_is_complete(const struct ew_plane *plane)
{
	return plane->complete;
}

void ew_plane_on_closed(struct ew_plane *plane)
{
	if (plane->canary != NULL)
		ew_canary_stop(plane->canary);
}

json_t *ew_plane_status(const struct ew_plane *plane)
{
	char time[32] = "";
	if (plane->not_after_s > 0)
		clock_format_rfc3339(plane->not_after_s, time);
	json_t *status = json_pack("{s:s, s:b, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:b}", "type",
	                           plane->istiod != NULL ? "istiod" : "fedwayd", "connected",
	                           plane->up, "reason", plane->why, "complete", plane->complete,
	                           "version", ew_mesh_version(plane->mesh), "certificateNotAfter",
	                           time, "certificateRenewals", (json_int_t)plane->renewals,
	                           "bursts", (json_int_t)plane->bursts, "resyncs",
	                           (json_int_t)plane->resyncs, "fromDiskCopy", plane->from_copy);
	if (plane->istiod != NULL)
		json_object_set_new(status, "istiod", ew_istiod_link_status(plane->istiod));
	return status;
}
