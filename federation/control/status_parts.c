/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "kube/meta.h"

enum {
	SUPPORTED_TEXT_MAX = 2000,
	REFUSED_TEXT_MAX = 600
};

json_t *status_conditions(const json_t *obj)
{
	const json_t *have = json_at(obj, "status.conditions");
	return json_is_array(have) ? json_deep_copy(have) : json_array();
}

void status_say(json_t *conditions, const json_t *obj, const struct status_line *line,
                struct status_now now)
{
	struct kube_condition condition = {
		.type = line->type,
		.status = line->ok ? "True" : "False",
		.reason = line->reason,
		.message = line->message,
		.observed_generation = kube_generation(obj),
	};
	kube_condition_set(conditions, &condition, now.wall_s);
}

void status_say_accepted(json_t *conditions, const json_t *obj, const char *bad,
                         struct status_now now)
{
	struct status_line line = {"Accepted", bad == NULL, bad == NULL ? "Valid" : "Invalid",
	                           bad == NULL ? "the object is in force as it stands" : bad};
	status_say(conditions, obj, &line, now);
}

json_t *status_refused(const json_t *obj, const struct err *err, struct status_now now)
{
	char text[REFUSED_TEXT_MAX];
	json_t *conditions = status_conditions(obj);
	snprintf(text, sizeof(text), "%s; what was in force before stays", err->msg);
	status_say_accepted(conditions, obj, text, now);
	return json_pack("{so}", "conditions", conditions);
}

static bool is_honoured(const json_t *value, const char *fine)
{
	const char *word = json_string_value(value);
	if (value == NULL || json_is_false(value) || json_is_null(value))
		return true;
	if (json_is_array(value))
		return json_array_size(value) == 0;
	return word != NULL && fine != NULL && strcmp(word, fine) == 0;
}

void status_say_supported(json_t *conditions, const json_t *obj, const struct status_field *fields,
                          size_t n, struct status_now now)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, SUPPORTED_TEXT_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!is_honoured(json_at(obj, fields[i].path), fields[i].fine))
			buf_printf(&text, "%s%s",
			           text.len > 0 ? ", " : "not honoured yet: ", fields[i].path);
	}
	bool all = text.len == 0;
	struct status_line line = {"Supported", all, all ? "All" : "NotSupported",
	                           all ? "every field is honoured" : buf_text(&text)};
	status_say(conditions, obj, &line, now);
}

json_t *status_time(int64_t wall_s)
{
	char text[32];
	return wall_s > 0 ? json_string(clock_format_rfc3339(wall_s, text)) : json_null();
}

json_t *status_time_of(int64_t mono_ms, struct status_now now)
{
	return status_time(mono_ms > 0 ? now.wall_s - (now.mono_ms - mono_ms) / 1000 : 0);
}
