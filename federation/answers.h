/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers - what is computed on request and never stored, under answers.fedway.io/v1alpha1 of the
 * hosted API. Only admins may ask (the API's own rule).
 */
#pragma once

#include "connectivity.h"
#include "plans.h"
#include "preflights.h"

#include "api/api.h"
#include "control/control.h"

enum {
	N_ANSWERS = 4
};

struct answers {
	struct api_answer_kind kinds[N_ANSWERS];
	/* NULL until the controllers run: their answers are refused with 503 */
	struct control *control;
	struct connectivity *connectivity;
	struct plans *plans;
	struct preflights *preflights;
};

/* Registers every answer; answers is borrowed and outlives api. */
void answers_add(struct api *api, struct answers *answers);
