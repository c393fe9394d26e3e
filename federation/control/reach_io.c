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

struct
try {
	struct list link;
	struct control *control;
	struct loop_io io;
	struct loop_timer deadline;
	int fd;
	char key[KEY_MAX]; /* "ADDRESS:PORT" */
	char gateway[64];
};

static void try_end(struct try *try, bool reached)
{
	struct control *control = try->control;
	bool before = map_find_text(&control->world.reached, try->key) != NULL;
	if (reached)
		map_set(&control->world.reached, str_from(try->key), control);
	else
		map_remove(&control->world.reached, str_from(try->key));
	if (before != reached)
		control_enqueue(control, KIND_GATEWAY, try->gateway, 0);
	loop_io_fini(&try->io);
	loop_timer_fini(&try->deadline);
	close(try->fd);
	list_remove(&try->link);
	free(try);
}

static void on_ready(unsigned ready, void *arg)
{
	struct try *try = arg;
	(void)ready;
	try_end(try, net_error(try->fd) == 0);
}

static void on_deadline(void *arg)
{
	try_end(arg, false);
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
	struct try *try = xcalloc(1, sizeof(*try));
	list_init(&try->link);
	list_append(&control->tries, &try->link);
	try->control = control;
	try->fd = fd;
	snprintf(try->key, sizeof(try->key), "%s:%u", at->host, at->port);
	snprintf(try->gateway, sizeof(try->gateway), "%s", gateway->name);
	loop_io_init(&try->io, control->loop, fd, on_ready, try);
	loop_io_set(&try->io, LOOP_WRITE);
	loop_timer_init(&try->deadline, control->loop, on_deadline, try);
	loop_timer_set(&try->deadline, TRY_MS);
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
		struct try *try = LIST_ENTRY(it, struct try, link);
		loop_io_fini(&try->io);
		loop_timer_fini(&try->deadline);
		close(try->fd);
		list_remove(&try->link);
		free(try);
	}
	loop_timer_fini(&control->reach);
}
