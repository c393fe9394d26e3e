/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstreams: choose and connect, until an endpoint is connected or none is left.
 *
 * A connect without result for EW_HEDGE_AFTER_MS gets a second one beside it, to the endpoint that
 * would have been next; whoever connects first is taken, and the other one is closed. The worker's
 * budget (table/hedge.h) bounds how many.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "path/path_io.h"

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

static void on_event(struct ew_conn *conn, uint32_t events)
{
	ew_side_on_event(&conn->upstream, events);
	if (conn->state == EW_CONN_DIAL || conn->state == EW_CONN_ANSWER)
		ew_answer_on_upstream(conn);
	else
		ew_conn_step(conn);
	/* who reads it sees that it has failed, but it may be that nobody does */
	if (conn->state == EW_CONN_RELAY && conn->upstream.failed)
		ew_conn_on_failed_side(conn, &conn->upstream);
}

static void on_upstream(struct ew_watch *watch, uint32_t events)
{
	struct ew_conn *conn = CONTAINER_OF(watch, struct ew_conn, upstream_watch);
	/* closed, or given up, by what came before in this turn */
	if (conn->upstream.fd >= 0 && !conn->on_hedge)
		on_event(conn, events);
}

enum dialed {
	DIALED,
	DIAL_REFUSED, /* errno says why */
	DIAL_NO_DESCRIPTOR
};

static enum dialed dial(struct ew_conn *conn, const struct addr *addr, struct ew_watch *watch,
                        struct ew_side *ret_side)
{
	static const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return DIAL_NO_DESCRIPTOR;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		errno = error;
		return DIAL_REFUSED;
	}
	if (!ew_worker_register(conn->door->worker, fd, watch, EW_SIDE_EVENTS)) {
		close(fd);
		return DIAL_NO_DESCRIPTOR;
	}
	*ret_side = (struct ew_side){.fd = fd};
	return DIALED;
}

size_t ew_dial_mark(const struct ew_dialing *dialing, uint8_t mark[EW_MARK_MAX])
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
	dialing->mark_len = (uint8_t)ew_dial_mark(dialing, mark);
}

const char *ew_dial_why_failed(int errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
		return "the connect was refused";
	case ETIMEDOUT:
		return "the connect was not answered in time";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "there is no route to its address";
	default:
		return "the connect failed";
	}
}

static void note_failure(struct ew_conn *conn, const struct ew_choice *choice, const char *why)
{
	const struct ew_worker *worker = conn->door->worker;
	ew_access_on_failed(conn, choice, why);
	if (ew_route_on_failed(conn->dialing->route, choice, worker->now_ms))
		metrics_add(worker->setup->stats->ejections, 1);
}

static uint32_t connect_ms(const struct ew_dialing *dialing)
{
	return dialing->route->connect_ms > 0 ? dialing->route->connect_ms
	                                      : ew_conn_state_deadline_ms(EW_CONN_DIAL);
}

static void on_dialed(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	uint32_t ms = connect_ms(conn->dialing);
	conn->dialing->begun_ms = worker->now_ms;
	ew_hedge_on_dial(&worker->hedge);
	ew_conn_move(&conn->state, EW_CONN_DIAL);
	ew_conn_set_deadline(conn, ms < EW_HEDGE_AFTER_MS ? ms : EW_HEDGE_AFTER_MS);
}

static void dial_next(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	struct ew_dialing *dialing = conn->dialing;
	struct ew_use *use = ew_worker_use(worker, dialing->route);
	struct ew_ask ask = ask_of(conn);
	ew_dial_drop_hedge(conn);
	ew_side_close(&conn->upstream);
	conn->series = NULL;
	conn->on_hedge = false;
	conn->upstream_watch.fn = on_upstream;
	while (ew_balance_choose(&use->balance, &ask, &dialing->tries, &dialing->choice)) {
		if (dialing->tries.n > 1)
			metrics_add(worker->setup->stats->retries, 1);
		begin_attempt(conn);
		switch (dial(conn, &dialing->choice.addr, &conn->upstream_watch, &conn->upstream)) {
		case DIALED:
			on_dialed(conn);
			return;
		case DIAL_NO_DESCRIPTOR:
			fail(conn, EW_CLOSE_NO_DESCRIPTOR);
			return;
		case DIAL_REFUSED:
			note_failure(conn, &dialing->choice, ew_dial_why_failed(errno));
			break;
		}
	}
	on_none_left(conn);
}

/* --- a second connect ------------------------------------------------------------------------- */

