/* SPDX-License-Identifier: Apache-2.0 */
#include "selector_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/selector.h"

/* --- lexer of label selectors ----------------------------------------------------------------- */

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_NOT,
	TOKEN_EQ,
	TOKEN_NEQ,
	TOKEN_GT,
	TOKEN_LT,
	TOKEN_IN,
	TOKEN_NOT_IN,
};

struct lexer {
	struct str rest;
	enum token token;
	struct str text; /* of the token */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static void take(struct lexer *lexer, enum token token, size_t len)
{
	lexer->token = token;
	lexer->text = str_make(lexer->rest.ptr, len);
	lexer->rest = str_make(lexer->rest.ptr + len, lexer->rest.len - len);
}

static void take_word(struct lexer *lexer)
{
	size_t len = 0;
	while (len < lexer->rest.len && !is_space(lexer->rest.ptr[len]) &&
	       !is_special(lexer->rest.ptr[len]))
		len++;
	take(lexer, TOKEN_WORD, len);
	if (str_is(lexer->text, "in"))
		lexer->token = TOKEN_IN;
	else if (str_is(lexer->text, "notin"))
		lexer->token = TOKEN_NOT_IN;
}

static void next(struct lexer *lexer)
{
	while (lexer->rest.len > 0 && is_space(lexer->rest.ptr[0]))
		lexer->rest = str_make(lexer->rest.ptr + 1, lexer->rest.len - 1);
	if (lexer->rest.len == 0) {
		lexer->token = TOKEN_END;
		lexer->text = STR_LIT("");
		return;
	}
	bool eq_follows = lexer->rest.len > 1 && lexer->rest.ptr[1] == '=';
	switch (lexer->rest.ptr[0]) {
	case ',':
		take(lexer, TOKEN_COMMA, 1);
		return;
	case '(':
		take(lexer, TOKEN_OPEN, 1);
		return;
	case ')':
		take(lexer, TOKEN_CLOSE, 1);
		return;
	case '>':
		take(lexer, TOKEN_GT, 1);
		return;
	case '<':
		take(lexer, TOKEN_LT, 1);
		return;
	case '=':
		take(lexer, TOKEN_EQ, eq_follows ? 2 : 1);
		return;
	case '!':
		take(lexer, eq_follows ? TOKEN_NEQ : TOKEN_NOT, eq_follows ? 2 : 1);
		return;
	default:
		take_word(lexer);
	}
}

static bool is_word(const struct lexer *lexer)
{
	/* "in" is a key where a key is expected, and a value where a value is. */
	return lexer->token == TOKEN_WORD || lexer->token == TOKEN_IN ||
	       lexer->token == TOKEN_NOT_IN;
}

static bool unexpected(const struct lexer *lexer, const char *expected, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
	               "unable to parse requirement: found '%.*s', expected: %s",
	               STR_ARG(lexer->text), expected);
}

/* --- productions ------------------------------------------------------------------------------ */

static bool take_value(struct selector_term *term, struct str text, struct err *err)
{
	const char *why;
	if (!selector_is_label_value(text, &why))
		return err_set(err, ERR_BAD_REQUEST,
		               "unable to parse requirement: values[%zu][%s]: Invalid value: "
		               "\"%.*s\": %s",
		               term->n_values, term->key, STR_ARG(text), why);
	selector_add_value(term, str_dup(text));
	return true;
}

/* "(a,b)", behind in or notin. */
static bool parse_set(struct lexer *lexer, struct selector_term *term, struct err *err)
{
	next(lexer);
	if (lexer->token != TOKEN_OPEN)
		return unexpected(lexer, "'('", err);
	for (;;) {
		struct str value = STR_LIT("");
		next(lexer);
		if (is_word(lexer)) {
			value = lexer->text;
			next(lexer);
		}
		if (lexer->token != TOKEN_COMMA && lexer->token != TOKEN_CLOSE)
			return unexpected(lexer, "',' or ')'", err);
		if (!take_value(term, value, err))
			return false;
		if (lexer->token == TOKEN_CLOSE)
			break;
	}
	next(lexer);
	return true;
}

static bool parse_number(struct lexer *lexer, struct selector_term *term, struct err *err)
{
	next(lexer);
	uint64_t value;
	if (!str_to_u64(lexer->text, INT64_MAX, &value))
		return err_set(err, ERR_BAD_REQUEST,
		               "unable to parse requirement: values[0][%s]: Invalid value: "
		               "\"%.*s\": for 'Gt', 'Lt' operators, the value must be an integer",
		               term->key, STR_ARG(lexer->text));
	selector_add_value(term, str_dup(lexer->text));
	next(lexer);
	return true;
}

