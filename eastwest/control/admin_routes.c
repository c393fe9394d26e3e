/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "control/dump.h"
#include "eastwest/balance.h"

enum {
	ANSWER_MAX = 256 << 20,
	TRACE_MAX = 256 /* events, unless more are asked for */
};

/* A path of one of the servers. */
struct door {
	const char *method;
	const char *path;
	void (*answer)(struct http_exchange *ex, struct ew_control *control);
};

static void say(struct http_exchange *ex, int status, const char *text)
{
	http_exchange_reply(ex, status, "text/plain; charset=utf-8", str_from(text));
}

static void say_json(struct http_exchange *ex, struct buf *body)
{
	http_exchange_reply(ex, 200, "application/json", buf_str(body));
}

static void serve(struct http_exchange *ex, struct ew_control *control, const struct door *doors,
                  size_t n)
{
	const struct http_request *request = http_exchange_request(ex);
	bool path_known = false;
	for (size_t i = 0; i < n; i++) {
		if (!str_is(request->path, doors[i].path))
			continue;
		path_known = true;
		if (str_is(request->method, doors[i].method)) {
			doors[i].answer(ex, control);
			return;
		}
	}
	say(ex, path_known ? 405 : 404, path_known ? "method not allowed\n" : "not found\n");
}

/* --- health and metrics ----------------------------------------------------------------------- */

static void answer_ready(struct http_exchange *ex, struct ew_control *control)
{
	if (control->state == EW_CONTROL_SERVING)
		say(ex, 200, "ready\n");
	else
		say(ex, 503, control->state == EW_CONTROL_STARTING ? "starting\n" : "draining\n");
}

static void answer_metrics(struct http_exchange *ex, struct ew_control *control)
{
	struct buf body CLEANUP(buf_fini);
	buf_init(&body, ANSWER_MAX);
	metrics_format(control->stats->metrics, &body);
	http_exchange_reply(ex, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&body));
}

void ew_admin_on_health(struct http_exchange *ex, void *arg)
{
	static const struct door doors[] = {{"GET", "/healthz/ready", answer_ready}};
	serve(ex, arg, doors, N_ELEMS(doors));
}

void ew_admin_on_metrics(struct http_exchange *ex, void *arg)
{
	static const struct door doors[] = {{"GET", "/metrics", answer_metrics},
	                                    {"GET", "/stats/prometheus", answer_metrics}};
	serve(ex, arg, doors, N_ELEMS(doors));
}

/* --- admin ------------------------------------------------------------------------------------ */

static void reply_tree(struct http_exchange *ex, json_t *tree)
{
	struct buf body CLEANUP(buf_fini);
	buf_init(&body, ANSWER_MAX);
	char *text = json_format(tree);
	buf_add_text(&body, text);
	buf_add_char(&body, '\n');
	free(text);
	json_decref(tree);
	say_json(ex, &body);
}

static void answer_routes(struct http_exchange *ex, struct ew_control *control)
{
	reply_tree(ex, ew_dump_table(control->table, loop_now_ms(control->loop)));
}

static void answer_status(struct http_exchange *ex, struct ew_control *control)
{
	static const char *const states[] = {"starting", "serving", "draining", "closed",
	                                     "stopped"};
	json_t *listeners = json_array();
	for (size_t i = 0; control->doors != NULL && i < control->doors->n; i++) {
		const struct ew_listener_config *listener = &control->doors->rows[i].listener;
		char text[ADDR_TEXT_MAX];
		json_array_append_new(listeners,
		                      json_pack("{s:s, s:s, s:s}", "name", listener->name, "mode",
		                                ew_door_name(listener->door), "address",
		                                addr_format(&control->doors->rows[i].bound, text)));
	}
	json_t *tree = json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:o}", "version", FEDWAY_VERSION,
	                         "state", states[control->state], "fromDiskCopy",
	                         control->from_copy, "workers", (int)control->n_workers,
	                         "connections", (int)ew_control_connections(control), "routes",
	                         (int)ew_table_n_routes(control->table), "listeners", listeners);
	if (control->plane != NULL)
		json_object_set_new(tree, "controlPlane", ew_plane_status(control->plane));
	reply_tree(ex, tree);
}

/* ?max=N; false: refused already. */
static bool read_max(struct http_exchange *ex, uint64_t *max)
{
	char *wish CLEANUP(free_ptr) = http_query_find(http_exchange_request(ex)->query, "max");
	if (wish == NULL || str_to_u64(str_from(wish), EW_RECORDS, max))
		return true;
	say(ex, 400, "max: must be 0 to 4096\n");
	return false;
}

