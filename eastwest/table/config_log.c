/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/alloc.h"
#include "table/config_priv.h"

static bool read_format(const struct ew_config_at *at, struct ew_access_config *to)
{
	struct str format = STR_LIT("json");
	if (!ew_config_text(at, "format", false, &format))
		return false;
	if (!str_is(format, "json") && !str_is(format, "text"))
		return ew_config_fail(at, "format", "must be json or text");
	to->json = str_is(format, "json");
	return true;
}

static bool read_path(const struct ew_config_at *at, struct ew_access_config *to)
{
	struct str path = STR_LIT("/dev/stdout");
	if (!ew_config_text(at, "path", false, &path))
		return false;
	if (path.len == 0 || path.ptr[0] != '/' || path.len > EW_ACCESS_PATH_MAX)
		return ew_config_fail(at, "path",
		                      "must be an absolute path of at most %d characters, or "
		                      "/dev/stdout",
		                      EW_ACCESS_PATH_MAX);
	to->path = str_dup(path);
	return true;
}

static bool read_sample(const struct ew_config_at *at, struct ew_access_config *to)
{
	json_t *value = json_object_get(at->value, "sample");
	to->sample = EW_SAMPLE_ALL;
	if (value == NULL)
		return true;
	double sample = json_number_value(value);
	if (!json_is_number(value) || !(sample >= 0 && sample <= 1))
		return ew_config_fail(at, "sample",
		                      "must be 0 to 1: the share of connections in the log");
	to->sample = (uint64_t)(sample * (double)to->sample);
	return true;
}

bool ew_config_read_access_log(const struct ew_config_at *top, struct ew_access_config *to)
{
	static const char *const known[] = {"format", "path", "sample", NULL};
	struct ew_config_at object;
	if (!ew_config_object(top, "accessLog", &object))
		return false;
	return object.value == NULL ||
	       (ew_config_keys(&object, known) && read_format(&object, to) &&
	        read_path(&object, to) && read_sample(&object, to));
}