/* What follows = or !=: a word or nothing. */
static bool parse_exact(struct lexer *lexer, struct selector_term *term, struct err *err)
{
	next(lexer);
	if (lexer->token == TOKEN_END || lexer->token == TOKEN_COMMA) {
		selector_add_value(term, xstrdup(""));
		return true;
	}
	if (!is_word(lexer))
		return unexpected(lexer, "identifier", err);
	if (!take_value(term, lexer->text, err))
		return false;
	next(lexer);
	return true;
}

static bool parse_operator(struct lexer *lexer, struct selector *selector, char *key,
                           struct err *err)
{
	struct selector_term *term = selector_add_term(selector, key, SELECTOR_EXISTS);
	switch (lexer->token) {
	case TOKEN_END:
	case TOKEN_COMMA:
		return true;
	case TOKEN_EQ:
		term->op = SELECTOR_IN;
		return parse_exact(lexer, term, err);
	case TOKEN_NEQ:
		term->op = SELECTOR_NOT_IN;
		return parse_exact(lexer, term, err);
	case TOKEN_IN:
		term->op = SELECTOR_IN;
		return parse_set(lexer, term, err);
	case TOKEN_NOT_IN:
		term->op = SELECTOR_NOT_IN;
		return parse_set(lexer, term, err);
	case TOKEN_GT:
		term->op = SELECTOR_GREATER;
		return parse_number(lexer, term, err);
	case TOKEN_LT:
		term->op = SELECTOR_LESS;
		return parse_number(lexer, term, err);
	case TOKEN_WORD:
	case TOKEN_OPEN:
	case TOKEN_CLOSE:
	case TOKEN_NOT:
		break;
	}
	return unexpected(lexer, "in, notin, =, ==, !=, >, <", err);
}

static bool parse_term(struct lexer *lexer, struct selector *selector, struct err *err)
{
	bool negated = lexer->token == TOKEN_NOT;
	if (negated)
		next(lexer);
	if (!is_word(lexer))
		return unexpected(lexer, "identifier", err);
	const char *why;
	if (!selector_is_label_key(lexer->text, &why))
		return err_set(err, ERR_BAD_REQUEST,
		               "unable to parse requirement: key: Invalid value: \"%.*s\": %s",
		               STR_ARG(lexer->text), why);
	char *key = str_dup(lexer->text);
	next(lexer);
	if (negated) {
		selector_add_term(selector, key, SELECTOR_NOT_EXISTS);
		return true;
	}
	return parse_operator(lexer, selector, key, err);
}

static bool parse_terms(struct lexer *lexer, struct selector *selector, struct err *err)
{
	next(lexer);
	while (lexer->token != TOKEN_END) {
		if (selector->n_terms == SELECTOR_TERMS_MAX)
			return err_set(err, ERR_TOO_LARGE, "selector has more than %d terms",
			               SELECTOR_TERMS_MAX);
		if (!parse_term(lexer, selector, err))
			return false;
		if (lexer->token == TOKEN_END)
			return true;
		if (lexer->token != TOKEN_COMMA)
			return err_set(err, ERR_BAD_REQUEST,
			               "found '%.*s', expected: ',' or 'end of string'",
			               STR_ARG(lexer->text));
		next(lexer);
		if (lexer->token == TOKEN_END)
			return err_set(err, ERR_BAD_REQUEST,
			               "found '', expected: identifier after ','");
	}
	return true;
}

static bool is_short_enough(struct str text, struct err *err)
{
	return text.len <= SELECTOR_TEXT_MAX ||
	       err_set(err, ERR_TOO_LARGE, "selector is longer than %d bytes", SELECTOR_TEXT_MAX);
}

bool selector_parse_labels(struct str text, struct selector *ret_selector, struct err *err)
{
	struct selector selector = {NULL, 0};
	struct lexer lexer = {.rest = text};
	if (!is_short_enough(text, err))
		return false;
	if (!parse_terms(&lexer, &selector, err)) {
		selector_fini(&selector);
		return false;
	}
	*ret_selector = selector;
	return true;
}

/* --- field selectors -------------------------------------------------------------------------- */

/* Cuts at the first sep that no backslash hides. */
static bool split_unescaped(struct str *rest, struct str *ret_head)
{
	if (rest->ptr == NULL)
		return false;
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->ptr[i] == '\\') {
			i++;
		} else if (rest->ptr[i] == ',') {
			*ret_head = str_make(rest->ptr, i);
			*rest = str_make(rest->ptr + i + 1, rest->len - i - 1);
			return true;
		}
	}
	*ret_head = *rest;
	*rest = STR_NULL;
	return true;
}

