/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans - the answer Plan: our objects as they are now, judged by model/plan. Nothing is stored.
 * Loop thread.
 */
#pragma once

#include "answer.h"

#include "kube/client.h"

struct plans;

enum {
	PLANS_MAX = 32 /* under way at once; more are refused with 429 */
};

/* api: of our objects; borrowed. */
struct plans *plans_create(struct kube_client *api);
/* What is under way is refused. NULL is harmless. */
void plans_destroy(struct plans *plans);
/* spec as in model/plan.h. */
void plans_answer(struct plans *plans, struct answer *answer, const json_t *body);
