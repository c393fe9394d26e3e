/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects - YAML in a test's own text as the JSON that an API would give.
 */
#pragma once

#include "unit.h"

#include "base/json.h"
#include "base/yaml.h"

static inline json_t *objects_one(const char *text)
{
	struct err err = {0};
	json_t *value = yaml_parse(str_from(text), "test", &err);
	if (value == NULL)
		fail_msg("%s", err.msg);
	return value;
}

/* {items: [each document]} */
static inline json_t *objects_list(const char *text)
{
	struct err err = {0};
	json_t *items = yaml_parse_all(str_from(text), "test", &err);
	if (items == NULL)
		fail_msg("%s", err.msg);
	return json_pack("{so}", "items", items);
}
