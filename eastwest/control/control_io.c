/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/net.h"
#include "control/control_priv.h"
#include "control/sandbox_io.h"

enum {
	DRAIN_POLL_MS = 50
};

static const struct options_row rows[] = {
	{.name = "config",
         .letter = 'c',
         .kind = OPTIONS_TEXT,
         .arg = "FILE",
         .dflt = "/etc/fedway/gateway.yaml",
         .help = "the GatewayConfig; read again on SIGHUP and when it changes",
         .offset = offsetof(struct ew_options, config)},
	{.name = "drain-delay",
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .dflt = "5s",
         .help = "after SIGTERM go on accepting for so long, already unready",
         .offset = offsetof(struct ew_options, drain_delay_ms)},
	{.name = "drain-timeout",
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .dflt = "60s",
         .help = "after SIGTERM reset what is still open after so long",
         .offset = offsetof(struct ew_options, drain_timeout_ms)},
	{.name = "log-level",
         .kind = OPTIONS_TEXT,
         .arg = "LEVEL",
         .dflt = "info",
         .help = "debug, info, warn or error",
         .offset = offsetof(struct ew_options, log_level)},
	{.name = "log-json",
         .kind = OPTIONS_BOOL,
         .help = "log lines as JSON objects",
         .offset = offsetof(struct ew_options, log_json)},
	{.name = "no-sandbox",
         .kind = OPTIONS_BOOL,
         .help = "keep every system call, as for a debugger or a profiler inside the process",
         .offset = offsetof(struct ew_options, no_sandbox)},
};

const struct options_spec ew_options_spec = {
	.program = "fedway-gateway",
	.about = "East-west gateway: routes TLS connections by server name, without decrypting "
		 "them.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

/* --- table ------------------------------------------------------------------------------------ */

void ew_control_set_table(struct ew_control *control, struct ew_table *table)
{
	for (uint32_t i = 0; i < control->n_workers; i++)
		ew_worker_set_table(control->workers[i], ew_table_ref(table));
	if (control->checker != NULL)
		ew_checker_set_table(control->checker, table);
	ew_table_unref(control->table);
	control->table = table;
	metrics_set(control->stats->routes, ew_table_n_routes(table));
	metrics_set(control->stats->version, (int64_t)ew_table_version(table));
	metrics_set(control->stats->table_bytes, (int64_t)ew_table_memory(table));
}

uint32_t ew_control_connections(const struct ew_control *control)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < control->n_workers; i++)
		n += ew_worker_connections(control->workers[i]);
	return n;
}

/* --- drain ------------------------------------------------------------------------------------ */

static void stop(struct ew_control *control)
{
	control->state = EW_CONTROL_STOPPED;
	loop_stop(control->loop);
}

static void on_drain_poll(void *arg)
{
	struct ew_control *control = arg;
	if (ew_control_connections(control) == 0)
		stop(control);
	else
		loop_timer_set(&control->drain_poll, DRAIN_POLL_MS);
}

static void on_drain_delay(void *arg)
{
	struct ew_control *control = arg;
	control->state = EW_CONTROL_CLOSED;
	for (uint32_t i = 0; i < control->n_workers; i++)
		ew_worker_drain(control->workers[i]);
	if (control->plane != NULL)
		ew_plane_on_closed(control->plane);
	log_info("eastwest", "no more connections are accepted open=%u",
	         ew_control_connections(control));
	/* what the listeners' queues held is counted by then */
	loop_timer_set(&control->drain_poll, DRAIN_POLL_MS);
}

static void on_drain_timeout(void *arg)
{
	struct ew_control *control = arg;
	log_warn("eastwest", "drain timeout, connections are reset open=%u",
	         ew_control_connections(control));
	stop(control);
}

void ew_control_drain(struct ew_control *control)
{
	const struct ew_options *options = control->options;
	if (control->state != EW_CONTROL_SERVING)
		return;
	control->state = EW_CONTROL_DRAINING;
	log_info("eastwest", "draining open=%u", ew_control_connections(control));
	loop_timer_set(&control->drain_delay, (int64_t)options->drain_delay_ms);
	loop_timer_set(&control->drain_timeout, (int64_t)options->drain_timeout_ms);
}

void ew_control_on_taken(struct ew_control *control, const struct ew_left *left)
{
	if (control->state != EW_CONTROL_SERVING && control->state != EW_CONTROL_DRAINING)
		return;
	control->state = EW_CONTROL_CLOSED;
	control->taken_over = true;
	ew_doors_drop(control, left);
	for (uint32_t i = 0; i < control->n_workers; i++)
		ew_worker_leave(control->workers[i]);
	ew_admin_stop(control);
	if (control->plane != NULL)
		ew_plane_on_closed(control->plane);
	log_info("eastwest", "a successor serves; draining open=%u",
	         ew_control_connections(control));
	loop_timer_cancel(&control->drain_delay);
	loop_timer_set(&control->drain_poll, DRAIN_POLL_MS);
	loop_timer_set(&control->drain_timeout, (int64_t)control->options->drain_timeout_ms);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_hangup(void *arg)
{
	struct ew_control *control = arg;
	ew_control_reload(control, true);
	ew_access_log_reopen(control->access_log);
}

static void on_terminate(void *arg)
{
	struct ew_control *control = arg;
	/* said twice: at once */
	if (control->state == EW_CONTROL_SERVING)
		ew_control_drain(control);
	else if (!control->taken_over || control->terminated)
		stop(control);
	control->terminated = true;
}

static void take_signals(struct ew_control *control)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &ignore, NULL);
	control->signals[0] = loop_signal_create(control->loop, SIGHUP, on_hangup, control);
	control->signals[1] = loop_signal_create(control->loop, SIGTERM, on_terminate, control);
	control->signals[2] = loop_signal_create(control->loop, SIGINT, on_terminate, control);
}

