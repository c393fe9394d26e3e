/* SPDX-License-Identifier: Apache-2.0 */
/* What one check found: filled by a judgement, written into the answer by preflight_judge(). */
#pragma once

#include "model/preflight.h"

enum {
	FOUND_TEXT_MAX = 800
};

struct found {
	const char *state; /* "Passed" unless said otherwise */
	const char *code;  /* "" none */
	char message[FOUND_TEXT_MAX];
	char evidence[FOUND_TEXT_MAX];
};

/* Fill state, code and message. */
void found_warn(struct found *found, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void found_fail(struct found *found, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void found_skip(struct found *found, const char *fmt, ...) PRINTF_LIKE(2, 3);
void found_pass(struct found *found, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* preflight_places.c: what is about where the cluster stands among the others. */
void preflight_identity(const struct preflight_facts *facts, struct found *found);
void preflight_localities(const struct preflight_facts *facts, struct found *found);
void preflight_pod_ranges(const struct preflight_facts *facts, struct found *found);
void preflight_istio(const struct preflight_facts *facts, struct found *found);
