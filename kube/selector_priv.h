/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building of selectors, for the parsers. Keys and values are stolen.
 */
#pragma once

#include "kube/selector.h"

struct selector_term *selector_add_term(struct selector *selector, char *key, enum selector_op op);
void selector_add_value(struct selector_term *term, char *value);
