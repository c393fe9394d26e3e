/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker runs libevent one turn at a time, so that it can free what was closed, and go on with
 * what used up its budget, between turns and without a system call. Its base has no precise timer:
 * that would cost a timerfd_settime per turn, and nothing here needs better than 100 ms.
 */
#include "path/worker_io.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "path/path_io.h"

/* Another thread's wish. */
struct message {
	struct list link;
	void (*fn)(struct ew_worker *worker, void *arg);
	void *arg;
};

/* --- for the other files ---------------------------------------------------------------------- */

void ew_worker_enter(struct ew_worker *worker)
{
	worker->now_ms = clock_now_ms();
}

struct ew_use *ew_worker_use(struct ew_worker *worker, const struct ew_route *route)
{
	struct str key = str_make(route->sni, route->sni_len);
	struct ew_use *use = map_find(&worker->uses, key);
	if (use != NULL)
		return use;
	use = xcalloc(1, sizeof(*use));
	ew_balance_init(&use->balance, worker->index);
	map_set(&worker->uses, key, use);
	return use;
}

static void free_use(void *value)
{
	struct ew_use *use = value;
	ew_balance_fini(&use->balance);
	free(use);
}

const struct ew_series *ew_worker_series(struct ew_worker *worker, const struct ew_dialing *dialing)
{
	char key[EW_NAME_LEN_MAX + 1 + EW_NAME_LEN_MAX + 1];
	const struct ew_route *route = dialing->route;
	const char *name = ew_names_text(ew_table_names(dialing->table), dialing->choice.cluster);
	int len = snprintf(key, sizeof(key), "%s %s", route->sni, name);
	struct ew_series *series = map_find(&worker->series, str_make(key, (size_t)len));
	if (series != NULL)
		return series;
	series = xcalloc(1, sizeof(*series));
	struct ew_destination to = {ew_table_own_cluster(dialing->table), name, "-"};
	ew_stats_series(worker->setup->stats, str_make(route->sni, route->sni_len), &to, series);
	map_set(&worker->series, str_make(key, (size_t)len), series);
	return series;
}

static void set_tick(struct ew_worker *worker)
{
	int64_t wait_ms = ew_wheel_wait_ms(&worker->wheel, worker->now_ms);
	worker->tick_at_ms = 0;
	if (wait_ms < 0)
		return;
	struct timeval tv = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	worker->tick_at_ms = worker->now_ms + wait_ms;
	event_add(&worker->tick, &tv);
}

void ew_worker_watch(struct ew_worker *worker, struct ew_wheel_entry *entry, int64_t deadline_ms)
{
	ew_wheel_add(&worker->wheel, entry, deadline_ms);
	if (worker->tick_at_ms == 0 || worker->tick_at_ms > deadline_ms + EW_WHEEL_TICK_MS)
		set_tick(worker);
}

void ew_worker_bury(struct ew_worker *worker, struct ew_conn *conn)
{
	list_remove(&conn->link);
	list_append(&worker->closed, &conn->link);
	worker->n_conns--;
}

void ew_worker_watch_unsure(struct ew_worker *worker, struct ew_conn *conn)
{
	static const struct timeval soon = {.tv_usec = EW_UNSURE_MS * 1000};
	bool unsure = conn->client.unsure || conn->upstream.unsure;
	if (!unsure || conn->state == EW_CONN_CLOSED || !list_is_empty(&conn->unsure_link))
		return;
	if (list_is_empty(&worker->unsure))
		event_add(&worker->ask, &soon);
	list_append(&worker->unsure, &conn->unsure_link);
}

