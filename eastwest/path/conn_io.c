/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each socket is registered once, for both directions, edge-triggered; what its events say is kept
 * in struct ew_side, and a system call is made only when that says it can succeed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/net.h"
#include "path/path_io.h"

/* --- end -------------------------------------------------------------------------------------- */

static struct ew_stats *stats_of(const struct ew_conn *conn)
{
	return conn->door->worker->setup->stats;
}

void ew_side_on_event(struct ew_side *side, uint32_t events)
{
	const uint32_t bad = EPOLLERR | EPOLLHUP;
	side->readable |= (events & (EPOLLIN | bad)) != 0;
	side->writable |= (events & (EPOLLOUT | bad)) != 0;
	side->closing |= (events & EPOLLRDHUP) != 0;
	side->failed |= (events & EPOLLERR) != 0;
	side->urgent |= (events & EPOLLPRI) != 0;
}

void ew_side_close(struct ew_side *side)
{
	if (side->fd < 0)
		return;
	close(side->fd);
	*side = (struct ew_side){.fd = -1};
}

static void set_reset(const struct ew_side *side)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	if (side->fd >= 0)
		setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void ew_conn_drop_dialing(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	if (dialing == NULL)
		return;
	ew_hello_io_give_memory(conn);
	ew_dial_drop_hedge(conn);
	ew_table_unref(dialing->table);
	free(dialing);
	conn->dialing = NULL;
}

void ew_conn_close(struct ew_conn *conn, enum ew_close_reason reason)
{
	struct ew_worker *worker = conn->door->worker;
	enum ew_door door = conn->door->config->door;
	if (conn->state == EW_CONN_CLOSED)
		return;
	ew_access_end(conn, reason);
	/* a refused one was counted when it was refused */
	if (conn->state != EW_CONN_CLOSING)
		metrics_add(stats_of(conn)->ends[door][reason], 1);
	/* one that never had an answer is counted here for the first time */
	if (conn->series != NULL && conn->state == EW_CONN_ANSWER) {
		metrics_add(conn->series->opened, 1);
		metrics_add(conn->series->received, conn->dialing->len - conn->dialing->skip);
		ew_route_on_opened(conn->dialing->route);
	}
	if (conn->series != NULL)
		metrics_add(conn->series->closed, 1);
	ew_conn_move(&conn->state, EW_CONN_CLOSED);
	ew_side_close(&conn->client);
	ew_side_close(&conn->upstream);
	ew_flow_fini(&conn->up, &worker->pipes);
	ew_flow_fini(&conn->down, &worker->pipes);
	ew_conn_drop_dialing(conn);
	ew_seat_release(&conn->seat);
	ew_wheel_remove(&worker->wheel, &conn->timer);
	list_remove(&conn->again_link);
	metrics_add(stats_of(conn)->active[door], -1);
	ew_limiter_leave(worker->setup->limiter);
	ew_worker_bury(worker, conn);
}

void ew_conn_reset(struct ew_conn *conn, enum ew_close_reason reason)
{
	set_reset(&conn->client);
	set_reset(&conn->upstream);
	ew_conn_close(conn, reason);
}

void ew_conn_on_failure(struct ew_conn *conn, bool is_client, int errnum)
{
	ew_conn_reset(conn, ew_conn_failure(is_client, errnum));
}

void ew_conn_on_failed_side(struct ew_conn *conn, const struct ew_side *side)
{
	int error = 0;
	socklen_t len = sizeof(error);
	IGNORE(getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0);
	ew_conn_on_failure(conn, side == &conn->client, error);
}

void ew_conn_free(struct ew_conn *conn)
{
	ew_door_forget_conn(conn->door);
	free(conn);
}

/* --- deadlines -------------------------------------------------------------------------------- */

void ew_conn_set_deadline(struct ew_conn *conn, uint32_t in_ms)
{
	struct ew_worker *worker = conn->door->worker;
	uint32_t ms = in_ms > 0 ? in_ms : ew_conn_state_deadline_ms(conn->state);
	ew_worker_watch(worker, &conn->timer, worker->now_ms + ms);
}

/* A host that is gone sends nothing, so the kernel has to ask. */
static void guard(struct ew_conn *conn)
{
	const int fds[] = {conn->client.fd, conn->upstream.fd};
	for (size_t i = 0; i < N_ELEMS(fds); i++)
		net_set_keepalive(fds[i], EW_KEEPALIVE_IDLE_S, EW_KEEPALIVE_INTERVAL_S,
		                  EW_DEAD_PEER_MS);
	conn->guarded = true;
}

