/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duplicates - the keys that a JSON text has twice. Pure.
 */
#pragma once

#include "base/json.h"
#include "base/str.h"

/* Appends "spec.size" for each repeated key to paths. text parses as JSON apart from that. */
void api_duplicates_find(struct str text, json_t *paths);