void ew_dial_drop_hedge(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	if (!dialing->hedging)
		return;
	dialing->hedging = false;
	ew_side_close(&dialing->hedge);
	ew_seat_release(&dialing->hedge_seat);
}

/* The second connect is the one that counts from here on. */
static void change_to_hedge(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	ew_side_close(&conn->upstream);
	conn->upstream = dialing->hedge;
	conn->on_hedge = true;
	dialing->hedging = false;
	dialing->choice = dialing->hedge_choice;
	dialing->begun_ms = dialing->hedge_begun_ms;
	ew_seat_move(&conn->seat, &dialing->hedge_seat);
	begin_attempt(conn);
}

static void on_hedge(struct ew_watch *watch, uint32_t events)
{
	struct ew_conn *conn = CONTAINER_OF(watch, struct ew_conn, hedge_watch);
	struct ew_dialing *dialing = conn->dialing;
	if (conn->on_hedge) {
		if (conn->upstream.fd >= 0)
			on_event(conn, events);
		return;
	}
	if (dialing == NULL || !dialing->hedging)
		return;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
		note_failure(conn, &dialing->hedge_choice, "the second connect failed");
		ew_dial_drop_hedge(conn);
	} else if (dialing->sent > 0) {
		/* the first one is connected, and takes a long hello in pieces */
		ew_dial_drop_hedge(conn);
	} else if ((events & EPOLLOUT) != 0) {
		change_to_hedge(conn);
		on_event(conn, events);
	}
}

static void begin_hedge(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	struct ew_dialing *dialing = conn->dialing;
	struct ew_use *use = ew_worker_use(worker, dialing->route);
	struct ew_ask ask = ask_of(conn);
	ask.seat = &dialing->hedge_seat;
	if (!ew_hedge_may(&worker->hedge) ||
	    !ew_balance_choose(&use->balance, &ask, &dialing->tries, &dialing->hedge_choice))
		return;
	ew_hedge_on_hedge(&worker->hedge);
	metrics_add(worker->setup->stats->hedges, 1);
	conn->hedge_watch.fn = on_hedge;
	dialing->hedge_begun_ms = worker->now_ms;
	switch (dial(conn, &dialing->hedge_choice.addr, &conn->hedge_watch, &dialing->hedge)) {
	case DIALED:
		dialing->hedging = true;
		return;
	case DIAL_REFUSED:
		note_failure(conn, &dialing->hedge_choice, ew_dial_why_failed(errno));
		break;
	case DIAL_NO_DESCRIPTOR:
		break;
	}
	ew_seat_release(&dialing->hedge_seat);
}

void ew_dial_elsewhere(struct ew_conn *conn, const char *why)
{
	struct ew_dialing *dialing = conn->dialing;
	int64_t now_ms = conn->door->worker->now_ms;
	note_failure(conn, &dialing->choice, why);
	if (!dialing->hedging) {
		dial_next(conn);
		return;
	}
	change_to_hedge(conn);
	int64_t left_ms = dialing->begun_ms + connect_ms(dialing) - now_ms;
	ew_conn_set_deadline(conn, left_ms > 1 ? (uint32_t)left_ms : 1);
}

bool ew_dial_has_other(struct ew_conn *conn)
{
	struct ew_use *use = ew_worker_use(conn->door->worker, conn->dialing->route);
	struct ew_tries tries = conn->dialing->tries;
	struct ew_ask ask = ask_of(conn);
	struct ew_seat seat = {NULL, NULL};
	struct ew_choice choice;
	ask.seat = &seat;
	bool has = ew_balance_choose(&use->balance, &ask, &tries, &choice);
	ew_seat_release(&seat);
	return has;
}

void ew_dial_on_timeout(struct ew_conn *conn)
{
	struct ew_dialing *dialing = conn->dialing;
	int64_t left_ms = dialing->begun_ms + connect_ms(dialing) - conn->door->worker->now_ms;
	if (left_ms <= 0) {
		ew_dial_elsewhere(conn, dialing->sent == 0 ? ew_dial_why_failed(ETIMEDOUT)
		                                           : "the hello could not be sent in time");
		return;
	}
	/* connected, but the hello does not go out: nothing that somebody else would do better */
	if (dialing->sent == 0 && !dialing->hedging && !conn->on_hedge)
		begin_hedge(conn);
	ew_conn_set_deadline(conn, (uint32_t)left_ms);
}

void ew_dial_start(struct ew_conn *conn, const struct ew_hello *hello)
{
	struct ew_worker *worker = conn->door->worker;
	enum ew_close_reason reason;
	ew_access_on_hello(conn, hello);
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