void ew_worker_again(struct ew_worker *worker, struct ew_conn *conn)
{
	if (list_is_empty(&conn->again_link))
		list_append(&worker->again, &conn->again_link);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void on_due(struct ew_wheel_entry *entry, void *arg)
{
	(void)arg;
	ew_conn_on_deadline(CONTAINER_OF(entry, struct ew_conn, timer));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ew_worker *worker = arg;
	(void)fd;
	(void)what;
	ew_worker_enter(worker);
	ew_wheel_step(&worker->wheel, worker->now_ms, on_due, NULL);
	set_tick(worker);
}

static void move_all(struct list *from, struct list *to)
{
	list_init(to);
	list_for_each_safe (it, from) {
		list_remove(it);
		list_append(to, it);
	}
}

static void on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct ew_worker *worker = arg;
	struct list batch;
	(void)fd;
	(void)what;
	ew_worker_enter(worker);
	move_all(&worker->unsure, &batch);
	while (!list_is_empty(&batch)) {
		struct ew_conn *conn = LIST_ENTRY(list_first(&batch), struct ew_conn, unsure_link);
		list_remove(&conn->unsure_link);
		ew_conn_ask_again(conn);
	}
}

static void go_on(struct ew_worker *worker)
{
	struct list batch;
	if (list_is_empty(&worker->again))
		return;
	ew_worker_enter(worker);
	move_all(&worker->again, &batch);
	while (!list_is_empty(&batch)) {
		struct ew_conn *conn = LIST_ENTRY(list_first(&batch), struct ew_conn, again_link);
		list_remove(&conn->again_link);
		ew_conn_step(conn);
		ew_worker_watch_unsure(worker, conn);
	}
}

static void free_closed(struct ew_worker *worker)
{
	while (!list_is_empty(&worker->closed)) {
		struct ew_conn *conn =
			LIST_ENTRY(list_first(&worker->closed), struct ew_conn, link);
		list_remove(&conn->link);
		ew_conn_free(conn);
	}
}

static void run_turn(struct ew_worker *worker)
{
	bool waits = list_is_empty(&worker->again);
	event_base_loop(worker->base, waits ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	go_on(worker);
	free_closed(worker);
	if (worker->n_conns != atomic_load_explicit(&worker->n_conns_shared, memory_order_relaxed))
		atomic_store_explicit(&worker->n_conns_shared, worker->n_conns,
		                      memory_order_relaxed);
}

/* --- messages --------------------------------------------------------------------------------- */

static void post(struct ew_worker *worker, void (*fn)(struct ew_worker *worker, void *arg),
                 void *arg)
{
	struct message *message = xcalloc(1, sizeof(*message));
	const uint64_t one = 1;
	message->fn = fn;
	message->arg = arg;
	list_init(&message->link);
	pthread_mutex_lock(&worker->lock);
	list_append(&worker->messages, &message->link);
	pthread_mutex_unlock(&worker->lock);
	/* cannot fail but by overflow, and then the worker is awake anyway */
	IGNORE(write(worker->wake_fd, &one, sizeof(one)) < 0);
}

static struct message *take_message(struct ew_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	struct list *first = list_first(&worker->messages);
	if (first != NULL)
		list_remove(first);
	pthread_mutex_unlock(&worker->lock);
	return first != NULL ? LIST_ENTRY(first, struct message, link) : NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct ew_worker *worker = arg;
	uint64_t count;
	(void)what;
	IGNORE(read(fd, &count, sizeof(count)) < 0);
	ew_worker_enter(worker);
	for (struct message *message = take_message(worker); message != NULL;
	     message = take_message(worker)) {
		message->fn(worker, message->arg);
		free(message);
	}
}

/* Forgets routes that are no more, so that names which come and go leave nothing behind. */
static void forget_uses(struct ew_worker *worker)
{
	map_for_each (it, &worker->uses) {
		if (ew_table_find(worker->table, map_key(it)) == NULL)
			free_use(map_remove(&worker->uses, map_key(it)));
	}
}

static void do_set_table(struct ew_worker *worker, void *arg)
{
	ew_table_unref(worker->table);
	worker->table = arg;
	forget_uses(worker);
}

static void do_drain(struct ew_worker *worker, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < worker->n_doors; i++)
		ew_door_drain(&worker->doors[i]);
}

static void do_stop(struct ew_worker *worker, void *arg)
{
	(void)arg;
	worker->stopping = true;
}

