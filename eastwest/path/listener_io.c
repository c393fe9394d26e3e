/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door takes as many connections per wake-up as the last one brought, and doubles when there were
 * that many: a lone connection costs one accept4, a flood few wake-ups.
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

static void pause_accept(struct ew_door_io *door)
{
	struct timeval pause = {.tv_usec = EW_ACCEPT_PAUSE_MS * 1000};
	event_del(&door->readable);
	event_add(&door->resume, &pause);
	metrics_add(door->worker->setup->stats->accept_pauses, 1);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct ew_door_io *door = arg;
	(void)fd;
	(void)what;
	event_add(&door->readable, NULL);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct ew_door_io *door = arg;
	uint32_t n = 0;
	(void)fd;
	(void)what;
	ew_worker_enter(door->worker);
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
	struct event_base *base = door->worker->base;
	/* accepted sockets inherit it: one call instead of one per connection */
	setsockopt(door->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	door->batch = 1;
	event_assign(&door->readable, base, door->fd, EV_READ | EV_PERSIST, on_acceptable, door);
	event_assign(&door->resume, base, -1, 0, on_resume, door);
	event_add(&door->readable, NULL);
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
	event_del(&door->readable);
	event_del(&door->resume);
	close(door->fd);
	door->fd = -1;
}
