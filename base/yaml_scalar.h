/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_scalar - what a plain scalar means: null, bool, number or string, by the rules of YAML 1.1
 * as far as Kubernetes' reader follows them (yes/no/on/off are booleans, y and n are not, 0644 is
 * octal, timestamps are strings).
 *
 * Pure; any thread.
 */
#pragma once

#include "base/json.h"
#include "base/str.h"

/* Owned. NULL: a number that JSON has not (.inf, .nan), or bytes that are no UTF-8 text. */
MUST_CHECK
json_t *yaml_scalar_parse(struct str text);

/* Must be quoted to stay a string. */
bool yaml_scalar_is_ambiguous(struct str text);
