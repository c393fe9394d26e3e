/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include "base/clock.h"
#include "base/json.h"
#include "kube/meta.h"

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

json_t *status_time(int64_t wall_s)
{
	char text[32];
	return wall_s > 0 ? json_string(clock_format_rfc3339(wall_s, text)) : json_null();
}

json_t *status_time_of(int64_t mono_ms, struct status_now now)
{
	return status_time(mono_ms > 0 ? now.wall_s - (now.mono_ms - mono_ms) / 1000 : 0);
}
