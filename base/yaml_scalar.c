/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	NUMBER_TEXT_MAX = 64 /* longer is a string */
};

enum meaning {
	MEANS_NULL,
	MEANS_TRUE,
	MEANS_FALSE,
	MEANS_NO_JSON,
};

struct word {
	const char *text; /* lower case; also written "Word" and "WORD" */
	enum meaning meaning;
};

static const struct word words[] = {
	{"", MEANS_NULL},         {"~", MEANS_NULL},       {"null", MEANS_NULL},
	{"true", MEANS_TRUE},     {"yes", MEANS_TRUE},     {"on", MEANS_TRUE},
	{"false", MEANS_FALSE},   {"no", MEANS_FALSE},     {"off", MEANS_FALSE},
	{".nan", MEANS_NO_JSON},  {".inf", MEANS_NO_JSON}, {"-.inf", MEANS_NO_JSON},
	{"+.inf", MEANS_NO_JSON},
};

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* "null", "Null", "NULL" but not "nULL": after the first letter, all the same. */
static bool has_plain_case(struct str text)
{
	bool rest_upper = text.len > 1 && is_upper(text.ptr[1]);

	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] != to_lower(text.ptr[i]) && !rest_upper)
			return false;
		if (rest_upper && text.ptr[i] >= 'a' && text.ptr[i] <= 'z')
			return false;
	}
	return !rest_upper || is_upper(text.ptr[0]) || text.ptr[0] < 'a';
}

static const struct word *find_word(struct str text)
{
	for (size_t i = 0; i < N_ELEMS(words); i++) {
		if (strlen(words[i].text) != text.len || !has_plain_case(text))
			continue;
		size_t same = 0;
		while (same < text.len && to_lower(text.ptr[same]) == words[i].text[same])
			same++;
		if (same == text.len)
			return &words[i];
	}
	return NULL;
}

/* A copy without the underscores between digits. False: cannot be a number. */
static bool copy_number(struct str text, char out[NUMBER_TEXT_MAX])
{
	size_t n = 0;

	if (text.len == 0 || text.len >= NUMBER_TEXT_MAX ||
	    memchr("+-.0123456789", text.ptr[0], 13) == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '_')
			out[n++] = text.ptr[i];
	}
	out[n] = '\0';
	return true;
}

/* How the digits behind the sign are to be read; *digits moves past the prefix. */
static int base_of(const char **digits)
{
	const char *s = *digits;

	if (s[0] != '0' || s[1] == '\0')
		return 10;
	*digits = s + 2;
	if (s[1] == 'x')
		return 16;
	if (s[1] == 'o')
		return 8;
	if (s[1] == 'b')
		return 2;
	*digits = s + 1;
	return 8;
}

static json_t *parse_int(const char *text)
{
	bool negative = text[0] == '-';
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	int base = base_of(&digits);
	char *end;

	/* strtoull itself would take spaces and signs. */
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || digits[0] == '\0')
		return NULL;
	errno = 0;
	unsigned long long value = strtoull(digits, &end, base);
	if (errno != 0 || *end != '\0' || value > (unsigned long long)INT64_MAX + negative)
		return NULL;
	if (negative)
		return json_integer(value == 0 ? 0 : -(json_int_t)(value - 1) - 1);
	return json_integer((json_int_t)value);
}

/* Decimal digits with at most one point and an exponent. */
static bool is_float(const char *text)
{
	const char *s = text + (text[0] == '-' || text[0] == '+');
	size_t whole = strspn(s, "0123456789");
	size_t part = 0;

	s += whole;
	if (*s == '.') {
		part = strspn(s + 1, "0123456789");
		s += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		size_t exponent = strspn(s, "0123456789");
		if (exponent == 0)
			return false;
		s += exponent;
	}
	return *s == '\0';
}

/* NULL and true: a number, but none that JSON can hold. */
static bool parse_number(struct str text, json_t **ret_value)
{
	char number[NUMBER_TEXT_MAX];

	if (!copy_number(text, number))
		return false;
	*ret_value = parse_int(number);
	if (*ret_value != NULL)
		return true;
	if (!is_float(number))
		return false;
	double value = strtod(number, NULL);
	*ret_value = isfinite(value) ? json_real(value) : NULL;
	return true;
}

static json_t *of_meaning(enum meaning meaning)
{
	switch (meaning) {
	case MEANS_NULL:
		return json_null();
	case MEANS_TRUE:
		return json_true();
	case MEANS_FALSE:
		return json_false();
	case MEANS_NO_JSON:
		return NULL;
	}
	UNREACHABLE("meaning of a word");
}

json_t *yaml_scalar_parse(struct str text)
{
	const struct word *word = find_word(text);
	json_t *value;

	if (word != NULL)
		return of_meaning(word->meaning);
	if (parse_number(text, &value))
		return value;
	return json_stringn(text.ptr, text.len);
}

bool yaml_scalar_is_ambiguous(struct str text)
{
	json_t *value = NULL;

	/* Other readers take y and n for booleans. */
	if (find_word(text) != NULL || str_is(text, "y") || str_is(text, "n") ||
	    str_is(text, "Y") || str_is(text, "N"))
		return true;
	if (!parse_number(text, &value))
		return false;
	json_decref(value);
	return true;
}
