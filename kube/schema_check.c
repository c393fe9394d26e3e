/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation. Each violation becomes a cause; alternatives (anyOf, oneOf, not) are tried with the
 * causes thrown away and counted.
 */
#include "schema_formats.h"
#include "schema_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/schema.h"

enum {
	CHECK_PATH_MAX = 4096,
	CHECK_TEXT_MAX = 64 << 10,
	SHOWN_MAX = 1024 /* bytes of a value in a message */
};

struct checker {
	json_t *causes;
	struct buf path;
};

static void check(struct checker *checker, const struct schema *schema, const json_t *value);

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(struct checker *checker, const char *reason, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void tell(struct checker *checker, const char *reason, const char *fmt, ...)
{
	if (json_array_size(checker->causes) >= SCHEMA_CAUSES_MAX)
		return;
	va_list args;
	char *message;
	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0)
		abort();
	va_end(args);
	json_array_append_new(checker->causes,
	                      json_pack("{s:s, s:s, s:s}", "reason", reason, "message", message,
	                                "field", buf_text(&checker->path)));
	free(message);
}

static size_t enter(struct checker *checker, const char *key)
{
	size_t len = checker->path.len;
	buf_printf(&checker->path, "%s%s", len > 0 ? "." : "", key);
	return len;
}

static size_t enter_quoted(struct checker *checker, const char *key)
{
	size_t len = checker->path.len;
	bool plain = strpbrk(key, "./[]") == NULL;
	if (plain)
		return enter(checker, key);
	buf_printf(&checker->path, "[%s]", key);
	return len;
}

static size_t enter_index(struct checker *checker, size_t at)
{
	size_t len = checker->path.len;
	buf_printf(&checker->path, "[%zu]", at);
	return len;
}

static void leave(struct checker *checker, size_t len)
{
	checker->path.len = len;
	checker->path.failed = false;
	if (checker->path.ptr != NULL)
		checker->path.ptr[len] = '\0';
}

/* A value as it stands in a message. Owned by the caller. */
static char *show(const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (text == NULL)
		return xstrdup("");
	if (strlen(text) > SHOWN_MAX) {
		size_t cut = SHOWN_MAX - 4;
		while (((unsigned char)text[cut] & 0xc0) == 0x80)
			cut--; /* not inside a character */
		memcpy(text + cut, "...", 4);
	}
	return text;
}

static const char *kind_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_NULL:
		return "null";
	}
	return "";
}

static void tell_invalid(struct checker *checker, const json_t *value, const char *what)
{
	char *text = show(value);
	tell(checker, "FieldValueInvalid", "Invalid value: %s: %s in body %s", text,
	     buf_text(&checker->path), what);
	free(text);
}

/* --- types ------------------------------------------------------------------------------------ */

static bool is_whole(const json_t *value)
{
	return json_is_integer(value) ||
	       (json_is_real(value) && floor(json_real_value(value)) == json_real_value(value));
}

static bool has_type(const struct schema *schema, const json_t *value)
{
	if (json_is_null(value))
		return schema->nullable;
	if (schema->int_or_string)
		return is_whole(value) || json_is_string(value);
	switch (schema->type) {
	case SCHEMA_ANY:
		return true;
	case SCHEMA_OBJECT:
		return json_is_object(value);
	case SCHEMA_ARRAY:
		return json_is_array(value);
	case SCHEMA_STRING:
		return json_is_string(value);
	case SCHEMA_INTEGER:
		return is_whole(value);
	case SCHEMA_NUMBER:
		return json_is_number(value);
	case SCHEMA_BOOLEAN:
		return json_is_boolean(value);
	}
	return false;
}

static bool check_type(struct checker *checker, const struct schema *schema, const json_t *value)
{
	if (has_type(schema, value))
		return true;
	if (json_is_null(value) && schema->type == SCHEMA_ANY && !schema->int_or_string)
		return true;
	tell(checker, "FieldValueTypeInvalid",
	     "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", kind_of(value),
	     buf_text(&checker->path),
	     schema->int_or_string ? "integer,string" : schema_type_names[schema->type],
	     kind_of(value));
	return false;
}

