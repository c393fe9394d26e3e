/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is special about Services: defaults of ports, and an address of 10.96.0.0/16 for each.
 */
#pragma once

#include "base/json.h"

struct api_core;

void api_service_prepare(struct api_core *core, json_t *obj, const json_t *old, json_t *causes);
