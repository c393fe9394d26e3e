/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interest in the descriptor is computed from the state after every step (update_interest), never
 * switched on and off where things happen. Output is only queued by wire_write() and sent when the
 * loop comes round, so that many small writes of one turn leave as one.
 */
#include "outq.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/net.h"
#include "base/tls.h"
#include "base/wire.h"

enum {
	READ_CHUNK = 16 << 10,
	READS_PER_TURN = 8, /* so that one busy peer leaves time for the others */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_TIMEOUT_MS = 45000
};

enum wire_state {
	WIRE_CONNECT,
	WIRE_HANDSHAKE,
	WIRE_OPEN,
	WIRE_FINISH,
	WIRE_CLOSED,
};

struct wire {
	struct loop *loop;
	int fd;
	enum wire_state state;
	SSL *ssl;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_timer kick; /* a step in the next turn that no descriptor announces */
	const struct wire_events *events;
	void *arg;
	struct addr peer;
	struct outq out;
	bool paused;
	bool finishing; /* wire_finish() was called before the wire was open */
	bool sent_fin;
	bool drain_due;
	bool read_wants_write; /* TLS: a read goes on when the socket can be written, and reverse */
	bool write_wants_read;
};

/* How a try to read or write ended. */
enum io_result {
	IO_OK,
	IO_AGAIN,
	IO_EOF,
	IO_FAILED,
};

static void ignore_sigpipe(void)
{
	struct sigaction old;

	if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
		old.sa_handler = SIG_IGN;
		sigaction(SIGPIPE, &old, NULL);
	}
}

/* --- closing ---------------------------------------------------------------------------------- */

static void free_wire(void *arg)
{
	struct wire *w = arg;

	SSL_free(w->ssl);
	outq_fini(&w->out);
	free(w);
}

/* Closing with unread input resets the connection, and our TLS alert would be lost with it. */
static void drain_handshake(struct wire *w)
{
	char chunk[READ_CHUNK];

	shutdown(w->fd, SHUT_WR);
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (recv(w->fd, chunk, sizeof(chunk), MSG_DONTWAIT) <= 0)
			return;
	}
}

static void close_now(struct wire *w)
{
	if (w->state == WIRE_HANDSHAKE)
		drain_handshake(w);
	w->state = WIRE_CLOSED;
	loop_io_fini(&w->io);
	loop_timer_fini(&w->deadline);
	loop_timer_fini(&w->kick);
	close(w->fd);
	w->fd = -1;
	loop_bury(w->loop, free_wire, w);
}

static void fail(struct wire *w, const struct err *why)
{
	close_now(w);
	w->events->on_close(w, why, w->arg);
}

static void fail_eof(struct wire *w)
{
	struct err err;

	err_set(&err, ERR_IO, "closed by the peer");
	fail(w, &err);
}

void wire_close(struct wire *w)
{
	if (w != NULL && w->state != WIRE_CLOSED)
		close_now(w);
}

/* --- interest --------------------------------------------------------------------------------- */

static void update_interest(struct wire *w)
{
	unsigned interest = 0;

	switch (w->state) {
	case WIRE_CONNECT:
		interest = LOOP_WRITE;
		break;
	case WIRE_HANDSHAKE:
		interest = SSL_want_write(w->ssl) ? LOOP_WRITE : LOOP_READ;
		break;
	case WIRE_OPEN:
	case WIRE_FINISH:
		if (!w->paused || w->write_wants_read || w->state == WIRE_FINISH)
			interest |= LOOP_READ;
		if ((outq_len(&w->out) > 0 && !w->write_wants_read) || w->read_wants_write ||
		    (w->state == WIRE_FINISH && !w->sent_fin))
			interest |= LOOP_WRITE;
		break;
	case WIRE_CLOSED:
		return;
	}
	loop_io_set(&w->io, interest);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* What an SSL call that returned n <= 0 means. */
static enum io_result tls_result(struct wire *w, int n, bool is_read, struct err *err)
{
	int saved = errno;
	int code = SSL_get_error(w->ssl, n);

	switch (code) {
	case SSL_ERROR_WANT_READ:
		w->write_wants_read = !is_read;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		w->read_wants_write = is_read;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_EOF;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (saved == 0)
			return IO_EOF;
		err_set_errno(err, saved, "connection lost");
		return IO_FAILED;
	default:
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			ERR_clear_error();
			return IO_EOF;
		}
		tls_explain(w->ssl, err);
		return IO_FAILED;
	}
}

static enum io_result plain_result(ssize_t n, struct err *err)
{
	if (n == 0)
		return IO_EOF;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return IO_AGAIN;
	err_set_errno(err, errno, "connection lost");
	return IO_FAILED;
}

static enum io_result read_some(struct wire *w, char *chunk, size_t *ret_n, struct err *err)
{
	ssize_t n;

