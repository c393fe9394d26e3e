/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of grouping: what a cause says, and into which parts the clusters fall by trust.
 */
#pragma once

#include "probe/grouping.h"

/* Fills code and message of a cause whose cells are marked in of_cell. */
void probe_cause_describe(const struct probe_matrix *matrix, struct probe_causes *causes,
                          size_t number);

/* Do the clusters fall into parts, so that every refusal for an unknown root lies between two? */
bool probe_trust_is_split(const struct probe_matrix *matrix);
/* The names of the smaller part of the two that a cell lies between, "c1, c2 and 3 more". */
void probe_trust_part(const struct probe_matrix *matrix, const struct probe_cell *cell, char *text,
                      size_t size);
