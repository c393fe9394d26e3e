/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why - a RouteExplanation for people. Pure.
 */
#pragma once

#include "common.h"

#include <jansson.h>

void why_format(const json_t *answer, struct look look, struct buf *out);
/* Is there anything that takes calls? */
bool why_has_destination(const json_t *answer);
