/* SPDX-License-Identifier: Apache-2.0 */
#include "table/active.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct ew_active *ew_active_get(struct map *actives, const struct addr *addr)
{
	char key[sizeof(addr->ip.b) + sizeof(addr->port)];
	memcpy(key, addr->ip.b, sizeof(addr->ip.b));
	memcpy(key + sizeof(addr->ip.b), &addr->port, sizeof(addr->port));
	struct str bytes = str_make(key, sizeof(key));
	struct ew_active *active = map_find(actives, bytes);
	if (active == NULL) {
		active = xcalloc(1, sizeof(*active));
		active->refs = 1;
		map_set(actives, bytes, active);
	}
	return ew_active_ref(active);
}

struct ew_active *ew_active_ref(struct ew_active *active)
{
	active->refs++;
	return active;
}

void ew_active_unref(struct ew_active *active)
{
	if (active != NULL && --active->refs == 0)
		free(active);
}

void ew_active_sweep(struct map *actives)
{
	map_for_each (it, actives) {
		struct ew_active *active = map_value(it);
		if (active->refs > 1)
			continue;
		map_remove(actives, map_key(it));
		ew_active_unref(active);
	}
}

static void drop(void *active)
{
	ew_active_unref(active);
}

void ew_active_fini(struct map *actives)
{
	map_fini(actives, drop);
}
