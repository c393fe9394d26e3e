/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - now, monotonic for everything but X.509 and status.
 */
#pragma once

#include <stdint.h>

int64_t clock_now_ms(void);
int64_t clock_now_us(void);
/* Seconds since 1970. */
int64_t clock_wall_s(void);
/* RFC 3339 in UTC: "2026-11-24T23:56:18Z". Returns text. */
const char *clock_format_rfc3339(int64_t wall_s, char text[32]);
/* Seconds since 1970 of "2026-01-31T12:00:00Z" (a fraction is ignored); 0: no such time. */
int64_t clock_parse_rfc3339(const char *text);
