/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name - what may be the name of a cluster: an SNI name as the gateway compares it.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "xds/resource.h"

/* Lower case, printable, 1 to XDS_NAME_MAX bytes. Else ERR_INVALID. */
static inline bool name_is_sni(const char *name, struct err *err)
{
	size_t len = name != NULL ? strlen(name) : 0;
	if (len == 0 || len > XDS_NAME_MAX)
		return err_set(err, ERR_INVALID, "an SNI name has 1 to %d bytes, not %zu",
		               XDS_NAME_MAX, len);
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		if (c <= ' ' || c > '~' || (c >= 'A' && c <= 'Z'))
			return err_set(err, ERR_INVALID,
			               "'%.80s' is no SNI name: byte %zu is not lower case or not "
			               "printable",
			               name, i);
	}
	return true;
}
