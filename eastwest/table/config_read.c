/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/yaml.h"
#include "table/config_priv.h"

enum {
	PATH_MAX_LEN = 1024
};

static void format_place(const struct ew_config_at *at, struct buf *path)
{
	if (at->up == NULL)
		return;
	format_place(at->up, path);
	if (at->key == NULL)
		buf_printf(path, "[%zu]", at->index);
	else
		buf_printf(path, "%s%s", path->len > 0 ? "." : "", at->key);
}

bool ew_config_fail(const struct ew_config_at *at, const char *key, const char *fmt, ...)
{
	struct buf path CLEANUP(buf_fini);
	char message[ERR_MSG_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	buf_init(&path, PATH_MAX_LEN);
	format_place(at, &path);
	/* a key that is absent has no line: the object around it has */
	int line = 0;
	if (key != NULL) {
		size_t around = path.len;
		buf_printf(&path, "%s%s", path.len > 0 ? "." : "", key);
		if (json_object_get(at->value, key) != NULL)
			line = yaml_line_of(at->file->text, buf_text(&path));
		else if (around > 0) {
			char *outer = str_dup(str_make(path.ptr, around));
			line = yaml_line_of(at->file->text, outer);
			free(outer);
		} else
			line = at->file->text.len > 0 ? 1 : 0;
	} else if (path.len > 0)
		line = yaml_line_of(at->file->text, buf_text(&path));
	struct err *err = at->file->err;
	if (line == 0)
		return err_set(err, ERR_INVALID, "%s: %s: %s", at->file->name, buf_text(&path),
		               message);
	return err_set(err, ERR_INVALID, "%s:%d: %s: %s", at->file->name, line, buf_text(&path),
	               message);
}

bool ew_config_keys(const struct ew_config_at *at, const char *const *known)
{
	if (!json_is_object(at->value))
		return ew_config_fail(at, NULL, "must be an object");
	const char *key;
	json_t *value;
	json_object_foreach (at->value, key, value) {
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		struct buf list CLEANUP(buf_fini);
		buf_init(&list, PATH_MAX_LEN);
		for (i = 0; known[i] != NULL; i++)
			buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
		return ew_config_fail(at, key, "unknown key; known here: %s", buf_text(&list));
	}
	return true;
}

bool ew_config_text(const struct ew_config_at *at, const char *key, bool required,
                    struct str *ret_text)
{
	json_t *value = json_object_get(at->value, key);
	if (value == NULL)
		return !required || ew_config_fail(at, key, "is missing");
	if (!json_is_string(value))
		return ew_config_fail(at, key, "must be a string");
	struct str text = str_make(json_string_value(value), json_string_length(value));
	if (required && text.len == 0)
		return ew_config_fail(at, key, "must not be empty");
	*ret_text = text;
	return true;
}

bool ew_config_number(const struct ew_config_at *at, const char *key, uint32_t min, uint32_t max,
                      uint32_t *ret_number)
{
	json_t *value = json_object_get(at->value, key);
	if (value == NULL)
		return true;
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
	if (!json_is_integer(value) || number < min || number > max)
		return ew_config_fail(at, key, "must be %u to %u", min, max);
	*ret_number = (uint32_t)number;
	return true;
}

bool ew_config_bool(const struct ew_config_at *at, const char *key, bool *ret_value)
{
	json_t *value = json_object_get(at->value, key);
	if (value == NULL)
		return true;
	if (!json_is_boolean(value))
		return ew_config_fail(at, key, "must be true or false");
	*ret_value = json_is_true(value);
	return true;
}

bool ew_config_address(const struct ew_config_at *at, const char *key, struct ip *ret_ip)
{
	struct str text;
	if (!ew_config_text(at, key, true, &text))
		return false;
	if (!ip_parse(text, ret_ip))
		return ew_config_fail(at, key, "'%.*s' is no IP address", STR_ARG(text));
	return true;
}

bool ew_config_array(const struct ew_config_at *at, const char *key, size_t max,
                     struct ew_config_at *ret_array, size_t *ret_n)
{
	json_t *value = json_object_get(at->value, key);
	*ret_n = 0;
	*ret_array = (struct ew_config_at){at, at->file, value, key, 0};
	if (value == NULL)
		return true;
	if (!json_is_array(value))
		return ew_config_fail(at, key, "must be a list");
	*ret_n = json_array_size(value);
	if (*ret_n > max)
		return ew_config_fail(at, key, "has more than %zu items", max);
	return true;
}

struct ew_config_at ew_config_item(const struct ew_config_at *array, size_t i)
{
	return (struct ew_config_at){array, array->file, json_array_get(array->value, i), NULL, i};
}

bool ew_config_object(const struct ew_config_at *at, const char *key,
                      struct ew_config_at *ret_object)
{
	json_t *value = json_object_get(at->value, key);
	*ret_object = (struct ew_config_at){at, at->file, value, key, 0};
	if (value != NULL && !json_is_object(value))
		return ew_config_fail(at, key, "must be an object");
	return true;
}

bool ew_config_ranges(const struct ew_config_at *at, const char *key, struct ew_ranges *ret_ranges)
{
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(at, key, EW_CONFIG_RANGES_MAX, &array, &n))
		return false;
	struct cidr *list = xcalloc(n + 1, sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		const char *text = json_string_value(item.value);
		if (text == NULL || !cidr_parse(str_from(text), &list[i])) {
			free(list);
			return ew_config_fail(&item, NULL,
			                      "must be a range like 10.0.0.0/16 or an address");
		}
	}
	ret_ranges->list = list;
	ret_ranges->n = n;
	return true;
}
