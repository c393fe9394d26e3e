/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door takes one connection of a wake-up. In turns without a break it takes as many as the last
 * one brought, and doubles when there were that many: a lone connection costs one accept4, a flood
 * few wake-ups.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

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

void ew_door_start(struct ew_door_io *door)
{
	static const int on = 1;
	/* accepted sockets inherit it: one call instead of one per connection */
	setsockopt(door->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	door->batch = 1;
	door->watch.fn = on_acceptable;
	if (!ew_worker_register(door->worker, door->fd, &door->watch, EPOLLIN))
		UNREACHABLE("no memory for a listener");
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
	close(door->fd);
	door->fd = -1;
}

void ew_door_leave(struct ew_door_io *door)
{
	if (door->fd < 0)
		return;
	/* close() does not take it out of the poll set while somebody else holds the socket */
	epoll_ctl(door->worker->poll_fd, EPOLL_CTL_DEL, door->fd, NULL);
	ew_door_stop(door);
}
