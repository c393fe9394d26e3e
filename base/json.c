/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

enum {
	JSON_KEY_MAX = 256
};

/*
 * jansson has a limit of its own, but at 2048 levels. A first look at the brackets keeps deep text
 * away from its recursion.
 */
static bool check_depth(struct str text, struct err *err)
{
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return err_set(err, ERR_BAD_REQUEST,
				               "JSON is nested deeper than %d levels at byte %zu",
				               JSON_DEPTH_MAX, i);
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return true;
}

json_t *json_parse(struct str text, struct err *err)
{
	json_error_t why;

	if (text.len > JSON_TEXT_MAX) {
		err_set(err, ERR_TOO_LARGE, "JSON of %zu bytes is over the limit of %d", text.len,
		        JSON_TEXT_MAX);
		return NULL;
	}
	if (!check_depth(text, err))
		return NULL;
	json_t *value = json_loadb(text.ptr != NULL ? text.ptr : "", text.len,
	                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (value == NULL)
		err_set(err, ERR_BAD_REQUEST, "JSON line %d column %d: %s", why.line, why.column,
		        why.text);
	return value;
}

static char *dump(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags | JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		UNREACHABLE("JSON value that cannot be written");
	return text;
}

char *json_format(const json_t *value)
{
	return dump(value, 0);
}

char *json_format_sorted(const json_t *value)
{
	return dump(value, JSON_SORT_KEYS);
}

/* The member named by a key that is no C string. */
static json_t *member(const json_t *obj, struct str key)
{
	char name[JSON_KEY_MAX + 1];

	if (key.len > JSON_KEY_MAX)
		return NULL;
	if (key.len > 0)
		memcpy(name, key.ptr, key.len);
	name[key.len] = '\0';
	return json_object_get(obj, name);
}

json_t *json_at(const json_t *obj, const char *path)
{
	struct str rest = str_from(path);
	struct str key;
	json_t *found = NULL;

	while (str_split(&rest, '.', &key)) {
		found = member(obj, key);
		if (found == NULL)
			return NULL;
		obj = found;
	}
	return found;
}

const char *json_str_at(const json_t *obj, const char *path, const char *dflt)
{
	const json_t *value = json_at(obj, path);

	return json_is_string(value) ? json_string_value(value) : dflt;
}

int64_t json_int_at(const json_t *obj, const char *path, int64_t dflt)
{
	const json_t *value = json_at(obj, path);

	return json_is_integer(value) ? json_integer_value(value) : dflt;
}

bool json_bool_at(const json_t *obj, const char *path, bool dflt)
{
	const json_t *value = json_at(obj, path);

	return json_is_boolean(value) ? json_is_true(value) : dflt;
}

void json_set_at(json_t *obj, const char *path, json_t *value)
{
	struct str rest = str_from(path);
	struct str key;

	while (str_split(&rest, '.', &key) && rest.ptr != NULL) {
		json_t *next = member(obj, key);
		if (!json_is_object(next)) {
			char *name = str_dup(key);
			next = json_object();
			json_object_set_new(obj, name, next);
			free(name);
		}
		obj = next;
	}
	char *name = str_dup(key);
	json_object_set_new(obj, name, value);
	free(name);
}

void json_cleanup(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}
