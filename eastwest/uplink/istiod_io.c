/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod_io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "uplink/istiod.h"
#include "uplink/istiod_node.h"
#include "uplink/istiod_trust_io.h"
#include "uplink/mesh_copy.h"
#include "xds/delta_stream_io.h"

enum {
	RETRY_MIN_MS = 500, /* a stream again, while the connection stands */
	RETRY_MAX_MS = 30000,
	COPY_EVERY_MS = 1000,
	COPY_IDLE_FACTOR = 10, /* never more than a tenth of the time */
	HOST_MAX = 256
};

struct ew_istiod_link {
	struct loop *loop;
	const struct ew_uplink_events *events;
	void *arg;
	char *dir;
	struct ew_istiod *istiod;
	struct ew_istiod_trust *trust;
	struct xds_uplink *uplink;
	struct xds_delta_stream *stream;
	struct loop_timer save;
	int64_t save_not_before_ms;
	struct ew_istiod_stats told; /* last said in the log */
	char trouble[ERR_MSG_MAX];   /* so, too */
};

/* --- disk copy -------------------------------------------------------------------------------- */

static void on_save(void *arg)
{
	static char nobody[] = "copy";
	const struct xds_node node = {.id = nobody, .role = XDS_ROLE_GATEWAY};
	struct ew_istiod_link *link = arg;
	struct err err;
	int64_t began_ms = clock_now_ms();
	struct xds_delta_client *copy = xds_delta_client_create(&node, ew_burst_check, NULL);
	ew_istiod_copy(link->istiod, copy);
	if (!ew_mesh_copy_save(link->dir, copy, &err))
		log_warn("eastwest", "no disk copy of the mesh: %s", err.msg);
	xds_delta_client_destroy(copy);
	int64_t now_ms = clock_now_ms();
	int64_t rest_ms = (now_ms - began_ms) * COPY_IDLE_FACTOR;
	link->save_not_before_ms = now_ms + (rest_ms > COPY_EVERY_MS ? rest_ms : COPY_EVERY_MS);
}

static void save_soon(struct ew_istiod_link *link)
{
	int64_t wait_ms = link->save_not_before_ms - clock_now_ms();
	if (!loop_timer_is_set(&link->save))
		loop_timer_set(&link->save, wait_ms > 0 ? wait_ms : 0);
}

/* --- what is told ----------------------------------------------------------------------------- */

/* A trouble is said once, until there is another or it is over. */
static void on_trouble(const char *what, const struct err *why, void *arg)
{
	struct ew_istiod_link *link = arg;
	if (strcmp(link->trouble, why->msg) == 0)
		return;
	memcpy(link->trouble, why->msg, sizeof(link->trouble));
	log_warn("eastwest", "%s: %s", what, why->msg);
}

/* What an operator would look for, when it is not as before. */
static void tell_stats(struct ew_istiod_link *link)
{
	struct ew_istiod_stats now;
	const struct ew_istiod_stats *told = &link->told;
	ew_istiod_stats(link->istiod, &now);
	if (now.exposed == 0 && told->exposed != 0)
		log_warn("eastwest", "nothing is exposed: no Gateway of mode AUTO_PASSTHROUGH on "
		                     "the port of our door selects our labels");
	if (now.refused != told->refused || now.left_out != told->left_out ||
	    now.unresolved != told->unresolved)
		log_warn("eastwest",
		         "not routed: %zu resources that are bad, %zu filter chains that cannot "
		         "be kept, %zu clusters behind DNS%s%s",
		         now.refused, now.left_out, now.unresolved,
		         now.why[0] != '\0' ? "; the last: " : "", now.why);
	link->told = now;
}

static void put_in_force(struct ew_istiod_link *link)
{
	struct ew_burst *burst = ew_istiod_take_burst(link->istiod);
	if (burst == NULL)
		return;
	link->events->on_burst(burst, link->arg);
	save_soon(link);
}

/* --- stream ----------------------------------------------------------------------------------- */

static void start(struct http_fields *fields, void *arg)
{
	struct ew_istiod_link *link = arg;
	ew_istiod_trust_add_metadata(link->trust, fields);
	ew_istiod_start(link->istiod);
}

static bool next(struct buf *out, void *arg)
{
	struct ew_istiod_link *link = arg;
	return ew_istiod_next(link->istiod, out);
}

static bool feed(struct str message, struct err *err, void *arg)
{
	struct ew_istiod_link *link = arg;
	if (!ew_istiod_feed(link->istiod, message, err))
		return false;
	xds_delta_stream_settled(link->stream);
	put_in_force(link);
	if (ew_istiod_is_complete(link->istiod))
		tell_stats(link);
	return true;
}

static void on_stream(bool up, const struct err *why, void *arg)
{
	struct ew_istiod_link *link = arg;
	if (up)
		link->trouble[0] = '\0';
	else
		on_trouble("the stream from istiod ended", why, link);
	link->events->on_stream(up, 0, up ? "" : why->msg, link->arg);
}

