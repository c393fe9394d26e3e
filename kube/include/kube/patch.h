/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch - one JSON value changed by another: merge patch and Kubernetes' strategic merge patch.
 *
 * Pure; neither input is changed.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "kube/schema.h"

/* Source: RFC 7386. The result is owned; it shares no value with the inputs. */
MUST_CHECK
json_t *patch_merge(const json_t *target, const json_t *patch);

/*
 * Lists with a merge key in the schema are merged by it; $patch, $retainKeys,
 * $setElementOrder/x and $deleteFromPrimitiveList/x are obeyed. schema may be NULL (all lists
 * atomic). NULL: ERR_BAD_REQUEST (a directive that makes no sense, an element without merge key).
 * Source: Kubernetes API concepts, "strategic merge patch"; apimachinery pkg/util/strategicpatch.
 */
MUST_CHECK
json_t *patch_strategic(const json_t *target, const json_t *patch, const struct schema *schema,
                        struct err *err);

/* The merge patch that makes target out of source; {} when they are equal. Owned. Lists are
 * replaced whole. */
MUST_CHECK
json_t *patch_diff(const json_t *source, const json_t *target);
