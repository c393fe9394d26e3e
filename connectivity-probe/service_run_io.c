/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run is an array of pending tasks; the id of a task is "RUN.INDEX", so a result of an earlier
 * run, or of a cluster that was not asked, finds nothing.
 */
#include "service_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "probe/work.h"
#include "probe/worker_io.h"

enum {
	HURRY_MS = 500 /* probes come in swarms */
};

struct waiter {
	struct list link;
	uint32_t run; /* that, or a later one, is what it waits for */
	probe_service_cb cb;
	void *arg;
};

/* --- the end of a run ------------------------------------------------------------------------- */

static void forget_pendings(struct probe_service *service)
{
	free(service->pendings);
	free(service->refusals);
	free(service->refusal_cells);
	service->pendings = NULL;
	service->refusals = NULL;
	service->refusal_cells = NULL;
	service->n_pendings = 0;
	service->n_refusals = 0;
	service->n_open = 0;
}

static void give_up(struct probe_service *service, struct pending *pending)
{
	if (pending->agent == NULL)
		return;
	pending->agent = NULL;
	service->n_open--;
	if (!pending->refusal)
		probe_matrix_set(service->matrix, pending->cell, NULL, 0);
}

/* The cells of one source lie together. */
static void apply_refusal(struct probe_service *service, size_t cell,
                          const struct probe_result *result)
{
	size_t n;
	const struct probe_cell *cells = probe_matrix_cells(service->matrix, &n);
	for (size_t i = cell; i < n && cells[i].from == cells[cell].from; i++) {
		if (cells[i].port == cells[cell].port && !cells[i].direct &&
		    strcmp(cells[i].address, cells[cell].address) == 0)
			probe_matrix_set_refusal(service->matrix, i, result);
	}
}

/* Whoever asks from within a callback starts, and waits for, a run of his own. */
static void tell_waiters(struct probe_service *service, uint32_t run)
{
	struct list *first;
	while ((first = list_first(&service->waiters)) != NULL) {
		struct waiter *waiter = LIST_ENTRY(first, struct waiter, link);
		if (waiter->run > run)
			return;
		list_remove(first);
		waiter->cb(service->matrix, waiter->arg);
		free(waiter);
	}
}

static void finish(struct probe_service *service)
{
	uint32_t run = service->run;
	for (size_t i = 0; i < service->n_pendings; i++)
		give_up(service, &service->pendings[i]);
	for (size_t i = 0; i < service->n_refusals; i++)
		apply_refusal(service, service->refusal_cells[i], &service->refusals[i]);
	forget_pendings(service);
	service->running = false;
	if (service->config.interval_ms > 0)
		loop_timer_set(&service->next, service->config.interval_ms);
	if (service->config.on_matrix != NULL)
		service->config.on_matrix(service->matrix, service->config.arg);
	tell_waiters(service, run);
}

static void on_deadline(void *arg)
{
	finish(arg);
}

static void check_all_in(struct probe_service *service)
{
	/* In the next turn, as whoever brought the last result is still at work. */
	if (service->running && service->n_open == 0)
		loop_timer_set(&service->deadline, 0);
}

/* --- the begin -------------------------------------------------------------------------------- */

static void send_task(struct probe_service *service, struct agent *agent, size_t cell,
                      const struct probe_check *check)
{
	char id[PROBE_ID_MAX];
	struct buf bytes CLEANUP(buf_fini);
	buf_init(&bytes, PROBE_MESSAGE_MAX);
	snprintf(id, sizeof(id), "%" PRIu32 ".%zu", service->run, service->n_pendings);
	probe_task_encode(id, check, &bytes);
	bool sent = grpc_call_send(agent->call, buf_str(&bytes));
	service->pendings[service->n_pendings++] =
		(struct pending){cell, sent ? agent : NULL, check->must_refuse};
	if (sent)
		service->n_open++;
	else if (!check->must_refuse)
		probe_matrix_set(service->matrix, cell, NULL, 0);
}

/* Once for each address, from each source. */
static void send_refusal_check(struct probe_service *service, struct agent *agent, size_t cell,
                               const struct probe_check *of, struct map *asked)
{
	struct probe_check check = *of;
	char key[320];
	if (of->direct)
		return;
	snprintf(key, sizeof(key), "%s %u", of->address, of->port);
	if (!map_add(asked, str_from(key)))
		return;
	check.sni = PROBE_REFUSED_SNI;
	check.must_refuse = true;
	check.payload = 0;
	send_task(service, agent, cell, &check);
}

