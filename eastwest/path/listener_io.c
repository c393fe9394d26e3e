/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door takes one connection of a wake-up. In turns without a break it takes as many as the last
 * one brought, and doubles when there were that many: a lone connection costs one accept4, a flood
 * few wake-ups.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "path/path_io.h"

static bool is_out_of_descriptors(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

/* False: none waits, or none can be taken now (errno). */
static bool accept_one(struct ew_door_io *door)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr peer;
	int fd = accept4(door->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return false;
	addr_from_sockaddr(&sa, &peer);
	ew_conn_open(door, fd, &peer);
	return true;
}

static void listen_for(struct ew_door_io *door, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = &door->watch};
	epoll_ctl(door->worker->poll_fd, EPOLL_CTL_MOD, door->fd, &event);
}

static void pause_accept(struct ew_door_io *door)
{
	struct ew_worker *worker = door->worker;
	listen_for(door, 0);
	door->paused = true;
	worker->resume_at_ms = worker->now_ms + EW_ACCEPT_PAUSE_MS;
	metrics_add(worker->setup->stats->accept_pauses, 1);
}

void ew_door_resume(struct ew_door_io *door)
{
	if (door->fd < 0 || !door->paused)
		return;
	door->paused = false;
	listen_for(door, EPOLLIN);
}

static void on_acceptable(struct ew_watch *watch, uint32_t events)
{
	struct ew_door_io *door = CONTAINER_OF(watch, struct ew_door_io, watch);
	uint64_t turn = door->worker->n_turns;
	uint32_t n = 0;
	(void)events;
	/* drained by what came before in this turn */
	if (door->fd < 0)
		return;
	if (door->turn + 1 != turn)
		door->batch = 1;
	door->turn = turn;
	while (n < door->batch && accept_one(door))
		n++;
	if (n == door->batch) {
		door->batch = n < EW_ACCEPT_BATCH_MAX ? 2 * n : n;
		return;
	}
	door->batch = n > 0 ? n : 1;
	if (is_out_of_descriptors(errno))
		pause_accept(door);
}

/* --- doors ------------------------------------------------------------------------------------ */

static void open_door(struct ew_worker *worker, struct ew_doors *doors, size_t i, int fd)
{
	static const int on = 1;
	struct ew_door_io *door = xcalloc(1, sizeof(*door));
	*door = (struct ew_door_io){.worker = worker,
	                            .doors = ew_doors_ref(doors),
	                            .row = &doors->rows[i],
	                            .config = &doors->rows[i].listener,
	                            .fd = fd,
	                            .batch = 1,
	                            .watch = {on_acceptable}};
	list_init(&door->link);
	list_append(&worker->doors, &door->link);
	/* accepted sockets inherit it: one call instead of one per connection */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd >= 0 && !ew_worker_register(worker, fd, &door->watch, EPOLLIN))
		UNREACHABLE("no memory for a listener");
}

static void free_door(struct ew_door_io *door)
{
	list_remove(&door->link);
	ew_doors_unref(door->doors);
	free(door);
}

void ew_door_drain(struct ew_door_io *door)
{
	if (door->fd < 0)
		return;
	while (accept_one(door)) {
	}
	ew_door_stop(door);
}

void ew_door_stop(struct ew_door_io *door)
{
	if (door->fd < 0)
		return;
	/* close() does not take it out of the poll set while another process holds the socket */
	epoll_ctl(door->worker->poll_fd, EPOLL_CTL_DEL, door->fd, NULL);
	close(door->fd);
	door->fd = -1;
}

void ew_door_forget_conn(struct ew_door_io *door)
{
	door->n_conns--;
	if (door->n_conns == 0 && door->is_retired)
		free_door(door);
}

/* Not freed before the turn ends: there may be an event for it. */
static void retire(struct ew_door_io *door)
{
	list_remove(&door->link);
	door->is_retired = true;
	ew_door_drain(door);
	if (door->n_conns == 0)
		list_append(&door->worker->retired, &door->link);
}

void ew_doors_free_retired(struct ew_worker *worker)
{
	while (!list_is_empty(&worker->retired))
		free_door(LIST_ENTRY(list_first(&worker->retired), struct ew_door_io, link));
}

/* The socket at this address, taken from the door that has it; -1: nobody has. */
static int take_socket(struct list *doors, const struct addr *bound)
{
	list_for_each (it, doors) {
		struct ew_door_io *door = LIST_ENTRY(it, struct ew_door_io, link);
		int fd = door->fd;
		if (fd < 0 || !addr_eq(&door->row->bound, bound))
			continue;
		epoll_ctl(door->worker->poll_fd, EPOLL_CTL_DEL, fd, NULL);
		door->fd = -1;
		return fd;
	}
	return -1;
}

void ew_doors_enter(struct ew_worker *worker, struct ew_doors *doors, const int *fds)
{
	struct list old;
	list_move_all(&worker->doors, &old);
	for (size_t i = 0; i < doors->n; i++) {
		int fd = fds[i] >= 0 ? fds[i] : take_socket(&old, &doors->rows[i].bound);
		open_door(worker, doors, i, fd);
	}
	while (!list_is_empty(&old))
		retire(LIST_ENTRY(list_first(&old), struct ew_door_io, link));
	ew_doors_unref(doors);
}

void ew_doors_stop(struct ew_worker *worker)
{
	ew_doors_free_retired(worker);
	while (!list_is_empty(&worker->doors)) {
		struct ew_door_io *door =
			LIST_ENTRY(list_first(&worker->doors), struct ew_door_io, link);
		ew_door_stop(door);
		free_door(door);
	}
}
