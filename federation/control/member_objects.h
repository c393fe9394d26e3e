/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_objects - what we make in a member cluster, as data: namespace, trust bundle, accounts.
 * Pure.
 */
#pragma once

#include "world.h"

#include <jansson.h>

/* Array of objects, in the order to make them; owned. */
json_t *member_objects_wanted(const struct world *world, const struct member *member,
                              struct str roots_pem, const char *xds_address);
