/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-relay: the least that a relay in user space can cost, a floor and not a gateway. It waits
 * for a whole ClientHello, walks to the name, compares it, connects to one fixed address and moves
 * bytes: copies while reads are short, splices through a 256 KiB pipe once a read fills 16 KiB. No
 * timeouts, counters, balancing, retries.
 *
 *   bench-relay LISTEN-IP:PORT UPSTREAM-IP:PORT SNI
 */
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define COPY_MAX  16384
#define PIPE_SIZE (1 << 18)
#define PIPES_MAX 1024

struct half {
	int fd;
	bool ended, shut, readable, writable, hung_up, bulk;
	int pipe[2];
	size_t in_pipe;
	uint8_t *left; /* what a short send left over */
	size_t left_at, left_n;
	struct conn *conn;
};

struct conn {
	struct half half[2]; /* client, upstream */
	bool dead;
	struct conn *next_dead;
};

static int poll_fd;
static struct addr upstream;
static const char *name;
static uint8_t shared[65536];
static int pipes[PIPES_MAX][2];
static size_t n_pipes;
static struct conn *dead;

/* 1 it is our name, 0 more bytes are needed, -1 refused. One record only. */
static int check_name(const uint8_t *b, size_t n)
{
	size_t end, at = 5 + 4 + 34;

	if (n < 5)
		return 0;
	end = 5 + ((size_t)b[3] << 8 | b[4]);
	if (b[0] != 0x16 || end < at + 5)
		return -1;
	if (n < end)
		return 0;
	at += 1u + b[at];
	if (at + 2 > end)
		return -1;
	at += 2 + ((size_t)b[at] << 8 | b[at + 1]);
	if (at + 1 > end)
		return -1;
	at += 3u + b[at];
	while (at + 4 <= end) {
		const size_t type = (size_t)b[at] << 8 | b[at + 1];
		const size_t len = (size_t)b[at + 2] << 8 | b[at + 3];

		if (at + 4 + len > end)
			return -1;
		if (type == 0 && len > 5) {
			const char *has = (const char *)b + at + 9;

			return strlen(name) == len - 5 && strncasecmp(has, name, len - 5) == 0 ? 1
			                                                                       : -1;
		}
		at += 4 + len;
	}
	return -1;
}

