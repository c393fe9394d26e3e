/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crds - the CustomResourceDefinitions of our kinds and the trimmed DestinationRule, as YAML text
 * compiled in.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct crd {
	const char *name; /* "clusters.fedway.io" */
	const char *kind; /* "Cluster" */
	struct str text;  /* NUL-terminated YAML, one document */
	bool ours;        /* false: installed only where none exists */
};

/* Sorted by name. */
const struct crd *crd_all(size_t *ret_n);
/* NULL: none of that name. */
const struct crd *crd_find(const char *name);
