/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A label selector is read by a small lexer (identifiers, operators, parentheses, commas) and one
 * function per production; a field selector is split at commas that no backslash hides.
 */
#include "kube/selector.h"

#include "selector_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

/* --- building --------------------------------------------------------------------------------- */

struct selector_term *selector_add_term(struct selector *selector, char *key, enum selector_op op)
{
	size_t n = selector->n_terms++;
	selector->terms = xrealloc(selector->terms, selector->n_terms * sizeof(*selector->terms));
	selector->terms[n] = (struct selector_term){.key = key, .op = op};
	return &selector->terms[n];
}

void selector_add_value(struct selector_term *term, char *value)
{
	term->values = xrealloc(term->values, (term->n_values + 1) * sizeof(*term->values));
	term->values[term->n_values++] = value;
}

void selector_fini(struct selector *selector)
{
	for (size_t i = 0; i < selector->n_terms; i++) {
		struct selector_term *term = &selector->terms[i];
		for (size_t j = 0; j < term->n_values; j++)
			free(term->values[j]);
		free(term->values);
		free(term->key);
	}
	free(selector->terms);
	*selector = (struct selector){NULL, 0};
}

/* --- matching --------------------------------------------------------------------------------- */

static bool has_value(const struct selector_term *term, const char *value)
{
	for (size_t i = 0; i < term->n_values; i++) {
		if (strcmp(term->values[i], value) == 0)
			return true;
	}
	return false;
}

static bool to_integer(const char *text, int64_t *ret_value)
{
	char *end;
	int64_t value = strtoll(text, &end, 10);
	if (end == text || *end != '\0')
		return false;
	*ret_value = value;
	return true;
}

static bool compares(const struct selector_term *term, const char *value)
{
	int64_t have;
	int64_t want;
	if (value == NULL || !to_integer(value, &have) || !to_integer(term->values[0], &want))
		return false;
	return term->op == SELECTOR_GREATER ? have > want : have < want;
}

static bool term_matches(const struct selector_term *term, const char *value)
{
	switch (term->op) {
	case SELECTOR_IN:
		return value != NULL && has_value(term, value);
	case SELECTOR_NOT_IN:
		return value == NULL || !has_value(term, value);
	case SELECTOR_EXISTS:
		return value != NULL;
	case SELECTOR_NOT_EXISTS:
		return value == NULL;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		return compares(term, value);
	}
	return false;
}

bool selector_has_labels(const struct selector *selector, const json_t *labels)
{
	for (size_t i = 0; i < selector->n_terms; i++) {
		const struct selector_term *term = &selector->terms[i];
		const char *value = json_string_value(json_object_get(labels, term->key));
		if (!term_matches(term, value))
			return false;
	}
	return true;
}

bool selector_has_fields(const struct selector *selector, const json_t *fields)
{
	for (size_t i = 0; i < selector->n_terms; i++) {
		const struct selector_term *term = &selector->terms[i];
		const char *value = json_string_value(json_object_get(fields, term->key));
		if (!term_matches(term, value != NULL ? value : ""))
			return false;
	}
	return true;
}

const char *selector_find_exact(const struct selector *selector, const char *path)
{
	for (size_t i = 0; i < selector->n_terms; i++) {
		const struct selector_term *term = &selector->terms[i];
		if (term->op == SELECTOR_IN && strcmp(term->key, path) == 0)
			return term->values[0];
	}
	return NULL;
}

/* --- rules of labels -------------------------------------------------------------------------- */

#define NAME_RULE                                                                                  \
	"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "   \
	"an "                                                                                      \
	"alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "     \
	"validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static const char name_part_rule[] = "name part " NAME_RULE;
static const char name_empty_rule[] = "name part must be non-empty";
static const char name_long_rule[] = "name part must be no more than 63 bytes";
static const char prefix_empty_rule[] = "prefix part must be non-empty";
static const char prefix_rule[] =
	"prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
	"characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
	"'example.com', regex used for validation is "
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
static const char slashes_rule[] =
	"a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start "
	"and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
	"regex "
	"used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS "
	"subdomain prefix and '/' (e.g. 'example.com/MyName')";
static const char value_rule[] =
	"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
	"'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
	"'my_value',  or '12345', regex used for validation is "
	"'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
static const char value_long_rule[] = "must be no more than 63 bytes";

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(struct str s)
{
	if (s.len == 0 || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_alnum(s.ptr[i]) && strchr("-_.", s.ptr[i]) == NULL)
			return false;
	}
	return true;
}

static bool is_subdomain(struct str s)
{
	struct str label;
	if (s.len == 0 || s.len > 253)
		return false;
	while (str_split(&s, '.', &label)) {
		if (!str_is_dns_label(label))
			return false;
	}
	return true;
}

static bool refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return false;
}

bool selector_is_label_key(struct str key, const char **ret_why)
{
	struct str name = key;
	const char *slash = key.len > 0 ? memchr(key.ptr, '/', key.len) : NULL;
	if (slash != NULL) {
		struct str prefix = str_make(key.ptr, (size_t)(slash - key.ptr));
		name = str_make(slash + 1, key.len - prefix.len - 1);
		if (name.len > 0 && memchr(name.ptr, '/', name.len) != NULL)
			return refuse(ret_why, slashes_rule);
		if (prefix.len == 0)
			return refuse(ret_why, prefix_empty_rule);
		if (!is_subdomain(prefix))
			return refuse(ret_why, prefix_rule);
	}
	if (name.len == 0)
		return refuse(ret_why, name_empty_rule);
	if (name.len > 63)
		return refuse(ret_why, name_long_rule);
	return is_name(name) || refuse(ret_why, name_part_rule);
}

bool selector_is_label_value(struct str value, const char **ret_why)
{
	if (value.len > 63)
		return refuse(ret_why, value_long_rule);
	return value.len == 0 || is_name(value) || refuse(ret_why, value_rule);
}
