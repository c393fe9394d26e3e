/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crd - CustomResourceDefinitions: checked, completed, and turned into a row of the table of kinds.
 * Source: apiextensions.k8s.io/v1. Conversion None only; no admission or conversion webhooks.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

struct api_core;

/* Strategy hooks. */
void api_crd_prepare(struct api_core *core, json_t *obj, const json_t *old, json_t *causes);
void api_crd_changed(struct api_core *core, const json_t *obj, const json_t *old);

/* Every stored definition is served, at start. ERR_INVALID. */
MUST_CHECK
bool api_crd_load_all(struct api_core *core, struct err *err);
