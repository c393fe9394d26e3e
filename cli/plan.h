/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - a change as it is agreed upon: what would happen and be lost, from the control plane, and
 * the question whether to go on.
 */
#pragma once

#include "remote.h"

#include "model/plan.h"

struct plan_wish {
	const struct cli_common *common;
	struct look look;
	const json_t *spec; /* of model/plan.h, without hash */
	const char *hash;   /* only if the plan is still this one; NULL: whatever it is */
	bool dry_run;       /* the plan only */
};

/*
 * Asks for the plan, shows it (stderr; as JSON or YAML to stdout) and asks the user. -1: go on;
 * else the exit status: refused for losses, by the user, or EXIT_CONFLICT when the plan is not the
 * one that was wished for, or that was shown, any more. An API server that serves no plans: the
 * same function, on its objects, here.
 */
int plan_agree(struct remote *hub, const struct plan_wish *wish);

void plan_format(const json_t *plan, struct look look, struct buf *out);
/* A list of options as an array. Owned. */
json_t *plan_texts(const struct options_list *list);
