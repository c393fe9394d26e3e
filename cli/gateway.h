/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway - what a running gateway's admin socket answers, as text. Pure.
 */
#pragma once

#include "common.h"

enum {
	GATEWAY_NAMES_SHOWN = 40 /* of `top` as a table; JSON has all */
};

/* A line: one event of /trace. */
void gateway_event_format(const json_t *event, struct look look, struct buf *out);

/* What went on between two answers of /sums: totals, and rates a second. Names with more that is
 * new come first. Owned. */
json_t *gateway_top_make(const json_t *before, const json_t *now);
void gateway_top_format(const json_t *report, struct look look, struct buf *out);
