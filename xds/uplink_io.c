/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/uplink_io.h"

#include "backoff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dns.h"
#include "base/log.h"

/*
 *   PARKED ──set_tls──▶ WAIT ──timer──▶ LOOKUP ──▶ CONNECT ──▶ UP
 *                        ▲                 │          │         │
 *                        └─────────────────┴──────────┴─────────┘
 */
enum state {
	PARKED,  /* nothing to connect with yet */
	WAIT,    /* deadline: the timer */
	LOOKUP,  /* deadline: the resolver's own */
	CONNECT, /* deadline: grpc_conn_config.open_ms */
	UP,
};

static const struct {
	const char *name;
	unsigned next; /* 1u << allowed state */
} states[] = {
	[PARKED] = {"parked", 1u << WAIT},
	[WAIT] = {"wait", 1u << LOOKUP | 1u << WAIT},
	[LOOKUP] = {"lookup", 1u << CONNECT | 1u << WAIT},
	[CONNECT] = {"connect", 1u << UP | 1u << WAIT},
	[UP] = {"up", 1u << WAIT},
};

struct xds_uplink {
	struct xds_uplink_config config;
	enum state state;
	char *address;
	char *host;
	uint16_t port;
	struct tls_ctx *tls; /* shared */
	struct list users;
	struct loop_timer timer;
	struct dns_question *lookup;
	struct grpc_conn *conn;
	struct backoff backoff;
	unsigned attempt; /* chooses among the addresses */
};

static void move(struct xds_uplink *uplink, enum state to)
{
	assert((states[uplink->state].next & (1u << to)) != 0);
	log_debug("xds", "uplink to %s: %s to %s", uplink->address, states[uplink->state].name,
	          states[to].name);
	uplink->state = to;
}

static void wait_after_failure(struct xds_uplink *uplink)
{
	move(uplink, WAIT);
	loop_timer_set(&uplink->timer, backoff_next_ms(&uplink->backoff));
}

static void wait_after_loss(struct xds_uplink *uplink)
{
	backoff_reset(&uplink->backoff);
	move(uplink, WAIT);
	loop_timer_set(&uplink->timer, random_below(uplink->config.stagger_ms));
}

static void tell_down(const struct xds_uplink *uplink, const struct err *why)
{
	if (uplink->config.on_down != NULL)
		uplink->config.on_down(why, uplink->config.arg);
}

static void on_open(struct grpc_conn *conn, void *arg)
{
	struct xds_uplink *uplink = arg;
	move(uplink, UP);
	list_for_each_safe (it, &uplink->users) {
		struct xds_uplink_user *user = LIST_ENTRY(it, struct xds_uplink_user, link);
		user->on_up(conn, user->arg);
		if (uplink->conn != conn)
			break; /* a user asked for another one */
	}
}

static void on_close(struct grpc_conn *conn, const struct err *why, void *arg)
{
	struct xds_uplink *uplink = arg;
	(void)conn;
	bool was_up = uplink->state == UP;
	uplink->conn = NULL;
	if (was_up)
		wait_after_loss(uplink);
	else
		wait_after_failure(uplink);
	tell_down(uplink, why);
}

static void connect_to(struct xds_uplink *uplink, const struct addr *addr)
{
	struct err err;
	struct grpc_conn_config config = {
		.loop = uplink->config.loop,
		.addr = *addr,
		.tls = uplink->tls,
		.server_name = uplink->host,
		.check_name = uplink->config.check_name,
		.message_max = uplink->config.message_max,
		.on_open = on_open,
		.on_close = on_close,
		.arg = uplink,
	};
	move(uplink, CONNECT);
	uplink->conn = grpc_conn_open(&config, &err);
	if (uplink->conn != NULL)
		return;
	wait_after_failure(uplink);
	tell_down(uplink, &err);
}

static void on_found(const struct dns_answer *answer, const struct err *err, void *arg)
{
	struct xds_uplink *uplink = arg;
	uplink->lookup = NULL;
	if (answer != NULL) {
		struct addr addr = {answer->ips[uplink->attempt++ % answer->n], uplink->port};
		connect_to(uplink, &addr);
		return;
	}
	wait_after_failure(uplink);
	tell_down(uplink, err);
}

