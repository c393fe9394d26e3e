/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-upstream: the server behind the proxy that is measured.
 *
 *   bench-upstream RAW-IP:PORT TLS-IP:PORT CERT KEY
 *
 * RAW obeys the command in the hello's session id (hello.h), in plain bytes; TLS ends a real
 * TLS 1.3 handshake and waits for the client to leave. One thread, level-triggered.
 */
#include "hello.h"
#include "tcp.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum state {
	STATE_HELLO,
	STATE_TLS,
	STATE_TAKE,
	STATE_SEND,
	STATE_FLIGHT2,
	STATE_IDLE, /* until the client leaves */
};

struct conn {
	int fd;
	enum state state;
	bool wants_out;
	struct command command;
	uint64_t to_take;
	uint64_t to_send;
	size_t have; /* bytes of the hello, or of the second flight */
	SSL *ssl;
	uint8_t head[HELLO_HEAD];
};

struct listener {
	int fd;
	bool tls;
};

static int poll_fd;
static SSL_CTX *tls;
static uint8_t buffer[1 << 20];
static struct listener listeners[2];

static void want(struct conn *c, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

	if (c->wants_out == out)
		return;
	c->wants_out = out;
	epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

static void conn_end(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

/* Each step: 1 go on in the new state, 0 wait, -1 end. */
static int step_hello(struct conn *c)
{
	const ssize_t n = tcp_recv(c->fd, buffer, sizeof(buffer), 0);
	size_t length;

	if (n <= 0)
		return (int)n;
	if (c->have < HELLO_HEAD) {
		const size_t room = HELLO_HEAD - c->have;

		memcpy(c->head + c->have, buffer, (size_t)n < room ? (size_t)n : room);
	}
	c->have += (size_t)n;
	if (c->have < HELLO_HEAD)
		return 1;
	if (!hello_read(c->head, &c->command, &length) || c->have > length + c->command.take)
		return -1;
	if (c->have < length)
		return 1;
	c->to_take = c->command.take - (c->have - length);
	c->have = 0;
	c->to_send = c->command.reply;
	c->state = STATE_TAKE;
	return 1;
}

/* Thrown away in the kernel, so that it costs nothing here. */
static int step_take(struct conn *c)
{
	ssize_t n;

	if (c->to_take == 0) {
		c->state = STATE_SEND;
		return 1;
	}
	n = tcp_recv(c->fd, buffer, c->to_take < sizeof(buffer) ? c->to_take : sizeof(buffer),
	             MSG_TRUNC);
	if (n <= 0)
		return (int)n;
	c->to_take -= (uint64_t)n;
	return 1;
}

static int step_tls(struct conn *c)
{
	int done;

	ERR_clear_error();
	done = SSL_accept(c->ssl);
	if (done == 1) {
		c->state = STATE_IDLE;
		return 1;
	}
	return SSL_get_error(c->ssl, done) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static int step_send(struct conn *c)
{
	ssize_t n;

	if (c->to_send == 0) {
		want(c, false);
		c->state = c->command.again ? STATE_FLIGHT2 : STATE_IDLE;
		return 1;
	}
	/* As TLS sends, from memory: not a file's pages, of which each would be a fragment. */
	n = send(c->fd, buffer, c->to_send < sizeof(buffer) ? c->to_send : sizeof(buffer),
	         MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN) {
		want(c, true);
		return 0;
	}
	if (n <= 0)
		return -1;
	c->to_send -= (uint64_t)n;
	return 1;
}

static int step_flight2(struct conn *c)
{
	const ssize_t n = tcp_recv(c->fd, buffer, HELLO_FLIGHT2 - c->have, 0);

	if (n <= 0)
		return (int)n;
	c->have += (size_t)n;
	if (c->have < HELLO_FLIGHT2)
		return 1;
	c->command.again = false;
	c->to_send = HELLO_REPLY2;
	c->state = STATE_SEND;
	return 1;
}

static int step_idle(struct conn *c)
{
	return tcp_recv(c->fd, buffer, sizeof(buffer), 0) < 0 ? -1 : 0;
}

static void conn_run(struct conn *c)
{
	static int (*const steps[])(struct conn *) = {
		[STATE_HELLO] = step_hello,     [STATE_TLS] = step_tls,
		[STATE_TAKE] = step_take,       [STATE_SEND] = step_send,
		[STATE_FLIGHT2] = step_flight2, [STATE_IDLE] = step_idle,
	};
	int more = 1;

	for (int budget = 64; more > 0 && budget > 0; budget--)
		more = steps[c->state](c);
	if (more < 0)
		conn_end(c);
	else if (more > 0 && c->state == STATE_SEND)
		want(c, true); /* budget used up: comes back at once */
}

static void accept_some(const struct listener *l)
{
	for (int i = 0; i < 256; i++) {
		const int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct epoll_event ev = {.events = EPOLLIN};
		struct conn *c;

		if (fd < 0)
			return;
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			die("calloc");
		c->fd = fd;
		tcp_nodelay(fd);
		if (l->tls) {
			c->state = STATE_TLS;
			c->ssl = SSL_new(tls);
			SSL_set_fd(c->ssl, fd);
		}
		ev.data.ptr = c;
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev);
	}
}

static void listen_at(struct listener *l, const char *text)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
	const struct addr at = addr_parse(text);

	l->fd = tcp_listen(&at);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, l->fd, &ev);
}

static void tls_setup(const char *cert, const char *key)
{
	tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(tls, 0);
	SSL_CTX_set_quiet_shutdown(tls, 1);
	if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		usage_error("certificate or key cannot be used", cert);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];

	if (argc != 5)
		usage_error("usage", "bench-upstream RAW TLS CERT KEY");
	process_setup();
	tls_setup(argv[3], argv[4]);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	listeners[1].tls = true;
	listen_at(&listeners[0], argv[1]);
	listen_at(&listeners[1], argv[2]);
	memset(buffer, 0x5a, sizeof(buffer));
	for (;;) {
		const int n = epoll_wait(poll_fd, events, 256, -1);

		for (int i = 0; i < n; i++) {
			void *who = events[i].data.ptr;

			if (who == &listeners[0] || who == &listeners[1])
				accept_some(who);
			else
				conn_run(who);
		}
	}
}