/* --- strings ---------------------------------------------------------------------------------- */

static int64_t count_characters(const char *text, size_t len)
{
	int64_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

enum match {
	MATCH_YES,
	MATCH_NO,
	MATCH_TOO_COSTLY,
};

static enum match match_pattern(const struct schema *schema, const json_t *value)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_set_match_limit(limits, SCHEMA_PATTERN_MATCH_LIMIT);
	pcre2_set_depth_limit(limits, 10000);
	pcre2_set_heap_limit(limits, 1024);
	/* jansson has checked the UTF-8 already. */
	int n = pcre2_match(schema->pattern, (PCRE2_SPTR)json_string_value(value),
	                    json_string_length(value), 0, PCRE2_NO_UTF_CHECK, data, limits);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	if (n >= 0)
		return MATCH_YES;
	return n == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_TOO_COSTLY;
}

static void check_pattern(struct checker *checker, const struct schema *schema, const json_t *value)
{
	enum match match = match_pattern(schema, value);
	if (match == MATCH_YES)
		return;
	struct buf what CLEANUP(buf_fini);
	buf_init(&what, CHECK_TEXT_MAX);
	if (match == MATCH_NO)
		buf_printf(&what, "should match '%s'", schema->pattern_text);
	else
		buf_printf(&what, "is too costly to match against '%s'", schema->pattern_text);
	tell_invalid(checker, value, buf_text(&what));
}

static void check_string(struct checker *checker, const struct schema *schema, const json_t *value)
{
	char what[64];
	int64_t n = count_characters(json_string_value(value), json_string_length(value));
	if (schema->max_len.has && n > schema->max_len.n)
		tell(checker, "FieldValueTooLong", "Too long: may not be more than %lld bytes",
		     (long long)schema->max_len.n);
	if (schema->min_len.has && n < schema->min_len.n) {
		snprintf(what, sizeof(what), "should be at least %lld chars long",
		         (long long)schema->min_len.n);
		tell_invalid(checker, value, what);
	}
	if (schema->pattern != NULL)
		check_pattern(checker, schema, value);
	if (schema->format != NULL && schema->type == SCHEMA_STRING &&
	    !schema_has_format(schema->format, json_string_value(value))) {
		char *text = show(value);
		tell(checker, "FieldValueInvalid",
		     "Invalid value: %s: %s in body must be of type %s: %s", text,
		     buf_text(&checker->path), schema->format, text);
		free(text);
	}
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int compare_numbers(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b)) {
		json_int_t x = json_integer_value(a);
		json_int_t y = json_integer_value(b);
		return (x > y) - (x < y);
	}
	double x = json_number_value(a);
	double y = json_number_value(b);
	return (x > y) - (x < y);
}

/* sign: +1 for a maximum, -1 for a minimum. */
static void check_bound(struct checker *checker, const struct schema_bound *bound,
                        const json_t *value, int sign)
{
	if (!bound->has)
		return;
	int order = sign * compare_numbers(value, bound->value);
	if (order < 0 || (order == 0 && !bound->exclusive))
		return;
	char *limit = show(bound->value);
	char *what = xasprintf("should be %s than %s%s", sign > 0 ? "less" : "greater",
	                       bound->exclusive ? "" : "or equal to ", limit);
	tell_invalid(checker, value, what);
	free(what);
	free(limit);
}

static void check_format_of_number(struct checker *checker, const struct schema *schema,
                                   const json_t *value)
{
	if (schema->format == NULL || strcmp(schema->format, "int32") != 0)
		return;
	double number = json_number_value(value);
	if (number >= INT32_MIN && number <= INT32_MAX)
		return;
	char *text = show(value);
	tell(checker, "FieldValueInvalid",
	     "Invalid value: %s: %s in body must be of type int32: %s", text,
	     buf_text(&checker->path), text);
	free(text);
}

