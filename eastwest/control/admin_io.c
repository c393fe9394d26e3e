/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three small HTTP servers: health for the kubelet, metrics for Prometheus, admin for the operator
 * on the node. The last one is a Unix socket, and its folder's mode is its lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/net.h"
#include "control/control_priv.h"
#include "control/dump.h"

enum {
	ANSWER_MAX = 256 << 20
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

static void on_health(struct http_exchange *ex, void *arg)
{
	static const struct door doors[] = {{"GET", "/healthz/ready", answer_ready}};
	serve(ex, arg, doors, N_ELEMS(doors));
}

static void on_metrics(struct http_exchange *ex, void *arg)
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
		json_array_append_new(
			listeners,
			json_pack("{s:s, s:s, s:s}", "name", listener->name, "mode",
		                  listener->door == EW_DOOR_INGRESS ? "ingress" : "egress",
		                  "address", addr_format(&control->doors->rows[i].bound, text)));
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

static void answer_refusals(struct http_exchange *ex, struct ew_control *control)
{
	struct buf body CLEANUP(buf_fini);
	uint64_t max = EW_RECORDS;
	char *wish CLEANUP(free_ptr) = http_query_find(http_exchange_request(ex)->query, "max");
	if (wish != NULL && !str_to_u64(str_from(wish), EW_RECORDS, &max)) {
		say(ex, 400, "max: must be 0 to 4096\n");
		return;
	}
	buf_init(&body, ANSWER_MAX);
	ew_recorder_format(control->recorder, max, &body);
	say_json(ex, &body);
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

static void on_admin(struct http_exchange *ex, void *arg)
{
	static const struct door doors[] = {
		{"GET", "/status", answer_status},     {"GET", "/routes", answer_routes},
		{"GET", "/refusals", answer_refusals}, {"GET", "/metrics", answer_metrics},
		{"POST", "/drain", answer_drain},      {"POST", "/log-level", answer_log_level},
	};
	serve(ex, arg, doors, N_ELEMS(doors));
}

/* --- life ------------------------------------------------------------------------------------- */

static struct http_server *make_server(struct ew_control *control, http_request_cb on_request)
{
	struct http_server_config config = {.loop = control->loop,
	                                    .name = "eastwest",
	                                    .on_request = on_request,
	                                    .arg = control,
	                                    .connections_max = 64};
	return http_server_create(&config);
}

static bool open_tcp(struct ew_control *control, struct ew_takeover_message wish, int *ret_fd,
                     struct addr *ret_bound, struct err *err)
{
	const char *name = wish.kind == EW_TAKEOVER_HEALTH ? "health" : "metrics";
	char text[ADDR_TEXT_MAX];
	const struct addr wanted = wish.addr;
	*ret_fd = ew_taken_use(&control->taken, &wish);
	if (*ret_fd < 0)
		*ret_fd = net_listen(&wanted, false, &wish.addr, err);
	if (*ret_fd < 0)
		return err_wrap(err, "%s", name);
	*ret_bound = wish.addr;
	log_info("eastwest", "listening name=%s address=%s", name, addr_format(&wish.addr, text));
	return true;
}

static bool open_health(struct ew_control *control, struct err *err)
{
	const struct ew_takeover_message wish = {.kind = EW_TAKEOVER_HEALTH,
	                                         .addr = control->boot->health};
	return !control->boot->has_health ||
	       open_tcp(control, wish, &control->health_fd, &control->health_bound, err);
}

static bool open_metrics(struct ew_control *control, struct err *err)
{
	const struct ew_takeover_message wish = {.kind = EW_TAKEOVER_METRICS,
	                                         .addr = control->boot->metrics};
	return !control->boot->has_metrics ||
	       open_tcp(control, wish, &control->metrics_fd, &control->metrics_bound, err);
}

static int listen_unix(const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* the length was checked when the file was read */
	memcpy(sa.sun_path, path, strlen(path) + 1);
	/* left by a process that was killed */
	unlink(path);
	mode_t old = umask(0177);
	bool ok =
		fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 16) == 0;
	int failed = errno;
	umask(old);
	if (ok)
		return fd;
	err_set_errno(err, failed, "admin: cannot listen on '%s'", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool start_unix(struct ew_control *control, struct err *err)
{
	int fd = listen_unix(control->boot->admin_path, err);
	if (fd < 0)
		return false;
	control->admin = make_server(control, on_admin);
	http_server_listen(control->admin, fd, NULL);
	return true;
}

static void begin(struct ew_control *control, int fd, http_request_cb on_request,
                  struct http_server **server)
{
	if (fd < 0 || *server != NULL)
		return;
	*server = make_server(control, on_request);
	http_server_listen(*server, fd, NULL);
}

void ew_admin_serve(struct ew_control *control)
{
	begin(control, control->health_fd, on_health, &control->health);
	begin(control, control->metrics_fd, on_metrics, &control->metrics);
}

bool ew_admin_start(struct ew_control *control, struct err *err)
{
	if (!open_health(control, err) || !open_metrics(control, err))
		return false;
	/* the predecessor answers until then, and it is ready */
	if (control->taken.peer < 0)
		ew_admin_serve(control);
	return control->boot->admin_path == NULL || start_unix(control, err);
}

static void end(struct http_server **server, int *fd)
{
	if (*server == NULL && *fd >= 0)
		close(*fd);
	http_server_destroy(*server);
	*server = NULL;
	*fd = -1;
}

void ew_admin_stop(struct ew_control *control)
{
	end(&control->health, &control->health_fd);
	end(&control->metrics, &control->metrics_fd);
	/* a successor has its own socket at the same path */
	if (control->admin != NULL && !control->taken_over)
		unlink(control->boot->admin_path);
	http_server_destroy(control->admin);
	control->admin = NULL;
}
