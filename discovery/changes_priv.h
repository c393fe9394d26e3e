/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - which services differ between two snapshots of one cluster. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model/snapshot.h"

struct changes {
	const char **keys; /* borrowed from the snapshots, sorted */
	size_t n;
	size_t cap;
	bool meta; /* uid or network differ */
};

/* old may be NULL. */
struct changes changes_between(const struct snapshot *old, const struct snapshot *next);
void changes_fini(struct changes *changes);