/* --- life ------------------------------------------------------------------------------------- */

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("eastwest", "the limit of open files cannot be raised");
}

static void init(struct ew_control *control, const struct ew_options *options)
{
	*control = (struct ew_control){.options = options,
	                               .watch_fd = -1,
	                               .health_fd = -1,
	                               .metrics_fd = -1,
	                               .taken = {.peer = -1}};
	control->loop = loop_create();
	control->registry = ew_health_registry_create();
	control->stats = ew_stats_create();
	control->recorder = ew_recorder_create();
	control->access_log = ew_access_log_create(control->loop, control->stats);
	const struct ew_resolver_options names = {.on_change = ew_control_on_resolved,
	                                          .arg = control};
	control->resolver = ew_resolver_create(control->loop, &names);
	loop_timer_init(&control->drain_delay, control->loop, on_drain_delay, control);
	loop_timer_init(&control->drain_timeout, control->loop, on_drain_timeout, control);
	loop_timer_init(&control->drain_poll, control->loop, on_drain_poll, control);
}

/* Before the first client: the threads are all there. */
static void enter_sandbox(const struct ew_options *options)
{
	struct err err;
	if (options->no_sandbox)
		log_info("eastwest", "no sandbox, as --no-sandbox says");
	else if (!sandbox_enter(&err))
		log_warn("eastwest", "no sandbox: %s", err.msg);
}

/* Opens the doors. */
static bool serve(struct ew_control *control, struct err *err)
{
	if (!ew_doors_open(control, err))
		return false;
	enter_sandbox(control->options);
	control->state = EW_CONTROL_SERVING;
	ew_doors_settle(control);
	log_info("eastwest", "ready version=%s routes=%u", FEDWAY_VERSION,
	         ew_table_n_routes(control->table));
	return true;
}

void ew_control_on_complete(struct ew_control *control)
{
	struct err err;
	if (control->state != EW_CONTROL_STARTING || serve(control, &err))
		return;
	log_error("eastwest", "%s", err.msg);
	control->failed = true;
	stop(control);
}

/* Without a complete table the doors stay closed: a peer that is refused at once goes elsewhere. */
static bool start(struct ew_control *control, struct err *err)
{
	take_signals(control);
	if (!ew_control_load(control, err))
		return false;
	if (control->boot->data_dir != NULL &&
	    !ew_takeover_ask(control->boot->data_dir, &control->taken, err))
		return false;
	if (!ew_admin_start(control, err))
		return false;
	control->checker = ew_checker_create(control->loop, control->registry, control->stats);
	ew_checker_set_table(control->checker, control->table);
	ew_control_watch(control);
	return (control->plane != NULL && !ew_plane_is_complete(control->plane)) ||
	       serve(control, err);
}

static void fini(struct ew_control *control)
{
	ew_takeover_destroy(control->takeover);
	ew_admin_stop(control);
	for (uint32_t i = 0; i < control->n_workers; i++)
		ew_worker_stop(control->workers[i]);
	ew_taken_fini(&control->taken);
	ew_limiter_destroy(control->limiter);
	free(control->workers);
	free(control->door_fds);
	ew_doors_unref(control->doors);
	ew_plane_destroy(control->plane);
	ew_checker_destroy(control->checker);
	ew_resolver_destroy(control->resolver);
	loop_io_fini(&control->watch);
	if (control->watch_fd >= 0)
		close(control->watch_fd);
	struct loop_timer *timers[] = {&control->settle, &control->reload_soon,
	                               &control->drain_delay, &control->drain_timeout,
	                               &control->drain_poll};
	for (size_t i = 0; i < N_ELEMS(timers); i++)
		loop_timer_fini(timers[i]);
	for (size_t i = 0; i < N_ELEMS(control->signals); i++)
		loop_signal_destroy(control->signals[i]);
	ew_access_log_destroy(control->access_log);
	loop_destroy(control->loop);
	ew_table_unref(control->table);
	if (control->config != control->boot)
		ew_config_destroy(control->config);
	ew_config_destroy(control->boot);
	ew_health_registry_destroy(control->registry);
	ew_recorder_destroy(control->recorder);
	ew_stats_destroy(control->stats);
}

int ew_control_run(const struct ew_options *options)
{
	struct ew_control control;
	struct err err;
	enum log_level level;
	if (!log_level_parse(options->log_level, &level)) {
		log_error("eastwest", "--log-level: must be debug, info, warn or error");
		return 2;
	}
	log_set_level(level);
	log_set_json(options->log_json);
	raise_descriptor_limit();
	sandbox_begin();
	init(&control, options);
	bool ok = start(&control, &err);
	if (ok)
		loop_run(control.loop);
	else
		log_error("eastwest", "%s", err.msg);
	ok = ok && !control.failed;
	fini(&control);
	return ok ? 0 : 1;
}
