/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors_io - the listening sockets of the workers: opened, or taken over from a predecessor, and
 * handed on to a successor.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/net.h"
#include "control/control_priv.h"

/* --- workers ---------------------------------------------------------------------------------- */

static uint32_t count_workers(const struct ew_config *config)
{
	cpu_set_t cpus;
	if (config->workers > 0)
		return config->workers;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	int n = CPU_COUNT(&cpus);
	return n < EW_CONFIG_WORKERS_MAX ? (uint32_t)n : EW_CONFIG_WORKERS_MAX;
}

static struct ew_takeover_message describe(const struct ew_listener_config *listener,
                                           const struct addr *addr, uint32_t worker)
{
	struct ew_takeover_message message = {
		.kind = EW_TAKEOVER_LISTENER, .addr = *addr, .worker = worker};
	snprintf(message.name, sizeof(message.name), "%s", listener->name);
	return message;
}

/* --- change ----------------------------------------------------------------------------------- */

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* A listening socket for each worker. The first worker's port is everybody's. */
static bool open_door(struct ew_control *control, struct ew_doors_change *change, size_t i,
                      struct err *err)
{
	struct ew_doors_row *row = &change->doors->rows[i];
	for (uint32_t w = 0; w < control->n_workers; w++) {
		const struct addr wanted = row->bound;
		struct ew_takeover_message wish = describe(&row->listener, &wanted, w);
		int *fd = &change->fds[w * change->doors->n + i];
		*fd = ew_taken_use(&control->taken, &wish);
		if (*fd < 0)
			*fd = net_listen(&wanted, true, &wish.addr, err);
		if (*fd < 0)
			return err_wrap(err, "listener '%s'", row->listener.name);
		row->bound = wish.addr;
	}
	return true;
}

static bool same_listeners(const struct ew_config *a, const struct ew_config *b)
{
	return json_equal(json_object_get(a->tree, "listeners"),
	                  json_object_get(b->tree, "listeners"));
}

static bool prepare_all(struct ew_control *control, const struct ew_config *config,
                        struct ew_doors_change *change, struct err *err)
{
	size_t n = config->n_listeners;
	change->doors = ew_doors_create(config->listeners, n);
	change->fds = xcalloc(control->n_workers * n, sizeof(*change->fds));
	for (size_t i = 0; i < control->n_workers * n; i++)
		change->fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		const struct ew_doors *have = control->doors;
		size_t at = have != NULL ? ew_doors_find(have, &config->listeners[i]) : 0;
		if (have != NULL && at < have->n)
			change->doors->rows[i].bound = have->rows[at].bound;
		else if (!open_door(control, change, i, err))
			return false;
	}
	return true;
}

bool ew_doors_prepare(struct ew_control *control, const struct ew_config *config,
                      struct ew_doors_change *ret_change, struct err *err)
{
	*ret_change = (struct ew_doors_change){.doors = NULL};
	/* who drains opens nothing, and who has not begun opens what is wished then */
	if (control->state != EW_CONTROL_SERVING || same_listeners(control->config, config))
		return true;
	if (prepare_all(control, config, ret_change, err))
		return true;
	ew_doors_abandon(control, ret_change);
	return false;
}

void ew_doors_abandon(struct ew_control *control, struct ew_doors_change *change)
{
	if (change->doors == NULL)
		return;
	close_all(change->fds, control->n_workers * change->doors->n);
	free(change->fds);
	ew_doors_unref(change->doors);
}

static bool is_bound(const struct ew_doors *doors, const struct addr *addr)
{
	for (size_t i = 0; doors != NULL && i < doors->n; i++) {
		if (addr_eq(&doors->rows[i].bound, addr))
			return true;
	}
	return false;
}

static void tell(const struct ew_control *control, const struct ew_doors *before)
{
	const struct ew_doors *doors = control->doors;
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < doors->n; i++) {
		const struct ew_doors_row *row = &doors->rows[i];
		if (is_bound(before, &row->bound))
			continue;
		log_info("eastwest", "listening name=%s mode=%s address=%s workers=%u",
		         row->listener.name, ew_door_name(row->listener.door),
		         addr_format(&row->bound, text), control->n_workers);
	}
	for (size_t i = 0; before != NULL && i < before->n; i++) {
		if (!is_bound(doors, &before->rows[i].bound))
			log_info("eastwest", "no longer listening name=%s address=%s",
			         before->rows[i].listener.name,
			         addr_format(&before->rows[i].bound, text));
	}
}

/* The workers' sockets from now on: the new ones, and those that stay. */
static int *merge_fds(const struct ew_control *control, const struct ew_doors_change *change)
{
	size_t n = change->doors->n;
	int *fds = xmemdup(change->fds, control->n_workers * n * sizeof(*fds));
	for (size_t i = 0; i < n * control->n_workers; i++) {
		const struct ew_doors_row *row = &change->doors->rows[i % n];
		for (size_t k = 0; fds[i] < 0 && k < control->doors->n; k++) {
			if (addr_eq(&control->doors->rows[k].bound, &row->bound))
				fds[i] = control->door_fds[i / n * control->doors->n + k];
		}
	}
	return fds;
}

