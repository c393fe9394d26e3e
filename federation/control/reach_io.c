/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an adopted address answer TCP from here? Asked every few seconds for gateways without any
 * connected instance: the only sign of life that a stock gateway gives.
 */
#include "control_priv.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/net.h"

enum {
	TRY_MS = 2000,
	KEY_MAX = 300
};

struct attempt {
	struct list link;
	struct control *control;
	struct loop_io io;
	struct loop_timer deadline;
	int fd;
	char key[KEY_MAX]; /* "ADDRESS:PORT" */
	char gateway[64];
};

static void attempt_end(struct attempt *attempt, bool reached)
{
	struct control *control = attempt->control;
	bool before = map_find_text(&control->world.reached, attempt->key) != NULL;
	if (reached)
		map_add(&control->world.reached, str_from(attempt->key));
	else
		map_remove(&control->world.reached, str_from(attempt->key));
	if (before != reached)
		control_enqueue(control, KIND_GATEWAY, attempt->gateway, 0);
	loop_io_fini(&attempt->io);
	loop_timer_fini(&attempt->deadline);
	close(attempt->fd);
	list_remove(&attempt->link);
	free(attempt);
}

static void on_ready(unsigned ready, void *arg)
{
	struct attempt *attempt = arg;
	(void)ready;
	attempt_end(attempt, net_error(attempt->fd) == 0);
}

static void on_deadline(void *arg)
{
	attempt_end(arg, false);
}

static void start(struct control *control, const struct gateway_spec *gateway,
                  const struct host_port *at)
{
	struct err err;
	struct addr addr = {.port = at->port};
	/* names are the gateways' own matter: they resolve them where they stand */
	if (!ip_parse(str_from(at->host), &addr.ip))
		return;
	int fd = net_connect(&addr, &err);
	if (fd < 0)
		return;
	struct attempt *attempt = xcalloc(1, sizeof(*attempt));
	list_init(&attempt->link);
	list_append(&control->tries, &attempt->link);
	attempt->control = control;
	attempt->fd = fd;
	snprintf(attempt->key, sizeof(attempt->key), "%s:%u", at->host, at->port);
	snprintf(attempt->gateway, sizeof(attempt->gateway), "%s", gateway->name);
	loop_io_init(&attempt->io, control->loop, fd, on_ready, attempt);
	loop_io_set(&attempt->io, LOOP_WRITE);
	loop_timer_init(&attempt->deadline, control->loop, on_deadline, attempt);
	loop_timer_set(&attempt->deadline, TRY_MS);
}

static void on_reach(void *arg)
{
	struct control *control = arg;
	loop_timer_set(&control->reach, CONTROL_REACH_MS);
	map_for_each (it, &control->world.gateways) {
		const struct gateway_spec *gateway = map_value(it);
		if (inventory_connected(&control->world.inventory, gateway->name) > 0)
			continue;
		for (size_t i = 0; i < gateway->n_addresses; i++)
			start(control, gateway, &gateway->addresses[i]);
	}
}

void control_reach_init(struct control *control)
{
	list_init(&control->tries);
	loop_timer_init(&control->reach, control->loop, on_reach, control);
	loop_timer_set(&control->reach, 500);
}

void control_reach_fini(struct control *control)
{
	list_for_each_safe (it, &control->tries) {
		struct attempt *attempt = LIST_ENTRY(it, struct attempt, link);
		loop_io_fini(&attempt->io);
		loop_timer_fini(&attempt->deadline);
		close(attempt->fd);
		list_remove(&attempt->link);
		free(attempt);
	}
	loop_timer_fini(&control->reach);
}
