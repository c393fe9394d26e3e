/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hello is read into the worker's buffer, and copied once into memory of the connection's own,
 * for the upstream and for retries. Only a half hello goes on reading into that, and lets it grow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "path/path_io.h"

/* Puts len bytes that lie in the worker's buffer into memory of the connection's own. */
static void keep(struct ew_conn *conn, const uint8_t *data, uint32_t len, uint32_t cap)
{
	struct ew_dialing *dialing = xmalloc(sizeof(*dialing) + cap);
	memset(dialing, 0, sizeof(*dialing));
	dialing->len = len;
	dialing->cap = cap;
	memcpy(dialing->bytes, data, len);
	conn->dialing = dialing;
}

static void grow(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->len < dialing->cap)
		return;
	dialing->cap *= 2;
	conn->dialing = xrealloc(dialing, sizeof(*dialing) + dialing->cap);
}

void ew_hello_io_give_memory(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->taken > 0)
		ew_limiter_give_memory(conn->door->worker->setup->limiter, dialing->taken);
	dialing->taken = 0;
}

/* PROXY headers and the mark, before the hello. */
enum head {
	HEAD_DONE,
	HEAD_MORE,
	HEAD_REFUSED
};

static enum head take_header(struct ew_conn *conn, const struct ew_mark *mark)
{
	const struct ew_listener_config *config = conn->door->config;
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->proxied || dialing->marked ||
	    !ew_ranges_have(&config->trusted, &conn->peer.ip)) {
		ew_conn_refuse(conn, EW_CLOSE_BAD_HEADER, 0, NULL);
		return HEAD_REFUSED;
	}
	dialing->proxied = true;
	dialing->skip += mark->len;
	if (mark->has_source)
		conn->peer = mark->source;
	return HEAD_DONE;
}

static enum head take_mark(struct ew_conn *conn, const struct ew_mark *mark)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->marked || conn->door->config->door != EW_DOOR_INGRESS) {
		ew_conn_refuse(conn, EW_CLOSE_BAD_HEADER, 0, NULL);
		return HEAD_REFUSED;
	}
	dialing->marked = true;
	dialing->skip += mark->len;
	memcpy(dialing->cluster, mark->cluster, sizeof(dialing->cluster));
	return HEAD_DONE;
}

static enum head read_headers(struct ew_conn *conn)
{
	for (;;) {
		struct ew_dialing *dialing = conn->dialing;
		struct ew_mark mark;
		enum head head = HEAD_DONE;
		switch (ew_mark_read(dialing->bytes + dialing->skip, dialing->len - dialing->skip,
		                     &mark)) {
		case EW_MARK_NONE:
			/* a load balancer was let in to say who it is */
			return conn->admitted || ew_conn_admit(conn) ? HEAD_DONE : HEAD_REFUSED;
		case EW_MARK_MORE:
			return HEAD_MORE;
		case EW_MARK_BAD:
			ew_conn_refuse(conn, EW_CLOSE_BAD_HEADER, 0, NULL);
			return HEAD_REFUSED;
		case EW_MARK_PROXY:
			head = take_header(conn, &mark);
			break;
		case EW_MARK_FOUND:
			head = take_mark(conn, &mark);
			break;
		}
		if (head != HEAD_DONE)
			return head;
	}
}

static void read_hello(struct ew_conn *conn)
{
	struct ew_hello hello;
	struct ew_dialing *dialing = conn->dialing;
	switch (ew_hello_read(&dialing->reader, dialing->bytes + dialing->skip,
	                      dialing->len - dialing->skip, &hello)) {
	case EW_HELLO_MORE:
		return;
	case EW_HELLO_DONE:
		dialing->hello = dialing->skip + hello.len;
		ew_hello_io_give_memory(conn);
		ew_dial_start(conn, &hello);
		return;
	case EW_HELLO_NOT_TLS:
		ew_conn_refuse(conn,
		               ew_conn_not_tls(dialing->bytes + dialing->skip,
		                               dialing->len - dialing->skip),
		               0, NULL);
		return;
	case EW_HELLO_BAD:
		ew_conn_refuse(conn, EW_CLOSE_BAD_HELLO, hello.alert, hello.why);
		return;
	}
}

/* The memory of a hello that is still not whole counts; of one that came whole it never does. */
static bool take_memory(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	uint32_t more = dialing->cap - dialing->taken;
	if (more == 0)
		return true;
	if (!ew_limiter_take_memory(conn->door->worker->setup->limiter, more))
		return false;
	dialing->taken = dialing->cap;
	return true;
}

/* The client ended or failed before its hello was whole. */
static void on_hello_end(struct ew_conn *conn, ssize_t n)
{
	if (n < 0)
		ew_conn_close(conn, EW_CLOSE_CLIENT_RESET);
	else
		ew_conn_close(conn, EW_CLOSE_CLIENT_LEFT);
}

static void on_hello_bytes(struct ew_conn *conn)
{
	if (read_headers(conn) == HEAD_DONE)
		read_hello(conn);
	if (conn->state == EW_CONN_HELLO && !take_memory(conn))
		ew_conn_refuse(conn, EW_CLOSE_HELLO_MEMORY, ew_close_alert(EW_CLOSE_HELLO_MEMORY),
		               NULL);
}

/* The first bytes: into the worker's buffer, then as many as came into the connection's memory. */
static void read_first(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	ssize_t n = recv(conn->client.fd, worker->buffer, EW_BUFFER_SIZE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn->client.readable = errno == EINTR;
		return;
	}
	if (n <= 0) {
		on_hello_end(conn, n);
		return;
	}
	uint32_t len = (uint32_t)n;
	/* what is read next is the end */
	conn->client.readable |= ew_side_on_read(&conn->client, EW_BUFFER_SIZE, len);
	keep(conn, worker->buffer, len, (len / EW_HELLO_CHUNK + 1) * EW_HELLO_CHUNK);
	on_hello_bytes(conn);
}

static void read_more(struct ew_conn *conn)
{
	grow(conn);
	struct ew_dialing *dialing = conn->dialing;
	ssize_t n = recv(conn->client.fd, dialing->bytes + dialing->len,
	                 dialing->cap - dialing->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn->client.readable = errno == EINTR;
		return;
	}
	if (n <= 0) {
		on_hello_end(conn, n);
		return;
	}
	conn->client.readable |=
		ew_side_on_read(&conn->client, dialing->cap - dialing->len, (size_t)n);
	dialing->len += (uint32_t)n;
	on_hello_bytes(conn);
}

void ew_hello_io_read(struct ew_conn *conn)
{
	while (conn->state == EW_CONN_HELLO && conn->client.readable) {
		if (conn->dialing == NULL)
			read_first(conn);
		else
			read_more(conn);
	}
}