void ew_worker_set_table(struct ew_worker *worker, struct ew_table *table)
{
	post(worker, do_set_table, table);
}

void ew_worker_drain(struct ew_worker *worker)
{
	post(worker, do_drain, NULL);
}

uint32_t ew_worker_connections(const struct ew_worker *worker)
{
	return atomic_load_explicit(&worker->n_conns_shared, memory_order_relaxed);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		UNREACHABLE("out of memory");
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL)
		UNREACHABLE("no event loop: too many open files?");
	return base;
}

struct ew_worker *ew_worker_create(const struct ew_worker_setup *setup, uint32_t index,
                                   const int *fds, struct ew_table *table)
{
	struct ew_worker *worker = xcalloc(1, sizeof(*worker));
	worker->setup = setup;
	worker->index = index;
	worker->table = table;
	worker->base = make_base();
	worker->buffer = xmalloc(EW_BUFFER_SIZE);
	worker->now_ms = clock_now_ms();
	ew_wheel_init(&worker->wheel, worker->now_ms);
	list_init(&worker->conns);
	list_init(&worker->closed);
	list_init(&worker->again);
	list_init(&worker->unsure);
	list_init(&worker->messages);
	pthread_mutex_init(&worker->lock, NULL);
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	event_assign(&worker->wake, worker->base, worker->wake_fd, EV_READ | EV_PERSIST, on_wake,
	             worker);
	event_add(&worker->wake, NULL);
	event_assign(&worker->tick, worker->base, -1, 0, on_tick, worker);
	event_assign(&worker->ask, worker->base, -1, 0, on_ask, worker);
	worker->n_doors = setup->n_listeners;
	worker->doors = xcalloc(worker->n_doors + 1, sizeof(*worker->doors));
	for (size_t i = 0; i < worker->n_doors; i++) {
		worker->doors[i].worker = worker;
		worker->doors[i].config = &setup->listeners[i];
		worker->doors[i].fd = fds[i];
	}
	return worker;
}

static void *run(void *arg)
{
	struct ew_worker *worker = arg;
	for (size_t i = 0; i < worker->n_doors; i++)
		ew_door_start(&worker->doors[i]);
	while (!worker->stopping)
		run_turn(worker);
	return NULL;
}

bool ew_worker_start(struct ew_worker *worker, struct err *err)
{
	int failed = pthread_create(&worker->thread, NULL, run, worker);
	if (failed != 0)
		return err_set_errno(err, failed, "cannot start a worker thread");
	worker->started = true;
	return true;
}

static void stop_conns(struct ew_worker *worker)
{
	while (!list_is_empty(&worker->conns)) {
		struct ew_conn *conn = LIST_ENTRY(list_first(&worker->conns), struct ew_conn, link);
		ew_conn_reset(conn, EW_CLOSE_DRAINED);
	}
	free_closed(worker);
}

static void drop_messages(struct ew_worker *worker)
{
	for (struct message *message = take_message(worker); message != NULL;
	     message = take_message(worker)) {
		if (message->fn == do_set_table)
			ew_table_unref(message->arg);
		free(message);
	}
}

void ew_worker_stop(struct ew_worker *worker)
{
	if (worker == NULL)
		return;
	if (worker->started) {
		post(worker, do_stop, NULL);
		pthread_join(worker->thread, NULL);
	}
	stop_conns(worker);
	for (size_t i = 0; i < worker->n_doors; i++)
		ew_door_stop(&worker->doors[i]);
	drop_messages(worker);
	event_del(&worker->tick);
	event_del(&worker->ask);
	event_del(&worker->wake);
	close(worker->wake_fd);
	event_base_free(worker->base);
	pthread_mutex_destroy(&worker->lock);
	ew_pipes_fini(&worker->pipes);
	map_fini(&worker->uses, free_use);
	map_fini(&worker->series, free);
	ew_table_unref(worker->table);
	free(worker->doors);
	free(worker->buffer);
	free(worker);
}
