/* SPDX-License-Identifier: Apache-2.0 */
#include "path/doors.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static struct ew_listener_config copy(const struct ew_listener_config *listener)
{
	struct ew_listener_config made = *listener;
	made.name = xstrdup(listener->name);
	made.allow = ew_ranges_create(listener->allow.list, listener->allow.n);
	made.trusted = ew_ranges_create(listener->trusted.list, listener->trusted.n);
	return made;
}

static struct ew_doors *make(size_t n)
{
	struct ew_doors *doors = xcalloc(1, sizeof(*doors) + n * sizeof(doors->rows[0]));
	atomic_init(&doors->refs, 1);
	return doors;
}

struct ew_doors *ew_doors_create(const struct ew_listener_config *listeners, size_t n)
{
	struct ew_doors *doors = make(n);
	for (size_t i = 0; i < n; i++)
		doors->rows[doors->n++] =
			(struct ew_doors_row){copy(&listeners[i]), listeners[i].addr};
	return doors;
}

struct ew_doors *ew_doors_some(const struct ew_doors *doors, const bool *stays)
{
	struct ew_doors *some = make(doors->n);
	for (size_t i = 0; i < doors->n; i++) {
		const struct ew_doors_row *row = &doors->rows[i];
		if (stays[i])
			some->rows[some->n++] =
				(struct ew_doors_row){copy(&row->listener), row->bound};
	}
	return some;
}

struct ew_doors *ew_doors_ref(struct ew_doors *doors)
{
	atomic_fetch_add_explicit(&doors->refs, 1, memory_order_relaxed);
	return doors;
}

void ew_doors_unref(struct ew_doors *doors)
{
	if (doors == NULL || atomic_fetch_sub_explicit(&doors->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < doors->n; i++) {
		free(doors->rows[i].listener.name);
		ew_ranges_fini(&doors->rows[i].listener.allow);
		ew_ranges_fini(&doors->rows[i].listener.trusted);
	}
	free(doors);
}

/* Any free port is the one that the listener of this name has got already. */
static bool serves(const struct ew_doors_row *row, const struct ew_listener_config *listener)
{
	if (!ip_eq(&row->bound.ip, &listener->addr.ip))
		return false;
	if (listener->addr.port != 0)
		return row->bound.port == listener->addr.port;
	return row->listener.addr.port == 0 && strcmp(row->listener.name, listener->name) == 0;
}

size_t ew_doors_find(const struct ew_doors *doors, const struct ew_listener_config *listener)
{
	for (size_t i = 0; i < doors->n; i++) {
		if (serves(&doors->rows[i], listener))
			return i;
	}
	return doors->n;
}
