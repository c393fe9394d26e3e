/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint8_t buffer[1 << 20];

static void want(struct load *load, struct load_conn *c, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

	if (c->wants_out == out)
		return;
	c->wants_out = out;
	epoll_ctl(load->poll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

static bool conn_start(struct load *load, struct load_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
	const int fd = tcp_connect(&load->to);

	if (fd < 0)
		return false;
	c->fd = fd;
	c->sent = 0;
	c->wants_out = true;
	tcp_nodelay(fd);
	if (load->tls) {
		c->state = LOAD_TLS;
		c->ssl = SSL_new(load->ctx);
		SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		         (void *)(uintptr_t)load->sni);
		SSL_set_fd(c->ssl, fd);
	} else {
		c->state = LOAD_HELLO;
		c->hello_len = hello_build(c->hello, load->sni, load->command);
		if (load->partial > 0)
			c->hello_len = load->partial;
	}
	epoll_ctl(load->poll_fd, EPOLL_CTL_ADD, fd, &ev);
	return true;
}

static void conn_end(struct load_conn *c)
{
	if (c->ssl != NULL) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	if (c->state != LOAD_FREE)
		close(c->fd);
	c->state = LOAD_FREE;
}

/* Each step: 2 complete, 1 go on in the new state, 0 wait, -1 failed. */
static int step_hello(struct load *load, struct load_conn *c)
{
	const ssize_t n = send(c->fd, c->hello + c->sent, c->hello_len - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
	c->sent += (size_t)n;
	if (c->sent < c->hello_len)
		return 1;
	if (load->partial > 0) {
		want(load, c, false);
		return 2;
	}
	c->to_send = load->command.take;
	c->missing = load->command.reply;
	c->state = LOAD_UP;
	return 1;
}

static int step_up(struct load *load, struct load_conn *c)
{
	ssize_t n;

	if (c->to_send == 0) {
		want(load, c, false);
		c->state = LOAD_REPLY;
		return 0;
	}
	n = send(c->fd, buffer, c->to_send < sizeof(buffer) ? c->to_send : sizeof(buffer),
	         MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->to_send -= (uint64_t)n;
	load->bytes += (uint64_t)n;
	return 1;
}

static int step_tls(struct load *load, struct load_conn *c)
{
	int done;

	ERR_clear_error();
	done = SSL_connect(c->ssl);
	if (done == 1)
		return 2;
	switch (SSL_get_error(c->ssl, done)) {
	case SSL_ERROR_WANT_READ:
		want(load, c, false);
		return 0;
	case SSL_ERROR_WANT_WRITE:
		want(load, c, true);
		return 0;
	default:
		return -1;
	}
}

static int step_reply(struct load *load, struct load_conn *c)
{
	/* Big replies are thrown away in the kernel, so that they cost nothing here. */
	const bool big = c->missing > 65536;
	const ssize_t n = tcp_recv(c->fd, buffer, sizeof(buffer), big ? MSG_TRUNC : 0);

	if (n <= 0)
		return (int)n;
	if ((uint64_t)n > c->missing)
		return -1;
	c->missing -= (uint64_t)n;
	load->bytes += (uint64_t)n;
	if (c->missing > 0)
		return 1;
	if (c->state == LOAD_REPLY2 || !load->command.again)
		return 2;
	c->state = LOAD_REPLY2;
	c->missing = HELLO_REPLY2;
	return send(c->fd, buffer, HELLO_FLIGHT2, MSG_NOSIGNAL) == HELLO_FLIGHT2 ? 0 : -1;
}

static int step_held(struct load *load, struct load_conn *c)
{
	(void)load;
	(void)c;
	return -1;
}

static int conn_run(struct load *load, struct load_conn *c)
{
	static int (*const steps[])(struct load *, struct load_conn *) = {
		[LOAD_HELLO] = step_hello, [LOAD_TLS] = step_tls,      [LOAD_UP] = step_up,
		[LOAD_REPLY] = step_reply, [LOAD_REPLY2] = step_reply, [LOAD_HELD] = step_held,
	};
	int more = 1;

	for (int budget = 32; more == 1 && budget > 0; budget--)
		more = steps[c->state](load, c);
	return more;
}

struct run {
	struct load_conn *conns, **free;
	long n_free, started, done;
};

static void run_start(struct load *load, struct run *run)
{
	while (run->started < load->total && run->n_free > 0 &&
	       run->started - run->done < load->at_once) {
		struct load_conn *c = run->free[--run->n_free];

		run->started++;
		if (!conn_start(load, c)) {
			load->failed++;
			run->done++;
			run->free[run->n_free++] = c;
		}
	}
}

static void run_event(struct load *load, struct run *run, struct load_conn *c, bool keep)
{
	const bool held = c->state == LOAD_HELD;
	int end;

	if (c->state == LOAD_FREE)
		return;
	end = conn_run(load, c);
	if (end == 0 || end == 1)
		return;
	if (held) {
		/* The proxy has closed a connection that should have stayed. */
		load->ok--;
		load->failed++;
		conn_end(c);
		return;
	}
	run->done++;
	if (end > 0)
		load->ok++;
	else
		load->failed++;
	if (end > 0 && keep) {
		c->state = LOAD_HELD;
		return;
	}
	conn_end(c);
	if (!keep)
		run->free[run->n_free++] = c;
}

void load_run(struct load *load, struct load_conn *keep)
{
	const long places = keep != NULL ? load->total : load->at_once;
	struct load_conn *own = keep == NULL ? calloc((size_t)places, sizeof(*own)) : NULL;
	struct run run = {.conns = keep != NULL ? keep : own, .n_free = places};
	const uint64_t begin = now_ns();

	run.free = calloc((size_t)places, sizeof(struct load_conn *));
	if (run.conns == NULL || run.free == NULL)
		die("calloc");
	for (long i = 0; i < places; i++)
		run.free[i] = &run.conns[places - 1 - i];
	while (run.done < load->total) {
		struct epoll_event events[128];
		int n;

		if (now_ns() - begin > load->deadline_ns) {
			fprintf(stderr, "deadline: %ld of %ld done\n", run.done, load->total);
			load->failed += (uint64_t)(load->total - run.done);
			break;
		}
		run_start(load, &run);
		n = epoll_wait(load->poll_fd, events, 128, 100);
		for (int i = 0; i < n; i++)
			run_event(load, &run, events[i].data.ptr, keep != NULL);
	}
	for (long i = 0; own != NULL && i < places; i++)
		conn_end(&own[i]);
	free(own);
	free(run.free);
}

void load_release(struct load *load, struct load_conn *keep)
{
	for (long i = 0; i < load->total; i++)
		conn_end(&keep[i]);
}
