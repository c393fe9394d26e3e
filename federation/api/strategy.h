/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strategy - what is special about a built-in kind: defaults that a schema cannot say, checks, and
 * what follows from a change. One row a kind; no row, nothing special.
 */
#pragma once

#include "base/json.h"

struct api_core;
struct api_object;
struct api_resource;

struct api_strategy {
	const char *group;
	const char *plural;
	/* Before validation of a create (old NULL) or an update; changes obj, appends causes. May
	 * be NULL. */
	void (*prepare)(struct api_core *core, json_t *obj, const json_t *old, json_t *causes);
	/* After obj has become the current state (NULL: it is gone). May be NULL. */
	void (*changed)(struct api_core *core, const json_t *obj, const json_t *old);
};

const struct api_strategy *api_strategy_find(const struct api_resource *resource);
