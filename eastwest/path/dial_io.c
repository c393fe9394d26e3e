/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstreams: choose, connect, send the hello, wait for the first bytes. As long as none of these
 * has reached the client the connection may begin anew elsewhere.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/macros.h"
#include "path/path_io.h"

static void dial_next(struct ew_conn *conn);

/* --- choice ----------------------------------------------------------------------------------- */

/* The number of a cluster that a mark names, if the route has endpoints of it. */
static uint16_t cluster_of(const struct ew_dialing *dialing)
{
	const struct ew_names *names = ew_table_names(dialing->table);
	uint16_t last = EW_NAME_NONE;
	if (dialing->cluster[0] == '\0')
		return EW_NAME_NONE;
	for (uint32_t i = 0; i < dialing->route->n_endpoints; i++) {
		uint16_t cluster = dialing->route->endpoints[i].cluster;
		if (cluster != last && strcmp(ew_names_text(names, cluster), dialing->cluster) == 0)
			return cluster;
		last = cluster;
	}
	return EW_NAME_NONE;
}

static struct ew_ask ask_of(struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	struct ew_ask ask = {
		.table = dialing->table,
		.route = dialing->route,
		.generation = ew_health_generation(conn->door->worker->setup->registry),
		.scope = EW_SCOPE_EGRESS,
		.source = &conn->peer.ip,
		.now_ms = conn->door->worker->now_ms,
		.seat = &conn->seat,
	};
	if (dialing->marked) {
		ask.scope = EW_SCOPE_MARKED;
		ask.cluster = cluster_of(dialing);
	} else if (conn->door->config->door == EW_DOOR_INGRESS) {
		ask.scope = EW_SCOPE_INGRESS;
	}
	return ask;
}

/* A connection that reached no endpoint is one of the destination's all the same. */
static void count_failure(const struct ew_conn *conn, enum ew_close_reason reason)
{
	struct ew_series series;
	const struct ew_route *route = conn->dialing->route;
	struct ew_destination to = {ew_table_own_cluster(conn->dialing->table), "",
	                            ew_close_flags(reason)};
	ew_stats_series(conn->door->worker->setup->stats, str_make(route->sni, route->sni_len), &to,
	                &series);
	metrics_add(series.opened, 1);
	metrics_add(series.closed, 1);
	ew_route_on_lost(route);
}

static void fail(struct ew_conn *conn, enum ew_close_reason reason)
{
	conn->series = NULL;
	count_failure(conn, reason);
	ew_seat_release(&conn->seat);
	ew_conn_refuse(conn, reason, ew_close_alert(reason), NULL);
}

static void on_none_left(struct ew_conn *conn)
{
	if (conn->dialing->tries.full)
		fail(conn, EW_CLOSE_ROUTE_FULL);
	else if (conn->dialing->tries.n > 0)
		fail(conn, EW_CLOSE_CONNECT_FAILED);
	else
		fail(conn, conn->dialing->marked ? EW_CLOSE_NO_OWN_ENDPOINT : EW_CLOSE_NO_ENDPOINT);
}

/* --- connect ---------------------------------------------------------------------------------- */

static void on_upstream(struct ew_watch *watch, uint32_t events)
{
	struct ew_conn *conn = CONTAINER_OF(watch, struct ew_conn, upstream_watch);
	/* closed, or given up, by what came before in this turn */
	if (conn->upstream.fd < 0)
		return;
	ew_side_on_event(&conn->upstream, events);
	if (conn->state == EW_CONN_DIAL || conn->state == EW_CONN_ANSWER)
		ew_dial_on_upstream(conn);
	else
		ew_conn_step(conn);
	/* who reads it sees that it has failed, but it may be that nobody does */
	if (conn->state == EW_CONN_RELAY && conn->upstream.failed)
		ew_conn_on_failed_side(conn, &conn->upstream);
}

enum dialed {
	DIALED,
	DIAL_REFUSED,
	DIAL_NO_DESCRIPTOR
};

