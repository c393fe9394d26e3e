/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes - sentences for the user that gather while something is decoded or merged. At most
 * POLICY_NOTES_MAX; what comes later is dropped.
 */
#pragma once

#include "base/macros.h"
#include "model/policy.h"

struct notes {
	const char **texts;
	size_t n;
};

void notes_add(struct notes *notes, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Gives array and texts to the caller, or frees them if ret_texts is NULL. */
void notes_take(struct notes *notes, const char ***ret_texts, size_t *ret_n);
/* Frees n texts and their array. */
void notes_free(const char **texts, size_t n);
bool notes_eq(const char **a, size_t n_a, const char **b, size_t n_b);
