/* SPDX-License-Identifier: Apache-2.0 */
#include "timestamp_priv.h"

#include <string.h>
#include <time.h>

int64_t timestamp_parse(const char *text)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest == NULL || (rest[0] != 'Z' && rest[0] != '.'))
		return 0;
	return (int64_t)timegm(&tm);
}