static void on_idle_deadline(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	/* the wheel is not touched by every byte: what it says is the earliest that can be */
	int64_t idle_until = conn->active_ms + conn->idle_ms;
	/* not at once: most connections are over before, and each call costs */
	if (!conn->guarded)
		guard(conn);
	if (worker->now_ms < idle_until)
		ew_worker_watch(worker, &conn->timer, idle_until);
	else
		ew_conn_close(conn, EW_CLOSE_IDLE);
}

void ew_conn_on_deadline(struct ew_conn *conn)
{
	switch (conn->state) {
	case EW_CONN_HELLO:
		ew_conn_refuse(conn, EW_CLOSE_HELLO_TIMEOUT, 0, NULL);
		return;
	case EW_CONN_DIAL:
		ew_dial_on_timeout(conn);
		return;
	case EW_CONN_ANSWER:
		if (!ew_answer_on_deadline(conn))
			on_idle_deadline(conn);
		return;
	case EW_CONN_RELAY:
		on_idle_deadline(conn);
		return;
	case EW_CONN_CLOSING:
		ew_conn_close(conn, EW_CLOSE_DONE);
		return;
	case EW_CONN_CLOSED:
		return;
	}
}

/* --- refusal ---------------------------------------------------------------------------------- */

static struct str sni_of(const struct ew_conn *conn)
{
	if (conn->dialing == NULL || conn->dialing->route == NULL)
		return STR_NULL;
	return str_make(conn->dialing->route->sni, conn->dialing->route->sni_len);
}