/* All checks of one source; first is its first cell. Returns the first cell of the next one. */
static size_t send_source(struct probe_service *service, size_t first, size_t *max_tasks)
{
	size_t n;
	size_t i = first;
	const struct probe_cell *cells = probe_matrix_cells(service->matrix, &n);
	const struct probe_topology *topology = probe_matrix_topology(service->matrix);
	struct agent *agent =
		probe_service_find(service, topology->clusters[cells[first].from].name);
	struct map asked = MAP_EMPTY;
	size_t before = service->n_pendings;
	for (; i < n && cells[i].from == cells[first].from; i++) {
		char sni[PROBE_SNI_MAX];
		struct probe_check check;
		if (!probe_matrix_check(service->matrix, i, sni, &check))
			continue;
		if (agent == NULL) {
			probe_matrix_set(service->matrix, i, NULL, 0);
			continue;
		}
		check.deadline_ms = service->config.check_deadline_ms;
		check.payload = service->config.payload;
		send_task(service, agent, i, &check);
		send_refusal_check(service, agent, i, &check, &asked);
	}
	if (service->n_pendings - before > *max_tasks)
		*max_tasks = service->n_pendings - before;
	map_fini(&asked, NULL);
	return i;
}

void probe_service_begin(struct probe_service *service)
{
	size_t n;
	size_t max_tasks = 0;
	probe_matrix_cells(service->matrix, &n);
	forget_pendings(service);
	loop_timer_cancel(&service->next);
	service->running = true;
	service->run++;
	service->pendings = xcalloc(2 * n + 1, sizeof(*service->pendings));
	for (size_t i = 0; i < n;)
		i = send_source(service, i, &max_tasks);
	int64_t rounds = (int64_t)(max_tasks / PROBE_WORKER_PARALLEL) + 1;
	loop_timer_set(&service->deadline,
	               rounds * service->config.check_deadline_ms + PROBE_SERVICE_MARGIN_MS);
	check_all_in(service);
}

static void on_next(void *arg)
{
	struct probe_service *service = arg;
	if (!service->running)
		probe_service_begin(service);
}

void probe_service_hurry(struct probe_service *service)
{
	if (service->config.interval_ms > 0 && !service->running)
		loop_timer_set(&service->next, HURRY_MS);
}

/* --- results ---------------------------------------------------------------------------------- */

static struct pending *find_pending(struct probe_service *service, const struct agent *agent,
                                    const char *id)
{
	struct str rest = str_from(id);
	struct str run;
	uint64_t run_number;
	uint64_t index;
	if (!str_split(&rest, '.', &run) || !str_to_u64(run, UINT32_MAX, &run_number) ||
	    !str_to_u64(rest, SIZE_MAX, &index))
		return NULL;
	if (run_number != service->run || index >= service->n_pendings)
		return NULL;
	struct pending *pending = &service->pendings[index];
	return pending->agent == agent ? pending : NULL;
}

static void keep_refusal(struct probe_service *service, size_t cell,
                         const struct probe_result *result)
{
	size_t n = ++service->n_refusals;
	service->refusals = xrealloc(service->refusals, n * sizeof(*service->refusals));
	service->refusal_cells =
		xrealloc(service->refusal_cells, n * sizeof(*service->refusal_cells));
	service->refusals[n - 1] = *result;
	service->refusal_cells[n - 1] = cell;
}

void probe_service_on_result(struct probe_service *service, const struct agent *agent,
                             const char *id, const struct probe_result *result)
{
	struct pending *pending = find_pending(service, agent, id);
	if (pending == NULL) {
		log_debug("probe", "late result of %s", agent->who.cluster);
		return;
	}
	pending->agent = NULL;
	service->n_open--;
	if (!pending->refusal)
		probe_matrix_set(service->matrix, pending->cell, result,
		                 loop_now_ms(service->config.loop));
	else if (!result->ok)
		keep_refusal(service, pending->cell, result);
	check_all_in(service);
}

void probe_service_on_agent_gone(struct probe_service *service, const struct agent *agent)
{
	for (size_t i = 0; i < service->n_pendings; i++) {
		if (service->pendings[i].agent == agent)
			give_up(service, &service->pendings[i]);
	}
	check_all_in(service);
}

/* --- who asks --------------------------------------------------------------------------------- */

void probe_service_run(struct probe_service *service, probe_service_cb cb, void *arg)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));
	if (!service->running)
		probe_service_begin(service);
	*waiter = (struct waiter){.run = service->run, .cb = cb, .arg = arg};
	list_init(&waiter->link);
	list_append(&service->waiters, &waiter->link);
}

void probe_service_cancel(struct probe_service *service, const void *arg)
{
	list_for_each_safe (it, &service->waiters) {
		struct waiter *waiter = LIST_ENTRY(it, struct waiter, link);
		if (waiter->arg != arg)
			continue;
		list_remove(it);
		free(waiter);
	}
}

void probe_service_runs_init(struct probe_service *service)
{
	list_init(&service->waiters);
	loop_timer_init(&service->next, service->config.loop, on_next, service);
	loop_timer_init(&service->deadline, service->config.loop, on_deadline, service);
}

void probe_service_runs_fini(struct probe_service *service)
{
	list_for_each_safe (it, &service->waiters) {
		list_remove(it);
		free(LIST_ENTRY(it, struct waiter, link));
	}
	loop_timer_fini(&service->next);
	loop_timer_fini(&service->deadline);
	forget_pendings(service);
}
