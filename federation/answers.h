/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers - what is computed on request and never stored, under answers.fedway.io/v1alpha1 of the
 * hosted API. Only admins may ask (the API's own rule).
 */
#pragma once

#include "connectivity.h"

#include "api/api.h"
#include "control/control.h"

struct answers {
	struct api_answer_kind explanation;
	struct api_answer_kind matrix;
	struct control *control; /* NULL until the controllers run: answers are refused with 503 */
	struct connectivity *connectivity; /* NULL as above */
};

/* Registers every answer; answers is borrowed and outlives api. */
void answers_add(struct api *api, struct answers *answers);
