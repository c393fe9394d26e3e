/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_priv.h"

#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "base/wire.h"

struct server {
	struct loop *loop;
	struct loop_io listener;
	struct workload_tls tls;
	const char *version;
	struct list guests;
};

struct guest {
	struct list link;
	struct server *server;
	struct wire *wire;
	struct buf in;
};

static void guest_close(struct guest *guest)
{
	wire_close(guest->wire);
	list_remove(&guest->link);
	buf_fini(&guest->in);
	free(guest);
}

/* the guest speaks first */
static void on_guest_open(struct wire *wire, void *arg)
{
	(void)wire;
	(void)arg;
}

static void on_guest_data(struct wire *wire, struct str data, void *arg)
{
	struct guest *guest = arg;
	struct str line;
	size_t used;
	if (!buf_add_str(&guest->in, data)) {
		guest_close(guest);
		return;
	}
	while (workload_next_line(&guest->in, &line, &used)) {
		char answer[WORKLOAD_LINE_MAX];
		int n = snprintf(answer, sizeof(answer), "%s\n", guest->server->version);
		wire_write(wire, str_make(answer, (size_t)n));
		buf_consume(&guest->in, used);
	}
}

static void on_guest_close(struct wire *wire, const struct err *why, void *arg)
{
	(void)wire;
	log_debug("workload", "guest left: %s", why->msg);
	guest_close(arg);
}

static const struct wire_events guest_events = {
	.on_open = on_guest_open,
	.on_data = on_guest_data,
	.on_close = on_guest_close,
};

static void on_listener(unsigned ready, void *arg)
{
	struct server *server = arg;
	(void)ready;
	for (;;) {
		int fd = net_accept(server->listener.fd, NULL);
		if (fd < 0)
			return;
		struct guest *guest = xcalloc(1, sizeof(*guest));
		guest->server = server;
		list_init(&guest->link);
		buf_init(&guest->in, WORKLOAD_LINE_MAX);
		list_append(&server->guests, &guest->link);
		guest->wire = wire_accept(server->loop, fd, tls_server_open(server->tls.ctx),
		                          &guest_events, guest);
	}
}

static void on_stop(void *arg)
{
	loop_stop(arg);
}

static void serve_until_stopped(struct server *server, int fd)
{
	struct loop_signal *term = loop_signal_create(server->loop, SIGTERM, on_stop, server->loop);
	struct loop_signal *intr = loop_signal_create(server->loop, SIGINT, on_stop, server->loop);
	loop_io_init(&server->listener, server->loop, fd, on_listener, server);
	loop_io_set(&server->listener, LOOP_READ);
	loop_run(server->loop);
	list_for_each_safe (it, &server->guests)
		guest_close(LIST_ENTRY(it, struct guest, link));
	loop_io_fini(&server->listener);
	loop_signal_destroy(term);
	loop_signal_destroy(intr);
}

bool workload_serve(const struct workload_server *config, struct err *err)
{
	struct server server = {.version = config->version};
	struct addr addr;
	char text[ADDR_TEXT_MAX];
	list_init(&server.guests);
	if (!workload_tls_init(&server.tls, &config->identity, true, err)) {
		workload_tls_fini(&server.tls);
		return false;
	}
	int fd = net_listen_text(config->listen, &addr, err);
	if (fd >= 0) {
		server.loop = loop_create();
		log_info("workload", "listening  address=%s version=%s", addr_format(&addr, text),
		         config->version);
		serve_until_stopped(&server, fd);
		loop_destroy(server.loop);
		close(fd);
	}
	workload_tls_fini(&server.tls);
	return fd >= 0;
}