static void answer_refusals(struct http_exchange *ex, struct ew_control *control)
{
	struct buf body CLEANUP(buf_fini);
	uint64_t max = EW_RECORDS;
	buf_init(&body, ANSWER_MAX);
	if (!read_max(ex, &max))
		return;
	ew_recorder_format_refusals(control->recorder, max, &body);
	say_json(ex, &body);
}

static void answer_trace(struct http_exchange *ex, struct ew_control *control)
{
	struct str query = http_exchange_request(ex)->query;
	char *since CLEANUP(free_ptr) = http_query_find(query, "since");
	char *sni CLEANUP(free_ptr) = http_query_find(query, "sni");
	struct buf body CLEANUP(buf_fini);
	struct ew_recorder_ask ask = {.sni = str_from(sni)};
	uint64_t max = TRACE_MAX;
	buf_init(&body, ANSWER_MAX);
	if (!read_max(ex, &max))
		return;
	if (since != NULL && !str_to_u64(str_from(since), UINT64_MAX, &ask.since)) {
		say(ex, 400, "since: must be the number of an event\n");
		return;
	}
	ask.max = max;
	ew_recorder_format(control->recorder, &ask, &body);
	say_json(ex, &body);
}

static json_t *door_sums(const struct ew_stats *stats, enum ew_door door)
{
	json_t *ended = json_object();
	json_t *refused = json_object();
	for (int r = 0; r < N_EW_CLOSE_REASONS; r++) {
		enum ew_close_reason reason = (enum ew_close_reason)r;
		int64_t n = metrics_get(stats->ends[door][r]);
		if (n > 0)
			json_object_set_new(ew_close_is_error(reason) ? refused : ended,
			                    ew_close_name(reason), json_integer(n));
	}
	return json_pack("{s:s, s:I, s:I, s:o, s:o}", "door", ew_door_name(door), "accepted",
	                 (json_int_t)metrics_get(stats->accepted[door]), "connections",
	                 (json_int_t)metrics_get(stats->active[door]), "ended", ended, "refused",
	                 refused);
}

/* What was counted so far, of the names that are in use: the difference of two answers is a rate.
 */
static void answer_sums(struct http_exchange *ex, struct ew_control *control)
{
	json_t *names = json_array();
	json_t *doors = json_array();
	for (uint32_t i = 0; i < ew_table_n_routes(control->table); i++) {
		const struct ew_route *route = ew_table_route_at(control->table, i);
		struct ew_route_counts counts = ew_route_counts(route);
		if (counts.connections == 0 && counts.opened == 0 && counts.failed == 0)
			continue;
		json_array_append_new(names,
		                      json_pack("{s:s, s:I, s:I, s:I}", "sni", route->sni,
		                                "connections", (json_int_t)counts.connections,
		                                "opened", (json_int_t)counts.opened, "failed",
		                                (json_int_t)counts.failed));
	}
	json_array_append_new(doors, door_sums(control->stats, EW_DOOR_INGRESS));
	json_array_append_new(doors, door_sums(control->stats, EW_DOOR_EGRESS));
	reply_tree(ex, json_pack("{s:I, s:o, s:o}", "atMilliseconds",
	                         (json_int_t)loop_now_ms(control->loop), "doors", doors, "names",
	                         names));
}

static void answer_drain(struct http_exchange *ex, struct ew_control *control)
{
	say(ex, 202, "draining\n");
	ew_control_drain(control);
}

static void answer_log_level(struct http_exchange *ex, struct ew_control *control)
{
	enum log_level level;
	char *wish CLEANUP(free_ptr) = http_query_find(http_exchange_request(ex)->query, "level");
	(void)control;
	if (wish == NULL || !log_level_parse(wish, &level)) {
		say(ex, 400, "level: must be debug, info, warn or error\n");
		return;
	}
	log_set_level(level);
	say(ex, 200, "ok\n");
}

void ew_admin_on_admin(struct http_exchange *ex, void *arg)
{
	static const struct door doors[] = {
		{"GET", "/status", answer_status},     {"GET", "/routes", answer_routes},
		{"GET", "/refusals", answer_refusals}, {"GET", "/trace", answer_trace},
		{"GET", "/sums", answer_sums},         {"GET", "/metrics", answer_metrics},
		{"POST", "/drain", answer_drain},      {"POST", "/log-level", answer_log_level},
	};
	serve(ex, arg, doors, N_ELEMS(doors));
}