static bool pipe_get(int p[2])
{
	if (n_pipes > 0) {
		n_pipes--;
		memcpy(p, pipes[n_pipes], sizeof(pipes[0]));
		return true;
	}
	if (pipe2(p, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	fcntl(p[1], F_SETPIPE_SZ, PIPE_SIZE);
	return true;
}

static void pipe_put(struct half *h)
{
	if (h->pipe[0] < 0)
		return;
	if (h->in_pipe == 0 && n_pipes < PIPES_MAX) {
		memcpy(pipes[n_pipes++], h->pipe, sizeof(h->pipe));
	} else {
		close(h->pipe[0]);
		close(h->pipe[1]);
	}
	h->pipe[0] = h->pipe[1] = -1;
}

static void conn_end(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	for (int i = 0; i < 2; i++) {
		if (c->half[i].fd >= 0)
			close(c->half[i].fd);
		pipe_put(&c->half[i]);
		free(c->half[i].left);
	}
	c->next_dead = dead;
	dead = c;
}

/* 1 sent it all, 0 the socket is full, -1 broken */
static int flush_left(struct half *s, struct half *d)
{
	ssize_t w;

	if (s->left_n == 0)
		return 1;
	if (!d->writable)
		return 0;
	w = send(d->fd, s->left + s->left_at, s->left_n, MSG_NOSIGNAL);
	if (w < 0 && errno != EAGAIN)
		return -1;
	if (w > 0) {
		s->left_at += (size_t)w;
		s->left_n -= (size_t)w;
	}
	d->writable = s->left_n == 0;
	return d->writable;
}

static int flush_pipe(struct half *s, struct half *d)
{
	while (s->in_pipe > 0) {
		ssize_t w;

		if (!d->writable)
			return 0;
		w = splice(s->pipe[0], NULL, d->fd, NULL, s->in_pipe,
		           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (w < 0 && errno != EAGAIN)
			return -1;
		if (w < 0) {
			d->writable = false;
			return 0;
		}
		s->in_pipe -= (size_t)w;
		if (s->in_pipe == 0)
			pipe_put(s);
	}
	return 1;
}

/* 1 go on, 0 nothing there, -1 broken */
static int read_splice(struct half *s)
{
	ssize_t r;

	if (s->pipe[0] < 0 && !pipe_get(s->pipe))
		return -1;
	r = splice(s->fd, NULL, s->pipe[1], NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (r > 0) {
		s->in_pipe = (size_t)r;
		s->bulk = r >= 4096;
		return 1;
	}
	pipe_put(s);
	if (r == 0) {
		s->ended = true;
		return 1;
	}
	s->readable = false;
	return errno == EAGAIN ? 0 : -1;
}

static int read_copy(struct half *s, struct half *d)
{
	const ssize_t r = recv(s->fd, shared, COPY_MAX, 0);
	ssize_t w;

	if (r == 0) {
		s->ended = true;
		return 1;
	}
	if (r < 0) {
		s->readable = false;
		return errno == EAGAIN ? 0 : -1;
	}
	w = send(d->fd, shared, (size_t)r, MSG_NOSIGNAL);
	if (w < 0 && errno != EAGAIN)
		return -1;
	if (w < r) {
		s->left_at = 0;
		s->left_n = (size_t)(r - (w > 0 ? w : 0));
		free(s->left);
		s->left = malloc(s->left_n);
		if (s->left == NULL)
			die("malloc");
		memcpy(s->left, shared + (size_t)r - s->left_n, s->left_n);
		d->writable = false;
		return 0;
	}
	s->bulk = r == COPY_MAX;
	/* A short read has emptied the socket; being edge-triggered, epoll tells of more. */
	s->readable = s->bulk || s->hung_up;
	return s->readable;
}

/* Moves bytes from s to d; 1 there is more, 0 nothing to do now, -1 the connection must end. */
static int pump(struct half *s, struct half *d)
{
	for (int budget = 16; budget > 0; budget--) {
		int more = flush_left(s, d);

		if (more == 1)
			more = flush_pipe(s, d);
		if (more != 1)
			return more;
		if (s->ended) {
			if (!s->shut)
				shutdown(d->fd, SHUT_WR);
			s->shut = true;
			return d->shut ? -1 : 0;
		}
		if (!s->readable || !d->writable)
			return 0;
		more = s->bulk ? read_splice(s) : read_copy(s, d);
		if (more != 1)
			return more;
	}
	return 1;
}

static void watch(struct half *h)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	                         .data.ptr = h};

	epoll_ctl(poll_fd, EPOLL_CTL_ADD, h->fd, &ev);
}

static void on_hello(struct conn *c)
{
	const ssize_t n = tcp_recv(c->half[0].fd, shared, sizeof(shared), MSG_PEEK);
	const int known = n < 0 ? -1 : check_name(shared, (size_t)n);

	if (known == 0)
		return;
	if (known > 0)
		c->half[1].fd = tcp_connect(&upstream);
	if (c->half[1].fd < 0) {
		conn_end(c);
		return;
	}
	tcp_nodelay(c->half[1].fd);
	watch(&c->half[1]);
}

static void on_event(struct half *h, uint32_t events)
{
	struct conn *c = h->conn;
	int a, b;

	if (c->dead)
		return;
	if (events & EPOLLERR) {
		conn_end(c);
		return;
	}
	h->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
	h->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	h->writable |= (events & EPOLLOUT) != 0;
	if (c->half[1].fd < 0) {
		on_hello(c);
		return;
	}
	do {
		a = pump(&c->half[0], &c->half[1]);
		b = a < 0 ? a : pump(&c->half[1], &c->half[0]);
	} while (a >= 0 && b >= 0 && a + b > 0);
	if (a < 0 || b < 0)
		conn_end(c);
}

static void accept_some(int listener)
{
	for (int i = 0; i < 64; i++) {
		const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *c;

		if (fd < 0)
			return;
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			die("calloc");
		tcp_nodelay(fd);
		for (int j = 0; j < 2; j++) {
			c->half[j] = (struct half){.fd = -1, .pipe = {-1, -1}, .conn = c};
		}
		c->half[0].fd = fd;
		watch(&c->half[0]);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN}, events[128];
	struct addr at;
	int listener;

	if (argc != 4)
		usage_error("usage", "bench-relay LISTEN UPSTREAM SNI");
	process_setup();
	at = addr_parse(argv[1]);
	upstream = addr_parse(argv[2]);
	name = argv[3];
	listener = tcp_listen(&at);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		const int n = epoll_wait(poll_fd, events, 128, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_some(listener);
			else
				on_event(events[i].data.ptr, events[i].events);
		}
		while (dead != NULL) {
			struct conn *c = dead;

			dead = c->next_dead;
			free(c);
		}
	}
}
