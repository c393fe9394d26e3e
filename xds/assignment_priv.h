/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "xds/assignment.h"

/* The rules that hold in both directions; ERR_INVALID names the assignment. */
MUST_CHECK
bool assignment_check(const struct xds_assignment *assignment, struct err *err);