static const struct xds_speaker speaker = {start, next, feed, on_stream};

static void on_down(const struct err *why, void *arg)
{
	struct ew_istiod_link *link = arg;
	on_trouble("no connection to istiod", why, link);
	ew_istiod_trust_on_down(link->trust, why);
}

/* --- trust ------------------------------------------------------------------------------------ */

static void on_tls(struct tls_ctx *tls, void *arg)
{
	struct ew_istiod_link *link = arg;
	xds_uplink_set_tls(link->uplink, tls);
}

static void on_credentials(const struct ew_credentials *credentials, void *arg)
{
	struct ew_istiod_link *link = arg;
	link->events->on_credentials(credentials, link->arg);
}

static const struct ew_istiod_trust_events trust_events = {on_tls, on_credentials, on_trouble};

/* --- life ------------------------------------------------------------------------------------- */

/* Of the door that an istiod's listener stands for: the first one. */
static uint16_t door_port(const struct ew_config *config)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		if (config->listeners[i].door == EW_DOOR_INGRESS)
			return config->listeners[i].addr.port;
	}
	return 0;
}

static bool make_state(struct ew_istiod_link *link, const struct ew_config *config, struct err *err)
{
	char host[HOST_MAX] = "";
	struct buf node CLEANUP(buf_fini) = {0};
	const char *name = getenv("POD_NAME");
	IGNORE(gethostname(host, sizeof(host) - 1) < 0); /* then its name is missing, and said so */
	const struct ew_istiod_pod pod = {name != NULL ? name : host, getenv("INSTANCE_IP")};
	buf_init(&node, EW_ISTIOD_NODE_MAX);
	if (!ew_istiod_node_encode(config, &pod, &node, err))
		return false;
	if (door_port(config) == 0)
		return err_set(err, ERR_INVALID,
		               "listeners: an istiod needs an ingress listener with a port");
	link->istiod =
		ew_istiod_create(buf_str(&node), config->control_plane.cluster, door_port(config));
	return true;
}

static bool make_parts(struct ew_istiod_link *link, const struct ew_config *config, struct err *err)
{
	struct xds_uplink_config to = {
		.loop = link->loop,
		.address = config->control_plane.address,
		.check_name = true,
		.message_max = EW_ISTIOD_RESPONSE_MAX,
		.on_down = on_down,
		.arg = link,
	};
	if (!make_state(link, config, err))
		return false;
	link->uplink = xds_uplink_create(&to, err);
	if (link->uplink == NULL)
		return false;
	link->trust = ew_istiod_trust_create(link->loop, config, &trust_events, link, err);
	if (link->trust == NULL)
		return false;
	const struct xds_delta_stream_config on = {
		.loop = link->loop,
		.uplink = link->uplink,
		.speaker = &speaker,
		.arg = link,
		.request_max = EW_ISTIOD_REQUEST_MAX,
		.retry_min_ms = RETRY_MIN_MS,
		.retry_max_ms = RETRY_MAX_MS,
	};
	link->stream = xds_delta_stream_create(&on);
	return true;
}

struct ew_istiod_link *ew_istiod_link_create(struct loop *loop, const struct ew_config *config,
                                             const struct ew_uplink_events *events, void *arg,
                                             struct err *err)
{
	struct ew_istiod_link *link = xcalloc(1, sizeof(*link));
	link->loop = loop;
	link->events = events;
	link->arg = arg;
	link->dir = ew_istiod_dir(config);
	link->told.exposed = 1; /* so that none is news */
	loop_timer_init(&link->save, loop, on_save, link);
	if (make_parts(link, config, err))
		return link;
	ew_istiod_link_destroy(link);
	return NULL;
}

void ew_istiod_link_destroy(struct ew_istiod_link *link)
{
	if (link == NULL)
		return;
	/* a change that waits for its second is not lost */
	if (loop_timer_is_set(&link->save))
		on_save(link);
	xds_delta_stream_destroy(link->stream);
	xds_uplink_destroy(link->uplink);
	ew_istiod_trust_destroy(link->trust);
	ew_istiod_destroy(link->istiod);
	loop_timer_fini(&link->save);
	free(link->dir);
	free(link);
}

json_t *ew_istiod_link_status(const struct ew_istiod_link *link)
{
	struct ew_istiod_stats stats;
	ew_istiod_stats(link->istiod, &stats);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "clusters",
	                 (json_int_t)stats.clusters, "exposed", (json_int_t)stats.exposed, "routes",
	                 (json_int_t)stats.routes, "refused", (json_int_t)stats.refused, "leftOut",
	                 (json_int_t)stats.left_out, "unresolved", (json_int_t)stats.unresolved,
	                 "reason", stats.why);
}
