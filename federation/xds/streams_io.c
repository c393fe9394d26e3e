/* SPDX-License-Identifier: Apache-2.0 */
#include "ads_priv.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

static bool is_held(const struct mesh_service *service, void *arg)
{
	struct ads *ads = arg;
	const struct ads_control *control = &ads->control;
	if (map_len(&ads->incomplete) == 0)
		return false;
	for (size_t i = 0; i < service->n_parts; i++) {
		if (map_find_text(&ads->incomplete, service->parts[i].cluster->name) != NULL)
			return true;
	}
	return control->service_is_lost != NULL &&
	       control->service_is_lost(service->key, control->arg);
}

/* --- programs -----------------------------------------------------------------------------------
 */

static struct ads_program *take_program(struct ads *ads, const struct view_key *key)
{
	list_for_each (it, &ads->programs) {
		struct ads_program *have = LIST_ENTRY(it, struct ads_program, link);
		if (program_is_for(have->program, key)) {
			have->n_streams++;
			return have;
		}
	}
	struct program_config config = {.key = *key, .held = is_held, .arg = ads};
	struct ads_program *made = xcalloc(1, sizeof(*made));
	list_init(&made->link);
	made->program = program_create(&config);
	made->n_streams = 1;
	list_append(&ads->programs, &made->link);
	if (ads->mesh != NULL) {
		program_update(made->program, ads->mesh, loop_now_ms(ads->loop));
		program_review(made->program, map_len(&ads->incomplete) == 0);
	}
	return made;
}

static void drop_program(struct ads_program *program)
{
	if (program == NULL || --program->n_streams > 0)
		return;
	list_remove(&program->link);
	program_destroy(program->program);
	free(program);
}

static void on_tick(void *arg)
{
	struct ads *ads = arg;
	int64_t now = loop_now_ms(ads->loop);
	int64_t next = -1;
	bool changed = false;
	list_for_each (it, &ads->programs) {
		int64_t due;
		struct program *program = LIST_ENTRY(it, struct ads_program, link)->program;
		changed |= program_tick(program, now, &due);
		if (due >= 0 && (next < 0 || due < next))
			next = due;
	}
	if (changed)
		xds_ads_server_flush(ads->server);
	if (next >= 0)
		loop_timer_set(&ads->tick, next - now);
}

/* --- one stream ---------------------------------------------------------------------------------
 */

struct ads_instance ads_stream_describe(const struct ads_stream *stream)
{
	struct xds_delta_stats stats;
	struct ads_instance instance = {
		.cluster = stream->cluster,
		.gateway = stream->gateway,
		.instance = stream->instance != NULL ? stream->instance : "",
		.version = stream->version != NULL ? stream->version : "",
		.mark = stream->mark,
		.ours = stream->role == VIEW_GATEWAY,
		.cert_not_after_s = stream->cert_not_after_s,
		.connected_ms = stream->connected_ms,
	};
	xds_delta_server_stats(xds_ads_stream_state(stream->stream), &stats);
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		instance.sent[i] = stats.sent[i];
	instance.nacks = stats.nacks;
	memcpy(instance.acked_version, stats.acked_version, sizeof(instance.acked_version));
	instance.current = stream->program != NULL &&
	                   strcmp(stats.acked_version,
	                          xds_set_version(program_set(stream->program->program))) == 0;
	return instance;
}

static void tell_instance(struct ads_stream *stream, bool connected)
{
	const struct ads_control *control = &stream->ads->control;
	struct ads_instance instance = ads_stream_describe(stream);
	if (control->on_instance != NULL)
		control->on_instance(&instance, connected, control->arg);
}

static bool on_open(struct xds_ads_stream *xds, void *arg, struct err *err)
{
	struct ads *ads = arg;
	struct cert_identity who;
	int64_t not_after_s;
	if (!ads_call_gateway(ads, xds_ads_stream_call(xds), &who, &not_after_s, err))
		return false;
	struct ads_stream *stream = xcalloc(1, sizeof(*stream));
	list_init(&stream->link);
	stream->ads = ads;
	stream->stream = xds;
	stream->cluster = xstrdup(who.cluster);
	stream->gateway = xstrdup(who.name);
	stream->narrowed = locality_none();
	stream->cert_not_after_s = not_after_s;
	stream->connected_ms = loop_now_ms(ads->loop);
	xds_ads_stream_set_data(xds, stream);
	return true;
}

static void read_node(struct ads_stream *stream, const struct xds_node *node)
{
	const char *slash = node->id != NULL ? strchr(node->id, '/') : NULL;
	stream->instance = xstrdup(slash != NULL ? slash + 1 : "");
	stream->version = xstrdup(node->version != NULL ? node->version : "");
	stream->mark = node->mark;
	stream->role = node->role == XDS_ROLE_GATEWAY ? VIEW_GATEWAY : VIEW_INGRESS;
	stream->narrowed = locality_make(str_from(node->region), str_from(node->zone),
	                                 str_from(node->subzone));
}

/* Puts the stream onto the program of where its gateway stands now. */
static bool place(struct ads_stream *stream, struct err *err)
{
	struct ads *ads = stream->ads;
	struct view_key key = {.cluster = stream->cluster, .role = stream->role};
	if (!ads->control.find_gateway(stream->cluster, stream->gateway, &key.network,
	                               &key.locality, ads->control.arg, err))
		return false;
	if (stream->narrowed != locality_none())
		key.locality = stream->narrowed;
	if (stream->program != NULL && program_is_for(stream->program->program, &key))
		return true;
	struct ads_program *old = stream->program;
	stream->program = take_program(ads, &key);
	drop_program(old);
	if (ads->mesh != NULL)
		xds_ads_stream_set_set(stream->stream, program_set(stream->program->program));
	return true;
}

