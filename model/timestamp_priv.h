/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 times of Kubernetes objects. */
#pragma once

#include <stdint.h>

/* Seconds since 1970, or 0 if text is no time in the form Kubernetes writes
 * ("2026-01-31T12:00:00Z"; a fraction is ignored). */
int64_t timestamp_parse(const char *text);
