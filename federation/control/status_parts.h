/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "status.h"

/* A copy of obj's conditions to work on, or an empty array. */
json_t *status_conditions(const json_t *obj);

struct status_line {
	const char *type;
	bool ok;
	const char *reason; /* CamelCase, or a cause code */
	const char *message;
};
void status_say(json_t *conditions, const json_t *obj, const struct status_line *line,
                struct status_now now);
/* Condition Accepted: bad is why a part of the object, or all of it, is not in force; NULL: it is.
 */
void status_say_accepted(json_t *conditions, const json_t *obj, const char *bad,
                         struct status_now now);
/* A field that the schema takes and that nothing honours yet. */
struct status_field {
	const char *path;
	const char *fine; /* the text value that is honoured; NULL: none is */
};
/* Condition Supported: names those that are set to what is not honoured. */
void status_say_supported(json_t *conditions, const json_t *obj, const struct status_field *fields,
                          size_t n, struct status_now now);
/* RFC 3339; NULL for 0. */
json_t *status_time(int64_t wall_s);
/* Of a monotonic time. */
json_t *status_time_of(int64_t mono_ms, struct status_now now);