static void check_number(struct checker *checker, const struct schema *schema, const json_t *value)
{
	check_bound(checker, &schema->maximum, value, 1);
	check_bound(checker, &schema->minimum, value, -1);
	check_format_of_number(checker, schema, value);
	if (schema->multiple_of == NULL)
		return;
	double quotient = json_number_value(value) / json_number_value(schema->multiple_of);
	if (fabs(quotient - round(quotient)) < 1e-9)
		return;
	char *factor = show(schema->multiple_of);
	char *what = xasprintf("should be a multiple of %s", factor);
	tell_invalid(checker, value, what);
	free(what);
	free(factor);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool has_same_keys(const struct schema *schema, const json_t *a, const json_t *b)
{
	size_t at;
	json_t *key;
	json_array_foreach (schema->list_keys, at, key) {
		const char *name = json_string_value(key);
		json_t *x = json_object_get(a, name != NULL ? name : "");
		json_t *y = json_object_get(b, name != NULL ? name : "");
		if (x == NULL ? y != NULL : !json_equal(x, y))
			return false;
	}
	return true;
}

static bool is_duplicate(const struct schema *schema, const json_t *a, const json_t *b)
{
	return schema->list_type == SCHEMA_LIST_MAP ? has_same_keys(schema, a, b)
	                                            : json_equal(a, b);
}

/* The part of an element that says which it is. Owned by the caller. */
static json_t *identity(const struct schema *schema, json_t *item)
{
	if (schema->list_type != SCHEMA_LIST_MAP)
		return json_incref(item);
	json_t *id = json_object();
	size_t at;
	json_t *key;
	json_array_foreach (schema->list_keys, at, key) {
		json_t *value = json_object_get(item, json_string_value(key));
		if (value != NULL)
			json_object_set(id, json_string_value(key), value);
	}
	return id;
}

static void check_duplicates(struct checker *checker, const struct schema *schema,
                             const json_t *value)
{
	if (schema->list_type == SCHEMA_LIST_ATOMIC && !schema->unique_items)
		return;
	size_t n = json_array_size(value);
	/* Quadratic: no more than the first thousand are compared. */
	for (size_t i = 1; i < n && i < 1000; i++) {
		for (size_t j = 0; j < i; j++) {
			json_t *item = json_array_get(value, i);
			if (!is_duplicate(schema, item, json_array_get(value, j)))
				continue;
			json_t *id = identity(schema, item);
			char *text = show(id);
			size_t len = enter_index(checker, i);
			tell(checker, "FieldValueDuplicate", "Duplicate value: %s", text);
			leave(checker, len);
			free(text);
			json_decref(id);
			break;
		}
	}
}

static void check_array(struct checker *checker, const struct schema *schema, const json_t *value)
{
	int64_t n = (int64_t)json_array_size(value);
	if (schema->max_items.has && n > schema->max_items.n)
		tell(checker, "FieldValueTooMany", "Too many: %lld: must have at most %lld items",
		     (long long)n, (long long)schema->max_items.n);
	if (schema->min_items.has && n < schema->min_items.n) {
		char what[64];
		snprintf(what, sizeof(what), "should have at least %lld items",
		         (long long)schema->min_items.n);
		tell_invalid(checker, value, what);
	}
	check_duplicates(checker, schema, value);
	size_t at;
	json_t *item;
	if (schema->items == NULL)
		return;
	json_array_foreach (value, at, item) {
		size_t len = enter_index(checker, at);
		check(checker, schema->items, item);
		leave(checker, len);
	}
}

/* --- objects ---------------------------------------------------------------------------------- */

static void check_required(struct checker *checker, const struct schema *schema,
                           const json_t *value)
{
	size_t at;
	json_t *key;
	json_array_foreach (schema->required, at, key) {
		const char *name = json_string_value(key);
		if (name == NULL || json_object_get(value, name) != NULL)
			continue;
		size_t len = enter(checker, name);
		tell(checker, "FieldValueRequired", "Required value");
		leave(checker, len);
	}
}

static void check_object(struct checker *checker, const struct schema *schema, const json_t *value)
{
	int64_t n = (int64_t)json_object_size(value);
	check_required(checker, schema, value);
	if (schema->max_props.has && n > schema->max_props.n)
		tell(checker, "FieldValueTooMany", "Too many: %lld: must have at most %lld items",
		     (long long)n, (long long)schema->max_props.n);
	if (schema->min_props.has && n < schema->min_props.n) {
		char what[64];
		snprintf(what, sizeof(what), "should have at least %lld properties",
		         (long long)schema->min_props.n);
		tell_invalid(checker, value, what);
	}
	const char *key;
	json_t *item;
	json_t *obj = json_incref((json_t *)(uintptr_t)value);
	json_object_foreach (obj, key, item) {
		const struct schema *child = schema_find_field(schema, key);
		if (child == NULL)
			continue;
		size_t len = enter_quoted(checker, key);
		check(checker, child, item);
		leave(checker, len);
	}
	json_decref(obj);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void check_enum(struct checker *checker, const struct schema *schema, const json_t *value)
{
	size_t at;
	json_t *item;
	json_array_foreach (schema->enumeration, at, item) {
		if (json_equal(item, value))
			return;
	}
	struct buf list CLEANUP(buf_fini);
	buf_init(&list, CHECK_TEXT_MAX);
	json_array_foreach (schema->enumeration, at, item) {
		char *text = show(item);
		buf_printf(&list, "%s%s", at > 0 ? ", " : "", text);
		free(text);
	}
	char *text = show(value);
	tell(checker, "FieldValueNotSupported", "Unsupported value: %s: supported values: %s", text,
	     buf_text(&list));
	free(text);
}

static size_t count_valid(struct checker *checker, const struct schema_alternatives *list,
                          const json_t *value)
{
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++) {
		struct checker attempt = {.causes = json_array(), .path = checker->path};
		/* The path is only borrowed: children give it back as they found it. */
		check(&attempt, list->v[i], value);
		checker->path = attempt.path;
		n += json_array_size(attempt.causes) == 0;
		json_decref(attempt.causes);
	}
	return n;
}

static void tell_alternatives(struct checker *checker, const char *rule)
{
	tell(checker, "FieldValueInvalid", "Invalid value: \"\": \"%s\" %s",
	     buf_text(&checker->path), rule);
}

static void check_alternatives(struct checker *checker, const struct schema *schema,
                               const json_t *value)
{
	for (size_t i = 0; i < schema->all_of.n; i++)
		check(checker, schema->all_of.v[i], value);
	if (schema->any_of.n > 0 && count_valid(checker, &schema->any_of, value) == 0)
		tell_alternatives(checker, "must validate at least one schema (anyOf)");
	if (schema->one_of.n > 0 && count_valid(checker, &schema->one_of, value) != 1)
		tell_alternatives(checker, "must validate one and only one schema (oneOf)");
	if (schema->not_of != NULL) {
		struct schema *not_of = schema->not_of;
		struct schema_alternatives one = {.v = &not_of, .n = 1};
		if (count_valid(checker, &one, value) == 1)
			tell_alternatives(checker, "must not validate the schema (not)");
	}
}

static void check(struct checker *checker, const struct schema *schema, const json_t *value)
{
	if (!check_type(checker, schema, value) || json_is_null(value))
		return;
	if (json_is_string(value))
		check_string(checker, schema, value);
	else if (json_is_number(value))
		check_number(checker, schema, value);
	else if (json_is_array(value))
		check_array(checker, schema, value);
	else if (json_is_object(value))
		check_object(checker, schema, value);
	if (schema->enumeration != NULL)
		check_enum(checker, schema, value);
	check_alternatives(checker, schema, value);
}

bool schema_check(const struct schema *schema, const json_t *obj, json_t *causes)
{
	struct checker checker = {.causes = causes};
	size_t before = json_array_size(causes);
	buf_init(&checker.path, CHECK_PATH_MAX);
	check(&checker, schema, obj);
	buf_fini(&checker.path);
	return json_array_size(causes) == before;
}