void ew_doors_commit(struct ew_control *control, struct ew_doors_change *change)
{
	struct ew_doors *before = control->doors;
	if (change->doors == NULL)
		return;
	int *fds = merge_fds(control, change);
	for (uint32_t w = 0; w < control->n_workers; w++)
		ew_worker_set_doors(control->workers[w], change->doors,
		                    &change->fds[w * change->doors->n]);
	free(change->fds);
	free(control->door_fds);
	control->door_fds = fds;
	control->doors = change->doors;
	tell(control, before);
	ew_doors_unref(before);
}

/* --- start ------------------------------------------------------------------------------------ */

/* Each socket that was taken over needs a worker that accepts from it. */
static uint32_t choose_workers(const struct ew_control *control)
{
	uint32_t wanted = count_workers(control->boot);
	uint32_t taken = control->taken.n_workers;
	if (control->taken.peer < 0 || taken == 0 || taken == wanted)
		return wanted;
	log_warn("eastwest",
	         "workers are %u as before, not %u: a change takes effect at a start that takes "
	         "nothing over",
	         taken, wanted);
	return taken;
}

bool ew_doors_open(struct ew_control *control, struct err *err)
{
	struct ew_doors_change change;
	uint32_t n = choose_workers(control);
	control->limiter = ew_limiter_create(&control->config->limits);
	control->setup = (struct ew_worker_setup){
		.registry = control->registry,
		.stats = control->stats,
		.recorder = control->recorder,
		.access_log = control->access_log,
		.limiter = control->limiter,
	};
	ew_access_log_set_workers(control->access_log, n);
	control->workers = xcalloc(n, sizeof(*control->workers));
	for (; control->n_workers < n; control->n_workers++)
		control->workers[control->n_workers] = ew_worker_create(
			&control->setup, control->n_workers, ew_table_ref(control->table));
	if (!prepare_all(control, control->config, &change, err)) {
		ew_doors_abandon(control, &change);
		return false;
	}
	ew_doors_commit(control, &change);
	for (uint32_t i = 0; i < n; i++) {
		if (!ew_worker_start(control->workers[i], err))
			return false;
	}
	return true;
}

/* --- takeover --------------------------------------------------------------------------------- */

static void add_socket(struct ew_taken *list, struct ew_takeover_message message, int fd)
{
	if (fd >= 0)
		list->list[list->n++] = (struct ew_taken_socket){message, fd};
}

static struct ew_taken list_sockets(void *arg)
{
	const struct ew_control *control = arg;
	/* who accepts no more has closed them */
	bool has_doors =
		control->state == EW_CONTROL_SERVING || control->state == EW_CONTROL_DRAINING;
	size_t n = has_doors ? control->doors->n : 0;
	struct ew_taken list = {.n_workers = control->n_workers, .peer = -1};
	list.list = xcalloc(control->n_workers * n + 2, sizeof(*list.list));
	for (size_t i = 0; i < control->n_workers * n; i++) {
		const struct ew_doors_row *row = &control->doors->rows[i % n];
		add_socket(&list, describe(&row->listener, &row->bound, (uint32_t)(i / n)),
		           control->door_fds[i]);
	}
	add_socket(&list,
	           (struct ew_takeover_message){.kind = EW_TAKEOVER_HEALTH,
	                                        .addr = control->health_bound},
	           control->health_fd);
	add_socket(&list,
	           (struct ew_takeover_message){.kind = EW_TAKEOVER_METRICS,
	                                        .addr = control->metrics_bound},
	           control->metrics_fd);
	return list;
}

static void on_taken(const struct ew_left *left, void *arg)
{
	ew_control_on_taken(arg, left);
}

void ew_doors_drop(struct ew_control *control, const struct ew_left *left)
{
	size_t n = control->doors->n;
	bool stays[EW_CONFIG_LISTENERS_MAX];
	struct ew_doors_change change;
	if (left->n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		stays[i] = true;
		for (size_t k = 0; k < left->n; k++)
			stays[i] &= !addr_eq(&control->doors->rows[i].bound, &left->list[k]);
	}
	change.doors = ew_doors_some(control->doors, stays);
	change.fds = xcalloc(control->n_workers * n + 1, sizeof(*change.fds));
	for (size_t i = 0; i < control->n_workers * change.doors->n; i++)
		change.fds[i] = -1;
	ew_doors_commit(control, &change);
}

void ew_doors_settle(struct ew_control *control)
{
	struct ew_takeover_options options = {.loop = control->loop,
	                                      .data_dir = control->boot->data_dir,
	                                      .list = list_sockets,
	                                      .on_taken = on_taken,
	                                      .arg = control};
	struct err err;
	ew_admin_serve(control);
	ew_takeover_done(&control->taken);
	if (options.data_dir == NULL)
		return;
	control->takeover = ew_takeover_create(&options, &err);
	if (control->takeover == NULL)
		log_warn("eastwest", "no successor can take over: %s", err.msg);
}
