/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects - what users write, as JSON text.
 */
#pragma once

#include "unit.h"
#include "world.h"

#include "base/json.h"

static inline json_t *parse(const char *text)
{
	struct err err;
	json_t *value = json_parse(str_from(text), &err);
	if (value == NULL)
		fail_msg("%s", err.msg);
	return value;
}

/* Into the world, by its kind. */
static inline void put(struct world *world, const char *text)
{
	struct err err;
	json_t *obj = parse(text);
	const char *kind = json_str_at(obj, "kind", "");
	bool ok = strcmp(kind, "Cluster") == 0        ? world_set_member(world, obj, 1000, &err)
	          : strcmp(kind, "NetworkGroup") == 0 ? world_set_group(world, obj, &err)
	                                              : world_set_gateway(world, obj, 1000, &err);
	if (!ok)
		fail_msg("%s: %s", kind, err.msg);
	json_decref(obj);
}
