/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to an upstream that is connected, and what comes first: send the hello, wait for the
 * first bytes. As long as none of these has reached the client the connection may begin anew
 * elsewhere.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "path/path_io.h"

/* --- hello out -------------------------------------------------------------------------------- */

/* Sends what is left of mark and hello. False: failed, errno says why. */
static bool send_hello(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	uint32_t hello_len = dialing->len - dialing->skip;
	uint32_t total = dialing->mark_len + hello_len;
	uint8_t mark[EW_MARK_MAX];
	ew_dial_mark(dialing, mark);
	while (dialing->sent < total && conn->upstream.writable) {
		uint32_t at = dialing->sent;
		struct iovec parts[2];
		size_t n = 0;
		if (at < dialing->mark_len)
			parts[n++] = (struct iovec){mark + at, dialing->mark_len - at};
		uint32_t hello_at = at < dialing->mark_len ? 0 : at - dialing->mark_len;
		parts[n++] = (struct iovec){dialing->bytes + dialing->skip + hello_at,
		                            hello_len - hello_at};
		struct msghdr msg = {.msg_iov = parts, .msg_iovlen = n};
		ssize_t sent = sendmsg(conn->upstream.fd, &msg, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		conn->upstream.writable = sent >= 0 || errno == EINTR;
		dialing->sent += sent > 0 ? (uint32_t)sent : 0;
	}
	return true;
}

static bool is_hello_out(const struct ew_dialing *dialing)
{
	return dialing->sent == dialing->mark_len + (dialing->len - dialing->skip);
}

static void on_hello_out(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	struct ew_worker *worker = conn->door->worker;
	ew_dial_drop_hedge(conn);
	/* of a gateway only its answer says that the endpoint can be reached */
	if (dialing->choice.gateway == NULL)
		ew_route_on_connected(dialing->route, &dialing->choice, worker->now_ms);
	conn->series = ew_worker_series(worker, dialing);
	conn->active_ms = worker->now_ms;
	ew_access_on_connected(conn);
	ew_conn_move(&conn->state, EW_CONN_ANSWER);
	conn->idle_ms = dialing->route->idle_ms > 0 ? dialing->route->idle_ms
	                                            : ew_conn_state_deadline_ms(conn->state);
	ew_conn_set_deadline(conn, conn->idle_ms < EW_GUARD_MS ? conn->idle_ms : EW_GUARD_MS);
}

/* --- first answer ----------------------------------------------------------------------------- */

/* An end before the first byte: of a remote gateway it is a refusal, of a workload its own word. */
static bool may_try_again(const struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	return dialing->choice.gateway != NULL && !dialing->said_more &&
	       dialing->hello == dialing->len;
}

/* The connection has an answer: nothing is tried again from here on. */
static void begin_relay(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->choice.gateway != NULL)
		ew_route_on_connected(dialing->route, &dialing->choice, conn->door->worker->now_ms);
	ew_route_on_opened(dialing->route);
	metrics_add(conn->series->opened, 1);
	metrics_add(conn->series->received, dialing->len - dialing->skip);
	ew_access_on_answer(conn);
	ew_conn_move(&conn->state, EW_CONN_RELAY);
	ew_conn_drop_dialing(conn);
}

/* Passes the first bytes on. False: the client was reset. */
static bool pass_on(struct ew_conn *conn, const uint8_t *data, size_t len)
{
	uint64_t bytes = 0;
	if (len == 0)
		return true;
	if (!ew_flow_push(&conn->down, &conn->client, data, len, &bytes)) {
		ew_conn_on_failure(conn, true, conn->down.error);
		return false;
	}
	metrics_add(conn->series->sent, (int64_t)bytes);
	ew_access_on_bytes(conn, false, bytes);
	return true;
}

static void on_answer_end(struct ew_conn *conn, int errnum)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->n_first == 0 && may_try_again(conn)) {
		ew_dial_elsewhere(conn, "the gateway ended it before its first byte");
		return;
	}
	if (errnum != 0) {
		ew_conn_on_failure(conn, false, errnum);
		return;
	}
	uint8_t first[EW_ALERT_LEN];
	uint8_t n_first = dialing->n_first;
	memcpy(first, dialing->first, n_first);
	conn->down.ended = true;
	begin_relay(conn);
	if (pass_on(conn, first, n_first))
		ew_conn_step(conn);
}

static void on_answer_bytes(struct ew_conn *conn, uint8_t *data, size_t len)
{
	struct ew_dialing *dialing = conn->dialing;
	const struct ew_gateway *gateway = dialing->choice.gateway;
	if (gateway != NULL && gateway->mark && may_try_again(conn)) {
		switch (ew_conn_answer(data, len)) {
		case EW_ANSWER_REFUSED:
			ew_dial_elsewhere(conn, "the gateway refused it with an alert");
			return;
		case EW_ANSWER_MORE:
			memcpy(dialing->first, data, len);
			dialing->n_first = (uint8_t)len;
			return;
		case EW_ANSWER_PASS:
			break;
		}
	}
	conn->active_ms = conn->door->worker->now_ms;
	begin_relay(conn);
	if (pass_on(conn, data, len))
		ew_conn_step(conn);
}

static void read_answer(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	uint8_t *buffer = conn->door->worker->buffer;
	size_t kept = dialing->n_first;
	memcpy(buffer, dialing->first, kept);
	ssize_t n = recv(conn->upstream.fd, buffer + kept, EW_COPY_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn->upstream.readable = errno == EINTR;
		return;
	}
	if (n <= 0) {
		conn->upstream.readable = false;
		on_answer_end(conn, n < 0 ? errno : 0);
		return;
	}
	/* what is read next is the end */
	conn->upstream.readable |= ew_side_on_read(&conn->upstream, EW_COPY_MAX, (size_t)n);
	on_answer_bytes(conn, buffer, kept + (size_t)n);
}

void ew_answer_on_upstream(struct ew_conn *conn)
{
	if (conn->state == EW_CONN_DIAL && conn->upstream.writable) {
		if (!send_hello(conn)) {
			ew_dial_elsewhere(conn, conn->dialing->sent == 0
			                                ? ew_dial_why_failed(errno)
			                                : "it was reset under the hello");
			return;
		}
		if (!is_hello_out(conn->dialing))
			return;
		on_hello_out(conn);
	}
	while (conn->state == EW_CONN_ANSWER && conn->upstream.readable)
		read_answer(conn);
	if (conn->state == EW_CONN_ANSWER)
		ew_conn_step(conn);
}

/* --- silence ---------------------------------------------------------------------------------- */

/* Connected, and then the path swallows packets: an MTU hole, a host that has just died. */
static bool is_unheard(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_unacked > 0;
}

bool ew_answer_on_deadline(struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	if (conn->guarded || dialing->n_first > 0 || dialing->said_more ||
	    dialing->hello != dialing->len || !is_unheard(conn->upstream.fd) ||
	    !ew_dial_has_other(conn))
		return false;
	ew_dial_elsewhere(conn, "the hello was not acknowledged");
	return true;
}
