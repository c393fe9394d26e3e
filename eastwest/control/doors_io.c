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

/* A listening socket per door for one worker. The first worker's ports are everybody's. */
static bool open_doors(struct ew_control *control, uint32_t worker, int *fds, struct err *err)
{
	for (size_t i = 0; i < control->setup.n_listeners; i++) {
		const struct ew_listener_config *listener = &control->setup.listeners[i];
		const struct addr *addr = worker == 0 ? &listener->addr : &control->bound[i];
		struct ew_takeover_message wish = describe(listener, addr, worker);
		fds[i] = ew_taken_use(&control->taken, &wish);
		if (fds[i] < 0)
			fds[i] = net_listen(addr, true, &wish.addr, err);
		control->bound[i] = wish.addr;
		if (fds[i] >= 0)
			continue;
		while (i > 0)
			close(fds[--i]);
		return err_wrap(err, "listener '%s'", listener->name);
	}
	return true;
}

static bool start_worker(struct ew_control *control, struct err *err)
{
	uint32_t i = control->n_workers;
	int *fds = &control->door_fds[i * control->setup.n_listeners];
	if (!open_doors(control, i, fds, err))
		return false;
	control->workers[i] =
		ew_worker_create(&control->setup, i, fds, ew_table_ref(control->table));
	control->n_workers++;
	return ew_worker_start(control->workers[i], err);
}

static void tell_doors(const struct ew_control *control)
{
	for (size_t i = 0; i < control->setup.n_listeners; i++) {
		const struct ew_listener_config *listener = &control->setup.listeners[i];
		char text[ADDR_TEXT_MAX];
		log_info("eastwest", "listening name=%s mode=%s address=%s workers=%u",
		         listener->name, listener->door == EW_DOOR_INGRESS ? "ingress" : "egress",
		         addr_format(&control->bound[i], text), control->n_workers);
	}
}

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
	uint32_t n = choose_workers(control);
	control->limiter = ew_limiter_create(&control->boot->limits);
	control->setup = (struct ew_worker_setup){
		.listeners = control->boot->listeners,
		.n_listeners = control->boot->n_listeners,
		.registry = control->registry,
		.stats = control->stats,
		.recorder = control->recorder,
		.limiter = control->limiter,
	};
	control->workers = xcalloc(n, sizeof(*control->workers));
	control->bound = xcalloc(control->setup.n_listeners + 1, sizeof(*control->bound));
	control->door_fds = xcalloc(n * control->setup.n_listeners + 1, sizeof(*control->door_fds));
	while (control->n_workers < n) {
		if (!start_worker(control, err))
			return false;
	}
	tell_doors(control);
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
	size_t n_doors = control->setup.n_listeners;
	struct ew_taken list = {.n_workers = control->n_workers, .peer = -1};
	list.list = xcalloc(control->n_workers * n_doors + 2, sizeof(*list.list));
	for (uint32_t w = 0; w < control->n_workers; w++) {
		for (size_t i = 0; i < n_doors; i++)
			add_socket(&list,
			           describe(&control->setup.listeners[i], &control->bound[i], w),
			           control->door_fds[w * n_doors + i]);
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

static void on_taken(void *arg)
{
	ew_control_on_taken(arg);
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
