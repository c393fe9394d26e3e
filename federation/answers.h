/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers - what is computed on request and never stored, under answers.fedway.io/v1alpha1: on the
 * hosted API, where only admins may ask (the API's own rule), or on a listener of its own.
 */
#pragma once

#include "connectivity.h"
#include "plans.h"
#include "preflights.h"

#include "api/api.h"
#include "control/control.h"

#define ANSWERS_GROUP   "answers.fedway.io"
#define ANSWERS_VERSION "v1alpha1"

enum {
	N_ANSWERS = 4
};

struct answers;

struct answers_kind {
	const char *plural;
	const char *kind;
	void (*ask)(struct answers *answers, struct answer *answer, const json_t *body);
};
extern const struct answers_kind answers_kinds[N_ANSWERS];

/* One kind as the hosted API knows it. */
struct answers_hosted {
	struct api_answer_kind kind;
	struct answers *answers;
	size_t row;
};

struct answers {
	struct answers_hosted hosted[N_ANSWERS];
	/* NULL until the controllers run: their answers are refused with 503 */
	struct control *control;
	struct connectivity *connectivity;
	struct plans *plans;
	struct preflights *preflights;
};

/* Registers every answer; answers is borrowed and outlives api. */
void answers_add(struct api *api, struct answers *answers);