static enum dialed dial(struct ew_conn *conn, const struct addr *addr)
{
	static const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return DIAL_NO_DESCRIPTOR;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) {
		close(fd);
		return DIAL_REFUSED;
	}
	conn->upstream_watch.fn = on_upstream;
	if (!ew_worker_register(conn->door->worker, fd, &conn->upstream_watch, EW_SIDE_EVENTS)) {
		close(fd);
		return DIAL_NO_DESCRIPTOR;
	}
	conn->upstream = (struct ew_side){.fd = fd};
	return DIALED;
}

/* The mark for the present choice; its length, 0 for who does not take one. */
static size_t make_mark(const struct ew_dialing *dialing, uint8_t mark[EW_MARK_MAX])
{
	const struct ew_gateway *gateway = dialing->choice.gateway;
	if (gateway == NULL || !gateway->mark)
		return 0;
	const struct ew_names *names = ew_table_names(dialing->table);
	return ew_mark_encode(str_from(ew_names_text(names, dialing->choice.cluster)), mark);
}

static void begin_attempt(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	uint8_t mark[EW_MARK_MAX];
	dialing->sent = 0;
	dialing->n_first = 0;
	dialing->mark_len = (uint8_t)make_mark(dialing, mark);
}

/* The present attempt came to nothing. */
static void note_failure(const struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	const struct ew_worker *worker = conn->door->worker;
	if (dialing->tries.n > 0 &&
	    ew_route_on_failed(dialing->route, &dialing->choice, worker->now_ms))
		metrics_add(worker->setup->stats->ejections, 1);
}

static void dial_next(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	struct ew_dialing *dialing = conn->dialing;
	struct ew_use *use = ew_worker_use(worker, dialing->route);
	struct ew_ask ask = ask_of(conn);
	note_failure(conn);
	ew_side_close(&conn->upstream);
	conn->series = NULL;
	while (ew_balance_choose(&use->balance, &ask, &dialing->tries, &dialing->choice)) {
		if (dialing->tries.n > 1)
			metrics_add(worker->setup->stats->retries, 1);
		begin_attempt(conn);
		switch (dial(conn, &dialing->choice.addr)) {
		case DIALED:
			ew_conn_move(&conn->state, EW_CONN_DIAL);
			ew_conn_set_deadline(conn, dialing->route->connect_ms);
			return;
		case DIAL_NO_DESCRIPTOR:
			fail(conn, EW_CLOSE_NO_DESCRIPTOR);
			return;
		case DIAL_REFUSED:
			note_failure(conn);
			break;
		}
	}
	on_none_left(conn);
}

void ew_dial_on_timeout(struct ew_conn *conn)
{
	dial_next(conn);
}

void ew_dial_start(struct ew_conn *conn, const struct ew_hello *hello)
{
	struct ew_worker *worker = conn->door->worker;
	enum ew_close_reason reason;
	const struct ew_route *route =
		ew_conn_route(worker->table, conn->door->config->door, hello, &reason);
	if (route == NULL) {
		ew_conn_refuse_name(conn, str_make(hello->sni, hello->sni_len), reason);
		return;
	}
	conn->dialing->table = ew_table_ref(worker->table);
	conn->dialing->route = route;
	dial_next(conn);
}

/* --- hello out -------------------------------------------------------------------------------- */

/* Sends what is left of mark and hello. False: failed. */
static bool send_hello(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	uint32_t hello_len = dialing->len - dialing->skip;
	uint32_t total = dialing->mark_len + hello_len;
	uint8_t mark[EW_MARK_MAX];
	make_mark(dialing, mark);
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
	/* of a gateway only its answer says that the endpoint can be reached */
	if (dialing->choice.gateway == NULL)
		ew_route_on_connected(dialing->route, &dialing->choice, worker->now_ms);
	conn->series = ew_worker_series(worker, dialing);
	conn->active_ms = worker->now_ms;
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
	return true;
}

static void on_answer_end(struct ew_conn *conn, int errnum)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing->n_first == 0 && may_try_again(conn)) {
		dial_next(conn);
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
			dial_next(conn);
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

void ew_dial_on_upstream(struct ew_conn *conn)
{
	if (conn->state == EW_CONN_DIAL && conn->upstream.writable) {
		if (!send_hello(conn)) {
			dial_next(conn);
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
