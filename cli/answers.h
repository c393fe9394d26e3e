/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers - what the control plane computes on request (answers.fedway.io/v1alpha1).
 */
#pragma once

#include "remote.h"

/* POST of {kind, spec} to plural ("plans"): to the API server, or to whom its ConfigMap
 * fedway-system/fedway-answers names. Takes spec. Owned; NULL with err: where nobody serves answers
 * ERR_NOT_ACCEPTABLE, with a sentence. */
json_t *answers_ask(struct remote *hub, const char *plural, const char *kind, json_t *spec,
                    struct err *err);
