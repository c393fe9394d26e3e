/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta_rules - the rules of metadata: names, labels, annotations, finalizers, what may not change.
 * Pure; appends causes.
 * Source: apimachinery pkg/api/validation, pkg/util/validation.
 */
#pragma once

#include "kinds.h"

#include "base/json.h"

enum {
	API_ANNOTATIONS_MAX = 256 << 10 /* bytes of all annotations of an object */
};

void api_meta_check(const struct api_resource *resource, const json_t *obj, json_t *causes);
/* old: the current state. */
void api_meta_check_update(const json_t *obj, const json_t *old, json_t *causes);
