/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/server_io.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/net.h"
#include "base/tls.h"
#include "base/wire.h"
#include "certs/identity.h"

enum {
	ACCEPTS_PER_TURN = 64
};

struct probe_server {
	struct loop *loop;
	int fd;
	struct addr addr;
	struct loop_io io;
	struct tls_ctx *tls; /* NULL: no certificate yet */
	struct cert_verifier verifier;
	struct list conns; /* struct conn, oldest first */
	size_t n_conns;
	size_t accepted;
	struct log_limit limit;
};

struct conn {
	struct list link;
	struct probe_server *server;
	struct wire *wire;
	struct loop_timer life;
	size_t bytes;
};

static void free_conn(void *arg)
{
	free(arg);
}

static void drop(struct conn *conn)
{
	struct probe_server *server = conn->server;
	wire_close(conn->wire);
	conn->wire = NULL;
	loop_timer_fini(&conn->life);
	list_remove(&conn->link);
	server->n_conns--;
	loop_bury(server->loop, free_conn, conn);
}

static void on_open(struct wire *wire, void *arg)
{
	(void)wire;
	struct conn *conn = arg;
	conn->server->accepted++;
}

static void on_data(struct wire *wire, struct str data, void *arg)
{
	struct conn *conn = arg;
	conn->bytes += data.len;
	if (conn->bytes > PROBE_SERVER_BYTES_MAX || !wire_write(wire, data))
		drop(conn);
}

static void on_close(struct wire *wire, const struct err *why, void *arg)
{
	(void)wire;
	struct conn *conn = arg;
	struct probe_server *server = conn->server;
	bool refused = why->code == ERR_FORBIDDEN || why->code == ERR_UNAUTHORIZED;
	if (refused && log_limit_pass(&server->limit, loop_now_ms(server->loop), 5))
		log_warn("probe", "check refused: %s", why->msg);
	conn->wire = NULL;
	drop(conn);
}

static void on_life(void *arg)
{
	drop(arg);
}

static const struct wire_events events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_close = on_close,
};

static void add_conn(struct probe_server *server, int fd)
{
	if (server->tls == NULL) {
		close(fd);
		return;
	}
	if (server->n_conns == PROBE_SERVER_CONNS_MAX)
		drop(LIST_ENTRY(list_first(&server->conns), struct conn, link));
	struct conn *conn = xcalloc(1, sizeof(*conn));
	conn->server = server;
	list_init(&conn->link);
	list_append(&server->conns, &conn->link);
	server->n_conns++;
	loop_timer_init(&conn->life, server->loop, on_life, conn);
	loop_timer_set(&conn->life, PROBE_SERVER_LIFE_MS);
	conn->wire = wire_accept(server->loop, fd, tls_server_open(server->tls), &events, conn);
}

static void on_accept(unsigned ready, void *arg)
{
	(void)ready;
	struct probe_server *server = arg;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = net_accept(server->fd, NULL);
		if (fd < 0)
			return;
		add_conn(server, fd);
	}
}

struct probe_server *probe_server_create(struct loop *loop, const struct addr *addr,
                                         struct err *err)
{
	struct addr real;
	int fd = net_listen(addr, false, &real, err);
	if (fd < 0)
		return NULL;
	struct probe_server *server = xcalloc(1, sizeof(*server));
	server->loop = loop;
	server->fd = fd;
	server->addr = real;
	server->verifier.kinds = 1u << CERT_PROBE;
	list_init(&server->conns);
	loop_io_init(&server->io, loop, fd, on_accept, server);
	loop_io_set(&server->io, LOOP_READ);
	return server;
}

void probe_server_destroy(struct probe_server *server)
{
	if (server == NULL)
		return;
	list_for_each_safe (it, &server->conns)
		drop(LIST_ENTRY(it, struct conn, link));
	loop_io_fini(&server->io);
	close(server->fd);
	tls_ctx_unref(server->tls);
	free(server);
}

struct addr probe_server_addr(const struct probe_server *server)
{
	return server->addr;
}

bool probe_server_set_certificate(struct probe_server *server, struct str chain_pem,
                                  struct str key_pem, struct str roots_pem, struct err *err)
{
	const struct tls_config config = {
		.cert_pem = chain_pem,
		.key_pem = key_pem,
		.roots_pem = roots_pem,
		.alpn = "istio,istio-peer-exchange,istio-http/1.1,istio-http/1.0,istio-h2",
		.accept_expired = true,
		.verify = cert_verifier_check,
		.verify_arg = &server->verifier,
	};
	struct tls_ctx *tls = tls_server_create(&config, err);
	if (tls == NULL)
		return false;
	tls_ctx_unref(server->tls);
	server->tls = tls;
	return true;
}

size_t probe_server_accepted(const struct probe_server *server)
{
	return server->accepted;
}
