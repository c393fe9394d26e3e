/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix - a ConnectivityMatrix (answers.fedway.io/v1alpha1) for people. Pure.
 */
#pragma once

#include "common.h"

#include <jansson.h>

enum {
	MATRIX_CLUSTERS_MAX =
		48 /* more do not fit a screen; only pairs that failed are listed then */
};

void matrix_format(const json_t *answer, struct look look, struct buf *out);
bool matrix_has_failed(const json_t *answer);
