/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle - what a cluster's own controllers do: namespaces get their account and root CA, empty
 * themselves and go; definitions take their objects with them; Events expire.
 *
 * Chores are done in one place after a change, a limited number a turn, each as ordinary writes
 * that watchers see.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

struct api_core;

enum {
	API_CHORES_A_TURN = 500, /* deletions in one call */
	API_EVENT_TTL_S = 3600
};

/* Strategy hook of Namespace. */
void api_lifecycle_namespace_changed(struct api_core *core, const json_t *obj, const json_t *old);

/* Makes what has to exist from the start: the system namespaces. */
void api_lifecycle_start(struct api_core *core);

/* Does what is due; when core->has_chores is still set, call again soon. */
void api_lifecycle_step(struct api_core *core);
/* About once a minute. */
void api_lifecycle_expire_events(struct api_core *core);
