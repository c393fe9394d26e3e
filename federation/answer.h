/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer - a question that waits for its answer, whoever asked it: a caller of the hosted API, or
 * one of the answers' own listener. Ends in exactly one answer_reply() or answer_fail().
 */
#pragma once

#include <jansson.h>

#include "base/err.h"

struct answer {
	/* obj NULL: err says why. Frees the answer; takes obj. */
	void (*finish)(struct answer *answer, json_t *obj, const struct err *err);
};

/* Takes obj. */
static inline void answer_reply(struct answer *answer, json_t *obj)
{
	answer->finish(answer, obj, NULL);
}

static inline void answer_fail(struct answer *answer, const struct err *err)
{
	answer->finish(answer, NULL, err);
}