static bool unescape(struct str text, char **ret_value, struct err *err)
{
	struct buf out CLEANUP(buf_fini);
	buf_init(&out, SELECTOR_TEXT_MAX);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '\\') {
			c = i + 1 < text.len ? text.ptr[++i] : '\0';
			if (c != '\\' && c != ',' && c != '=')
				return err_set(err, ERR_BAD_REQUEST,
				               "invalid field selector: invalid escape sequence in "
				               "value: %.*s",
				               STR_ARG(text));
		} else if (c == '=') {
			return err_set(err, ERR_BAD_REQUEST,
			               "invalid field selector: unescaped '=' in value: %.*s",
			               STR_ARG(text));
		}
		buf_add_char(&out, c);
	}
	*ret_value = xstrdup(buf_text(&out));
	return true;
}

static bool parse_field(struct selector *selector, struct str text, struct err *err)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_not = text.ptr[i] == '!' && i + 1 < text.len && text.ptr[i + 1] == '=';
		if (!is_not && text.ptr[i] != '=')
			continue;
		size_t skip = i + 1;
		if (is_not || (skip < text.len && text.ptr[skip] == '='))
			skip++;
		char *value = NULL;
		if (!unescape(str_make(text.ptr + skip, text.len - skip), &value, err))
			return false;
		struct selector_term *term =
			selector_add_term(selector, str_dup(str_make(text.ptr, i)),
		                          is_not ? SELECTOR_NOT_IN : SELECTOR_IN);
		selector_add_value(term, value);
		return true;
	}
	return err_set(err, ERR_BAD_REQUEST, "invalid selector: '%.*s'; can't understand '%.*s'",
	               STR_ARG(text), STR_ARG(text));
}

bool selector_parse_fields(struct str text, struct selector *ret_selector, struct err *err)
{
	struct selector selector = {NULL, 0};
	struct str item;
	if (!is_short_enough(text, err))
		return false;
	while (text.len > 0 && split_unescaped(&text, &item)) {
		if (item.len == 0)
			continue;
		bool fits = selector.n_terms < SELECTOR_TERMS_MAX ||
		            err_set(err, ERR_TOO_LARGE, "selector has more than %d terms",
		                    SELECTOR_TERMS_MAX);
		if (!fits || !parse_field(&selector, item, err)) {
			selector_fini(&selector);
			return false;
		}
	}
	*ret_selector = selector;
	return true;
}

/* --- LabelSelector ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum selector_op op;
} expression_ops[] = {
	{"In", SELECTOR_IN},
	{"NotIn", SELECTOR_NOT_IN},
	{"Exists", SELECTOR_EXISTS},
	{"DoesNotExist", SELECTOR_NOT_EXISTS},
};

static bool add_expression(struct selector *selector, const json_t *expression, struct err *err)
{
	const char *key = json_str_at(expression, "key", "");
	const char *name = json_str_at(expression, "operator", "");
	for (size_t i = 0; i < N_ELEMS(expression_ops); i++) {
		if (strcmp(expression_ops[i].name, name) != 0)
			continue;
		struct selector_term *term =
			selector_add_term(selector, xstrdup(key), expression_ops[i].op);
		size_t at;
		json_t *value;
		json_array_foreach (json_object_get(expression, "values"), at, value) {
			if (!json_is_string(value))
				return err_set(
					err, ERR_INVALID,
					"a value of key '%s' in matchExpressions is no string",
					key);
			selector_add_value(term, xstrdup(json_string_value(value)));
		}
		bool needs_values = term->op == SELECTOR_IN || term->op == SELECTOR_NOT_IN;
		return needs_values == (term->n_values > 0) ||
		       err_set(err, ERR_INVALID, "operator '%s' of key '%s' %s values", name, key,
		               needs_values ? "needs" : "takes no");
	}
	return err_set(err, ERR_INVALID, "'%s' is not a valid label selector operator", name);
}

static bool add_json(struct selector *selector, const json_t *obj, struct err *err)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(obj, "matchLabels"), key, value) {
		if (!json_is_string(value))
			return err_set(err, ERR_INVALID, "matchLabels['%s'] is no string", key);
		struct selector_term *term = selector_add_term(selector, xstrdup(key), SELECTOR_IN);
		selector_add_value(term, xstrdup(json_string_value(value)));
	}
	size_t at;
	json_array_foreach (json_object_get(obj, "matchExpressions"), at, value) {
		if (!add_expression(selector, value, err))
			return false;
	}
	return true;
}

bool selector_from_json(const json_t *obj, struct selector *ret_selector, struct err *err)
{
	struct selector selector = {NULL, 0};
	if (!add_json(&selector, obj, err)) {
		selector_fini(&selector);
		return false;
	}
	*ret_selector = selector;
	return true;
}
