/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

void fed_unreachable(const char *why, const char *file, int line)
{
	fprintf(stderr, "%s:%d: cannot happen: %s\n", file, line, why);
	abort();
}