	if (w->ssl == NULL) {
		n = recv(w->fd, chunk, READ_CHUNK, 0);
		if (n <= 0)
			return plain_result(n, err);
	} else {
		ERR_clear_error();
		errno = 0;
		w->read_wants_write = false;
		n = SSL_read(w->ssl, chunk, READ_CHUNK);
		if (n <= 0)
			return tls_result(w, (int)n, true, err);
	}
	*ret_n = (size_t)n;
	return IO_OK;
}

static enum io_result write_some(struct wire *w, struct err *err)
{
	struct str front = outq_front(&w->out);
	ssize_t n;

	if (w->ssl == NULL) {
		n = send(w->fd, front.ptr, front.len, MSG_NOSIGNAL);
		if (n < 0)
			return plain_result(n, err);
	} else {
		int len = front.len < (1 << 20) ? (int)front.len : 1 << 20;

		ERR_clear_error();
		errno = 0;
		w->write_wants_read = false;
		n = SSL_write(w->ssl, front.ptr, len);
		if (n <= 0)
			return tls_result(w, (int)n, false, err);
	}
	outq_take(&w->out, (size_t)n);
	return IO_OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void send_fin(struct wire *w)
{
	w->sent_fin = true;
	if (w->ssl != NULL) {
		ERR_clear_error();
		SSL_shutdown(w->ssl);
		ERR_clear_error();
	}
	shutdown(w->fd, SHUT_WR);
}

static void flush(struct wire *w)
{
	struct err err;

	while (outq_len(&w->out) > 0) {
		enum io_result result = write_some(w, &err);

		if (result == IO_AGAIN)
			break;
		if (result == IO_EOF)
			err_set(&err, ERR_IO, "closed by the peer");
		if (result != IO_OK) {
			fail(w, &err);
			return;
		}
	}
	if (w->state == WIRE_FINISH) {
		if (outq_len(&w->out) == 0 && !w->sent_fin)
			send_fin(w);
		return;
	}
	if (w->drain_due && outq_len(&w->out) <= WIRE_DRAINED) {
		w->drain_due = false;
		if (w->events->on_drain != NULL)
			w->events->on_drain(w, w->arg);
	}
}

static bool wants_input(const struct wire *w)
{
	return (w->state == WIRE_OPEN && !w->paused) || w->state == WIRE_FINISH;
}

static void take_input(struct wire *w)
{
	char chunk[READ_CHUNK];
	struct err err;
	size_t n = 0;

	for (int i = 0; i < READS_PER_TURN && wants_input(w); i++) {
		switch (read_some(w, chunk, &n, &err)) {
		case IO_OK:
			/* After wire_finish() input is only drained, so that closing with unread
			 * bytes does not reset the connection and destroy our last output. */
			if (w->state == WIRE_OPEN)
				w->events->on_data(w, str_make(chunk, n), w->arg);
			break;
		case IO_AGAIN:
			return;
		case IO_EOF:
			fail_eof(w);
			return;
		case IO_FAILED:
			fail(w, &err);
			return;
		}
	}
	if (wants_input(w) && w->ssl != NULL && SSL_pending(w->ssl) > 0)
		loop_timer_set(&w->kick, 0);
}

static void begin_finish(struct wire *w)
{
	w->state = WIRE_FINISH;
	loop_timer_set(&w->deadline, WIRE_FINISH_MS);
}

static void open_now(struct wire *w)
{
	loop_timer_cancel(&w->deadline);
	w->state = WIRE_OPEN;
	w->read_wants_write = false;
	if (outq_len(&w->out) > 0)
		w->drain_due = true;
	w->events->on_open(w, w->arg);
	if (w->state == WIRE_OPEN && w->finishing)
		begin_finish(w);
}

static void handshake(struct wire *w)
{
	struct err err;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(w->ssl);
	if (n == 1) {
		open_now(w);
		return;
	}
	switch (tls_result(w, n, true, &err)) {
	case IO_OK:
	case IO_AGAIN:
		return;
	case IO_EOF:
		err_set(&err, ERR_IO, "closed by the peer during the TLS handshake");
		break;
	case IO_FAILED:
		break;
	}
	fail(w, &err);
}

static void connected(struct wire *w)
{
	int errnum = net_error(w->fd);
	struct err err;

	if (errnum != 0) {
		err_set_errno(&err, errnum, "connect");
		fail(w, &err);
	} else if (w->ssl != NULL) {
		w->state = WIRE_HANDSHAKE;
		handshake(w);
	} else {
		open_now(w);
	}
}

static void step(struct wire *w, unsigned ready)
{
	switch (w->state) {
	case WIRE_CONNECT:
		connected(w);
		break;
	case WIRE_HANDSHAKE:
		handshake(w);
		break;
	case WIRE_OPEN:
	case WIRE_FINISH:
		if ((ready & LOOP_WRITE) != 0 || w->write_wants_read)
			flush(w);
		if ((ready & LOOP_READ) != 0 || w->read_wants_write)
			take_input(w);
		break;
	case WIRE_CLOSED:
		return;
	}
	update_interest(w);
}

static void on_io(unsigned ready, void *arg)
{
	step(arg, ready);
}

static void on_kick(void *arg)
{
	step(arg, LOOP_READ);
}

static void on_deadline(void *arg)
{
	struct wire *w = arg;
	struct err err;

	switch (w->state) {
	case WIRE_CONNECT:
		err_set(&err, ERR_TIMEOUT, "connect: no answer in time");
		break;
	case WIRE_HANDSHAKE:
		err_set(&err, ERR_TIMEOUT, "TLS handshake not finished in time");
		break;
	case WIRE_OPEN:
	case WIRE_FINISH:
	case WIRE_CLOSED:
		err_set(&err, ERR_TIMEOUT, "the peer did not take the last output in time");
		break;
	}
	fail(w, &err);
}

/* --- birth ------------------------------------------------------------------------------------ */

static struct wire *make_wire(struct loop *loop, int fd, SSL *ssl, const struct wire_events *events,
                              void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct wire *w = xcalloc(1, sizeof(*w));
	int on = 1;

	pthread_once(&once, ignore_sigpipe);
	w->loop = loop;
	w->fd = fd;
	w->ssl = ssl;
	w->events = events;
	w->arg = arg;
	outq_init(&w->out, WIRE_QUEUE_MAX);
	loop_io_init(&w->io, loop, fd, on_io, w);
	loop_timer_init(&w->deadline, loop, on_deadline, w);
	loop_timer_init(&w->kick, loop, on_kick, w);
	loop_timer_set(&w->deadline, WIRE_OPEN_MS);
	/* Both fail on a Unix socket, which needs neither. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	net_set_keepalive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_TIMEOUT_MS);
	if (ssl != NULL)
		SSL_set_fd(ssl, fd);
	return w;
}

struct wire *wire_accept(struct loop *loop, int fd, SSL *ssl, const struct wire_events *events,
                         void *arg)
{
	struct wire *w = make_wire(loop, fd, ssl, events, arg);
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    (sa.ss_family == AF_INET || sa.ss_family == AF_INET6))
		addr_from_sockaddr(&sa, &w->peer);
	/* CONNECT for a plain one as well: it is writable at once, and opens in the next turn. */
	w->state = ssl != NULL ? WIRE_HANDSHAKE : WIRE_CONNECT;
	loop_io_set(&w->io, ssl != NULL ? LOOP_READ : LOOP_WRITE);
	return w;
}

struct wire *wire_connect(struct loop *loop, const struct addr *addr, SSL *ssl,
                          const struct wire_events *events, void *arg, struct err *err)
{
	int fd = net_connect(addr, err);
	struct wire *w;

	if (fd < 0) {
		SSL_free(ssl);
		return NULL;
	}
	w = make_wire(loop, fd, ssl, events, arg);
	w->peer = *addr;
	w->state = WIRE_CONNECT;
	update_interest(w);
	return w;
}

void wire_set_open_timeout(struct wire *w, int64_t ms)
{
	if (w->state == WIRE_CONNECT || w->state == WIRE_HANDSHAKE)
		loop_timer_set(&w->deadline, ms);
}

/* --- use -------------------------------------------------------------------------------------- */

bool wire_write(struct wire *w, struct str data)
{
	if (w->state == WIRE_FINISH || w->state == WIRE_CLOSED || w->finishing)
		return false;
	if (!outq_add(&w->out, data))
		return false;
	w->drain_due = true;
	if (w->state == WIRE_OPEN)
		update_interest(w);
	return true;
}

size_t wire_queued(const struct wire *w)
{
	return outq_len(&w->out);
}

void wire_set_paused(struct wire *w, bool paused)
{
	if (w->paused == paused || w->state == WIRE_CLOSED)
		return;
	w->paused = paused;
	if (w->state != WIRE_OPEN)
		return;
	/* What OpenSSL holds already, no descriptor will announce. */
	if (!paused && w->ssl != NULL && SSL_pending(w->ssl) > 0)
		loop_timer_set(&w->kick, 0);
	update_interest(w);
}

void wire_finish(struct wire *w)
{
	if (w->state == WIRE_CLOSED || w->state == WIRE_FINISH)
		return;
	w->finishing = true;
	if (w->state != WIRE_OPEN)
		return;
	begin_finish(w);
	update_interest(w);
}

bool wire_is_open(const struct wire *w)
{
	return w->state == WIRE_OPEN;
}

SSL *wire_tls(const struct wire *w)
{
	return w->ssl;
}

const struct addr *wire_peer(const struct wire *w)
{
	return &w->peer;
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}
