/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded - the text files that the build puts into the library (embed.cmake writes the table).
 */
#pragma once

#include <stddef.h>

struct embedded {
	const char *name; /* file name without folder and .yaml */
	const unsigned char *ptr;
	size_t len; /* a NUL follows that does not count */
};

/* Sorted by name; ends with a row without name. */
extern const struct embedded embedded_files[];

/* The file must be there. */
const struct embedded *embedded_find(const char *name);