/* Throws away what the client still sends, so that the alert reaches it and not a reset. */
static void read_closing(struct ew_conn *conn)
{
	uint8_t *buffer = conn->door->worker->buffer;
	for (;;) {
		ssize_t n = recv(conn->client.fd, buffer, EW_BUFFER_SIZE, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			conn->discarded += (uint32_t)n;
		if (n <= 0 || conn->discarded > EW_CLOSING_READ_MAX) {
			ew_conn_close(conn, EW_CLOSE_DONE);
			return;
		}
	}
}

static void say_alert(struct ew_conn *conn, uint8_t alert)
{
	uint8_t bytes[EW_ALERT_LEN];
	ew_conn_alert(alert, bytes);
	/* it fits: nothing else was ever sent on this socket */
	IGNORE(send(conn->client.fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0);
	shutdown(conn->client.fd, SHUT_WR);
	ew_conn_move(&conn->state, EW_CONN_CLOSING);
	ew_conn_set_deadline(conn, 0);
	read_closing(conn);
}

static void refuse(struct ew_conn *conn, struct str sni, enum ew_close_reason reason, uint8_t alert,
                   const char *detail)
{
	struct ew_worker *worker = conn->door->worker;
	const struct ew_event event = {
		.kind = EW_EVENT_REFUSED,
		.sni = sni,
		.reason = reason,
		.alert = alert,
		.detail = detail,
	};
	ew_access_on_refused(conn, &event);
	ew_side_close(&conn->upstream);
	if (alert == 0) {
		ew_conn_close(conn, reason);
		return;
	}
	metrics_add(stats_of(conn)->ends[conn->door->config->door][reason], 1);
	ew_conn_drop_dialing(conn);
	ew_flow_fini(&conn->up, &worker->pipes);
	ew_flow_fini(&conn->down, &worker->pipes);
	say_alert(conn, alert);
}

void ew_conn_refuse(struct ew_conn *conn, enum ew_close_reason reason, uint8_t alert,
                    const char *detail)
{
	refuse(conn, sni_of(conn), reason, alert, detail);
}

void ew_conn_refuse_name(struct ew_conn *conn, struct str sni, enum ew_close_reason reason)
{
	refuse(conn, sni, reason, ew_close_alert(reason), NULL);
}

/* --- relay ------------------------------------------------------------------------------------ */

/* What a pump came to, and whether it moved anything. */
struct pumped {
	enum ew_pump result;
	bool moved;
};

/* False: the connection was reset. */
static bool pump(struct ew_conn *conn, bool is_up, struct pumped *ret_pumped)
{
	struct ew_worker *worker = conn->door->worker;
	struct ew_side *from = is_up ? &conn->client : &conn->upstream;
	struct ew_side *to = is_up ? &conn->upstream : &conn->client;
	uint64_t bytes = 0;
	struct ew_flow *flow = is_up ? &conn->up : &conn->down;
	enum ew_pump result = ew_flow_pump(flow, from, to, &worker->pipes, worker->buffer, &bytes);
	if (bytes > 0) {
		conn->active_ms = worker->now_ms;
		metrics_add(is_up ? conn->series->received : conn->series->sent, (int64_t)bytes);
		ew_access_on_bytes(conn, is_up, bytes);
	}
	*ret_pumped = (struct pumped){result, bytes > 0};
	if (result != EW_PUMP_FROM_RESET && result != EW_PUMP_TO_RESET)
		return true;
	bool by_client = is_up == (result == EW_PUMP_FROM_RESET);
	ew_conn_on_failure(conn, by_client, flow->error);
	return false;
}

static void relay(struct ew_conn *conn)
{
	struct pumped up;
	struct pumped down;
	conn->up.is_last = conn->down.done;
	if (!pump(conn, true, &up))
		return;
	conn->down.is_last = conn->up.done;
	if (!pump(conn, false, &down))
		return;
	if (up.result == EW_PUMP_DONE && down.result == EW_PUMP_DONE)
		ew_conn_close(conn, EW_CLOSE_DONE);
	else if (up.result == EW_PUMP_AGAIN || down.result == EW_PUMP_AGAIN)
		ew_worker_again(conn->door->worker, conn);
}

/* What the client sends while its upstream has not answered. */
static void relay_early(struct ew_conn *conn)
{
	struct pumped up;
	if (!pump(conn, true, &up))
		return;
	if (up.moved || conn->up.ended || ew_flow_holds(&conn->up))
		conn->dialing->said_more = true;
	if (up.result == EW_PUMP_AGAIN)
		ew_worker_again(conn->door->worker, conn);
}

/* --- events ----------------------------------------------------------------------------------- */

void ew_conn_step(struct ew_conn *conn)
{
	switch (conn->state) {
	case EW_CONN_HELLO:
		ew_hello_io_read(conn);
		return;
	case EW_CONN_DIAL:
		return;
	case EW_CONN_ANSWER:
		relay_early(conn);
		return;
	case EW_CONN_RELAY:
		relay(conn);
		return;
	case EW_CONN_CLOSING:
		if (conn->client.readable)
			read_closing(conn);
		return;
	case EW_CONN_CLOSED:
		return;
	}
}

static void on_client(struct ew_watch *watch, uint32_t events)
{
	struct ew_conn *conn = CONTAINER_OF(watch, struct ew_conn, client_watch);
	/* by what came before in this turn */
	if (conn->state == EW_CONN_CLOSED)
		return;
	ew_side_on_event(&conn->client, events);
	ew_conn_step(conn);
	/* who reads it sees that it has failed, but it may be that nobody does */
	bool relaying = conn->state == EW_CONN_RELAY || conn->state == EW_CONN_ANSWER;
	if (relaying && conn->client.failed)
		ew_conn_on_failed_side(conn, &conn->client);
}

bool ew_conn_admit(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	const struct ip *ip = &conn->peer.ip;
	conn->admitted = true;
	if (!ew_conn_is_allowed(conn->door->config, ew_table_sources(worker->table), ip)) {
		ew_conn_refuse(conn, EW_CLOSE_NOT_ALLOWED, 0, NULL);
		return false;
	}
	if (!ew_limiter_take_source(worker->setup->limiter, ip, worker->now_ms)) {
		ew_conn_refuse(conn, EW_CLOSE_SOURCE_RATE, 0, NULL);
		return false;
	}
	return true;
}

/* What is asked before the first byte. False: refused and closed. */
static bool enter(struct ew_conn *conn)
{
	if (!ew_limiter_enter(conn->door->worker->setup->limiter)) {
		ew_conn_refuse(conn, EW_CLOSE_TOO_MANY, 0, NULL);
		return false;
	}
	return ew_ranges_have(&conn->door->config->trusted, &conn->peer.ip) || ew_conn_admit(conn);
}

void ew_conn_open(struct ew_door_io *door, int fd, const struct addr *peer)
{
	struct ew_worker *worker = door->worker;
	struct ew_stats *stats = worker->setup->stats;
	struct ew_conn *conn = xcalloc(1, sizeof(*conn));
	list_init(&conn->link);
	list_init(&conn->again_link);
	ew_wheel_entry_init(&conn->timer);
	conn->door = door;
	door->n_conns++;
	conn->peer = *peer;
	conn->client = (struct ew_side){.fd = fd, .readable = true, .writable = true};
	conn->upstream.fd = -1;
	conn->state = EW_CONN_HELLO;
	list_append(&worker->conns, &conn->link);
	worker->n_conns++;
	metrics_add(stats->accepted[door->config->door], 1);
	metrics_add(stats->active[door->config->door], 1);
	conn->client_watch.fn = on_client;
	ew_access_begin(conn);
	if (!enter(conn))
		return;
	if (!ew_worker_register(worker, fd, &conn->client_watch, EW_SIDE_EVENTS)) {
		ew_conn_refuse(conn, EW_CLOSE_NO_DESCRIPTOR, 0, NULL);
		return;
	}
	ew_conn_set_deadline(conn, 0);
	ew_conn_step(conn);
}