static void on_timer(void *arg)
{
	struct xds_uplink *uplink = arg;
	move(uplink, LOOKUP);
	uplink->lookup = dns_ask(uplink->config.loop, uplink->host, NULL, on_found, uplink);
}

static bool split_address(struct xds_uplink *uplink, const char *address, struct err *err)
{
	const char *colon = strrchr(address, ':');
	uint64_t port = 0;
	if (colon == NULL || colon == address || strlen(address) > 300 ||
	    !str_to_u64(str_from(colon + 1), UINT16_MAX, &port) || port == 0)
		return err_set(err, ERR_INVALID, "'%.100s' is not of the form HOST:PORT", address);
	struct str host = str_make(address, (size_t)(colon - address));
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_make(host.ptr + 1, host.len - 2);
	uplink->address = xstrdup(address);
	uplink->host = str_dup(host);
	uplink->port = (uint16_t)port;
	return true;
}

static int64_t or_default(int64_t value, int64_t dflt)
{
	return value != 0 ? value : dflt;
}

struct xds_uplink *xds_uplink_create(const struct xds_uplink_config *config, struct err *err)
{
	struct xds_uplink *uplink = xcalloc(1, sizeof(*uplink));
	uplink->config = *config;
	if (!split_address(uplink, config->address, err)) {
		free(uplink);
		return NULL;
	}
	struct xds_uplink_config *own = &uplink->config;
	own->address = uplink->address;
	own->backoff_min_ms = or_default(config->backoff_min_ms, XDS_UPLINK_BACKOFF_MIN_MS);
	own->backoff_max_ms = or_default(config->backoff_max_ms, XDS_UPLINK_BACKOFF_MAX_MS);
	own->stagger_ms = or_default(config->stagger_ms, XDS_UPLINK_STAGGER_MS);
	backoff_init(&uplink->backoff, own->backoff_min_ms, own->backoff_max_ms);
	uplink->tls = config->tls != NULL ? tls_ctx_ref(config->tls) : NULL;
	list_init(&uplink->users);
	loop_timer_init(&uplink->timer, config->loop, on_timer, uplink);
	if (uplink->tls != NULL || config->plain) {
		move(uplink, WAIT);
		loop_timer_set(&uplink->timer, 0);
	}
	return uplink;
}

void xds_uplink_destroy(struct xds_uplink *uplink)
{
	if (uplink == NULL)
		return;
	loop_timer_fini(&uplink->timer);
	dns_cancel(uplink->lookup);
	grpc_conn_close(uplink->conn);
	list_for_each_safe (it, &uplink->users)
		list_remove(it);
	tls_ctx_unref(uplink->tls);
	free(uplink->address);
	free(uplink->host);
	free(uplink);
}

void xds_uplink_add(struct xds_uplink *uplink, struct xds_uplink_user *user)
{
	list_init(&user->link);
	list_append(&uplink->users, &user->link);
	if (uplink->state == UP)
		user->on_up(uplink->conn, user->arg);
}

void xds_uplink_remove(struct xds_uplink_user *user)
{
	list_remove(&user->link);
}

void xds_uplink_set_tls(struct xds_uplink *uplink, struct tls_ctx *tls)
{
	tls_ctx_ref(tls);
	tls_ctx_unref(uplink->tls);
	uplink->tls = tls;
	if (uplink->state != PARKED && uplink->state != WAIT)
		return;
	move(uplink, WAIT);
	backoff_reset(&uplink->backoff);
	loop_timer_set(&uplink->timer, 0);
}

void xds_uplink_reconnect(struct xds_uplink *uplink)
{
	if (uplink->conn == NULL)
		return;
	struct grpc_conn *conn = uplink->conn;
	uplink->conn = NULL;
	wait_after_failure(uplink);
	grpc_conn_close(conn);
}

struct grpc_conn *xds_uplink_conn(const struct xds_uplink *uplink)
{
	return uplink->state == UP ? uplink->conn : NULL;
}
