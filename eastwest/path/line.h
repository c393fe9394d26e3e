/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line - one line of keys and values, as a JSON object or as text: how the access log and the
 * flight recorder are written. Bytes of a peer are escaped, so that they cannot begin a line or a
 * field, nor steer a terminal.
 *
 *   {"start_time":"2026-11-25T04:05:06.789Z","door":"ingress","bytes_sent":7}
 *   start_time=2026-11-25T04:05:06.789Z door=ingress bytes_sent=7
 *
 * Made for speed: a line has room for EW_LINE_MAX bytes, and what would pass that is left out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	EW_LINE_MAX = 8192,
	EW_LINE_TEXT_MAX = 255 /* of a value; the rest is cut */
};

struct ew_line {
	bool json;
	bool any; /* the line has a field */
	char *at;
	char *end;
	int64_t second; /* that day_time is of: most lines are of the same one as the line before */
	char day_time[20];
};

/* The same struct for all lines of a writer. Zeroed at first. */
void ew_line_begin(struct ew_line *line, bool json, char room[EW_LINE_MAX]);
/* Ends it with a newline; its length. */
size_t ew_line_end(struct ew_line *line, const char room[EW_LINE_MAX]);

/* Keys are letters, digits and underscores. */
void ew_line_text(struct ew_line *line, const char *key, struct str value);
void ew_line_number(struct ew_line *line, const char *key, uint64_t value);
/* Milliseconds with three decimals. */
void ew_line_ms(struct ew_line *line, const char *key, uint64_t us);
/* RFC 3339 with milliseconds. */
void ew_line_time(struct ew_line *line, const char *key, int64_t wall_ms);
void ew_line_addr(struct ew_line *line, const char *key, const struct addr *addr);