static bool on_node(struct xds_ads_stream *xds, const struct xds_node *node, void *arg,
                    struct err *err)
{
	struct ads *ads = arg;
	struct ads_stream *stream = xds_ads_stream_data(xds);
	read_node(stream, node);
	if (!place(stream, err))
		return false;
	list_append(&ads->streams, &stream->link);
	metrics_add(ads->metrics.streams, 1);
	log_info("xds", "gateway connected  cluster=%s gateway=%s instance=%s version=%s",
	         stream->cluster, stream->gateway, stream->instance, stream->version);
	tell_instance(stream, true);
	return true;
}

static void on_outcome(struct xds_ads_stream *xds, const struct xds_outcome *outcome, void *arg)
{
	struct ads *ads = arg;
	struct ads_stream *stream = xds_ads_stream_data(xds);
	if (stream->left_version != NULL && outcome->accepted &&
	    strcmp(stream->left_version, outcome->set_version) == 0) {
		xds_ads_stream_close(xds, GRPC_FAILED_PRECONDITION, "the cluster has left");
		return;
	}
	if (outcome->accepted) {
		metrics_add(ads->metrics.sent[outcome->type], (int64_t)outcome->n_resources);
		if (ads->control.on_current != NULL && ads_stream_describe(stream).current)
			ads->control.on_current(ads->control.arg);
		return;
	}
	metrics_add(ads->metrics.nacks, 1);
	struct ads_instance instance = ads_stream_describe(stream);
	log_warn("xds", "refused by gateway  cluster=%s gateway=%s type=%s message='%s'",
	         stream->cluster, stream->gateway, xds_type_name(outcome->type), outcome->message);
	for (size_t i = 0; i < outcome->n_resources && ads->control.on_nack != NULL; i++)
		ads->control.on_nack(&instance, outcome->resources[i]->name.ptr, outcome->message,
		                     ads->control.arg);
}

static void on_close(struct xds_ads_stream *xds, void *arg)
{
	struct ads *ads = arg;
	struct ads_stream *stream = xds_ads_stream_data(xds);
	if (!list_is_empty(&stream->link)) {
		list_remove(&stream->link);
		metrics_add(ads->metrics.streams, -1);
		log_info("xds", "gateway gone  cluster=%s gateway=%s instance=%s", stream->cluster,
		         stream->gateway, stream->instance);
		tell_instance(stream, false);
	}
	drop_program(stream->program);
	free(stream->cluster);
	free(stream->gateway);
	free(stream->instance);
	free(stream->version);
	free(stream->left_version);
	free(stream);
}

/* --- all ----------------------------------------------------------------------------------------
 */

void ads_streams_start(struct ads *ads)
{
	struct xds_ads_server_config config = {
		.grpc = ads->grpc,
		.on_open = on_open,
		.on_node = on_node,
		.on_outcome = on_outcome,
		.on_close = on_close,
		.arg = ads,
	};
	list_init(&ads->programs);
	list_init(&ads->streams);
	loop_timer_init(&ads->tick, ads->loop, on_tick, ads);
	ads->server = xds_ads_server_create(&config);
}

/* A gateway that no longer exists keeps what it holds, but is told no more. */
static void place_again(struct ads_stream *stream)
{
	struct err err;
	if (stream->left_version == NULL && !place(stream, &err))
		xds_ads_stream_close(stream->stream, GRPC_PERMISSION_DENIED, err.msg);
}

void ads_review_gateways(struct ads *ads)
{
	list_for_each_safe (it, &ads->streams)
		place_again(LIST_ENTRY(it, struct ads_stream, link));
}

void ads_streams_update(struct ads *ads)
{
	int64_t now = loop_now_ms(ads->loop);
	list_for_each (it, &ads->programs)
		program_update(LIST_ENTRY(it, struct ads_program, link)->program, ads->mesh, now);
	ads_review_gateways(ads);
	list_for_each (it, &ads->streams) {
		struct ads_stream *stream = LIST_ENTRY(it, struct ads_stream, link);
		/* streams that opened before the first mesh have no set yet */
		if (stream->program != NULL)
			xds_ads_stream_set_set(stream->stream,
			                       program_set(stream->program->program));
	}
	xds_ads_server_flush(ads->server);
	on_tick(ads);
}

void ads_streams_review(struct ads *ads)
{
	bool complete = map_len(&ads->incomplete) == 0;
	bool changed = false;
	list_for_each (it, &ads->programs)
		changed |=
			program_review(LIST_ENTRY(it, struct ads_program, link)->program, complete);
	if (changed)
		xds_ads_server_flush(ads->server);
}

void ads_leave(struct ads *ads, const char *cluster)
{
	list_for_each_safe (it, &ads->streams) {
		struct ads_stream *stream = LIST_ENTRY(it, struct ads_stream, link);
		if (strcmp(stream->cluster, cluster) != 0 || stream->left_version != NULL)
			continue;
		struct xds_set *nothing = xds_set_create();
		struct xds_set_info info = {
			.left = true, .network = "", .cluster = cluster, .locality = ""};
		xds_set_describe(nothing, &info);
		xds_set_set_complete(nothing, true);
		stream->left_version = xstrdup(xds_set_version(nothing));
		drop_program(stream->program);
		stream->program = NULL;
		xds_ads_stream_set_set(stream->stream, nothing);
		xds_set_unref(nothing);
	}
}

void ads_for_each_instance(const struct ads *ads, ads_instance_cb cb, void *arg)
{
	list_for_each (it, &ads->streams) {
		struct ads_instance instance =
			ads_stream_describe(LIST_ENTRY(it, struct ads_stream, link));
		cb(&instance, arg);
	}
}
