/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is a list of steps; finding walks them depth first and hands each leaf to a visitor that
 * may stop the walk.
 */
#include "kube/jsonpath.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

enum step_kind {
	STEP_FIELD,
	STEP_INDEX,
	STEP_ALL,
	STEP_FILTER, /* [?(@.key=="value")] */
};

struct step {
	enum step_kind kind;
	char *key;
	char *value; /* of a filter; NULL: the key must be there */
	long index;  /* negative: from the end */
};

struct jsonpath {
	struct step steps[JSONPATH_STEPS_MAX];
	size_t n_steps;
};

struct reader {
	struct str rest;
	const char *text;
	struct err *err;
};

static bool refuse(struct reader *reader, const char *why)
{
	return err_set(reader->err, ERR_INVALID, "JSON path '%s': %s", reader->text, why);
}

static bool at(const struct reader *reader, char c)
{
	return reader->rest.len > 0 && reader->rest.ptr[0] == c;
}

static void skip(struct reader *reader, size_t n)
{
	reader->rest = str_make(reader->rest.ptr + n, reader->rest.len - n);
}

/* Up to one of the characters in stop; backslash takes the next one as it is. Owned. */
static char *take_key(struct reader *reader, const char *stop)
{
	char *key = xcalloc(reader->rest.len + 1, 1);
	size_t n = 0;
	while (reader->rest.len > 0 && strchr(stop, reader->rest.ptr[0]) == NULL) {
		if (at(reader, '\\') && reader->rest.len > 1)
			skip(reader, 1);
		key[n++] = reader->rest.ptr[0];
		skip(reader, 1);
	}
	return key;
}

static bool expect(struct reader *reader, const char *text)
{
	struct str want = str_from(text);
	if (!str_starts_with(reader->rest, want))
		return refuse(reader, "unterminated or malformed bracket");
	skip(reader, want.len);
	return true;
}

/* Behind "?(@.": key=="value") or key) */
static bool read_filter(struct reader *reader, struct step *step)
{
	step->kind = STEP_FILTER;
	step->key = take_key(reader, "=) ");
	reader->rest = str_trim(reader->rest);
	if (at(reader, '=')) {
		if (!expect(reader, "=="))
			return false;
		reader->rest = str_trim(reader->rest);
		if (!at(reader, '"') && !at(reader, '\''))
			return refuse(reader, "a filter compares with a quoted text");
		const char quote[2] = {reader->rest.ptr[0], '\0'};
		skip(reader, 1);
		step->value = take_key(reader, quote);
		if (!expect(reader, quote))
			return false;
		reader->rest = str_trim(reader->rest);
	}
	return expect(reader, ")]");
}

static bool read_index(struct reader *reader, struct step *step)
{
	char *digits = take_key(reader, "]");
	char *end;
	step->kind = STEP_INDEX;
	step->index = strtol(digits, &end, 10);
	bool ok = end != digits && *end == '\0';
	free(digits);
	return (ok || refuse(reader, "an index is a number, * or a quoted key")) &&
	       expect(reader, "]");
}

/* Behind "[". */
static bool read_bracket(struct reader *reader, struct step *step)
{
	if (at(reader, '*')) {
		step->kind = STEP_ALL;
		return expect(reader, "*]");
	}
	if (at(reader, '?')) {
		return expect(reader, "?(@.") && read_filter(reader, step);
	}
	if (at(reader, '\'') || at(reader, '"')) {
		const char quote[2] = {reader->rest.ptr[0], '\0'};
		skip(reader, 1);
		step->kind = STEP_FIELD;
		step->key = take_key(reader, quote);
		return expect(reader, quote) && expect(reader, "]");
	}
	return read_index(reader, step);
}

static bool read_step(struct reader *reader, struct step *step)
{
	if (at(reader, '[')) {
		skip(reader, 1);
		return read_bracket(reader, step);
	}
	if (!at(reader, '.'))
		return refuse(reader, "a step begins with '.' or '['");
	skip(reader, 1);
	if (at(reader, '['))
		return read_step(reader, step);
	if (at(reader, '*')) {
		skip(reader, 1);
		step->kind = STEP_ALL;
		return true;
	}
	step->kind = STEP_FIELD;
	step->key = take_key(reader, ".[");
	return step->key[0] != '\0' || refuse(reader, "a step has no name");
}

static bool read_steps(struct reader *reader, struct jsonpath *path)
{
	if (str_starts_with(reader->rest, STR_LIT("{")) &&
	    str_ends_with(reader->rest, STR_LIT("}")))
		reader->rest = str_make(reader->rest.ptr + 1, reader->rest.len - 2);
	if (at(reader, '$'))
		skip(reader, 1);
	if (reader->rest.len == 0)
		return refuse(reader, "is empty");
	while (reader->rest.len > 0) {
		if (path->n_steps == JSONPATH_STEPS_MAX)
			return refuse(reader, "has too many steps");
		if (!read_step(reader, &path->steps[path->n_steps++]))
			return false;
	}
	return true;
}

struct jsonpath *jsonpath_create(const char *text, struct err *err)
{
	struct reader reader = {.rest = str_from(text), .text = text, .err = err};
	if (reader.rest.len > JSONPATH_TEXT_MAX) {
		IGNORE(err_set(err, ERR_INVALID, "a JSON path is longer than %d bytes",
		               JSONPATH_TEXT_MAX));
		return NULL;
	}
	struct jsonpath *path = xcalloc(1, sizeof(*path));
	if (read_steps(&reader, path))
		return path;
	jsonpath_destroy(path);
	return NULL;
}

void jsonpath_destroy(struct jsonpath *path)
{
	if (path == NULL)
		return;
	for (size_t i = 0; i < path->n_steps; i++) {
		free(path->steps[i].key);
		free(path->steps[i].value);
	}
	free(path);
}

/* --- finding ---------------------------------------------------------------------------------- */

struct walk {
	const struct jsonpath *path;
	json_t *all; /* NULL: stop at the first */
	json_t *first;
};

static void walk_step(struct walk *walk, size_t i, json_t *value);

static bool is_done(const struct walk *walk)
{
	return walk->all == NULL && walk->first != NULL;
}

static void walk_index(struct walk *walk, size_t i, json_t *value)
{
	long n = (long)json_array_size(value);
	long index = walk->path->steps[i].index;
	if (index < 0)
		index += n;
	if (index >= 0 && index < n)
		walk_step(walk, i + 1, json_array_get(value, (size_t)index));
}

static void walk_all(struct walk *walk, size_t i, json_t *value)
{
	size_t n;
	const char *key;
	json_t *item;
	json_array_foreach (value, n, item) {
		if (!is_done(walk))
			walk_step(walk, i + 1, item);
	}
	json_object_foreach (value, key, item) {
		if (!is_done(walk))
			walk_step(walk, i + 1, item);
	}
}

static void walk_filter(struct walk *walk, size_t i, json_t *value)
{
	const struct step *step = &walk->path->steps[i];
	size_t n;
	json_t *item;
	json_array_foreach (value, n, item) {
		const json_t *have = json_object_get(item, step->key);
		const char *text = json_string_value(have);
		bool matches = step->value == NULL ? have != NULL
		                                   : text != NULL && strcmp(text, step->value) == 0;
		if (matches && !is_done(walk))
			walk_step(walk, i + 1, item);
	}
}

static void walk_step(struct walk *walk, size_t i, json_t *value)
{
	if (value == NULL)
		return;
	if (i == walk->path->n_steps) {
		if (walk->first == NULL)
			walk->first = value;
		if (walk->all != NULL)
			json_array_append(walk->all, value);
		return;
	}
	switch (walk->path->steps[i].kind) {
	case STEP_FIELD:
		walk_step(walk, i + 1, json_object_get(value, walk->path->steps[i].key));
		break;
	case STEP_INDEX:
		walk_index(walk, i, value);
		break;
	case STEP_ALL:
		walk_all(walk, i, value);
		break;
	case STEP_FILTER:
		walk_filter(walk, i, value);
		break;
	}
}

json_t *jsonpath_find(const struct jsonpath *path, const json_t *obj)
{
	struct walk walk = {.path = path};
	walk_step(&walk, 0, (json_t *)(uintptr_t)obj);
	return walk.first;
}

json_t *jsonpath_find_all(const struct jsonpath *path, const json_t *obj)
{
	struct walk walk = {.path = path, .all = json_array()};
	walk_step(&walk, 0, (json_t *)(uintptr_t)obj);
	return walk.all;
}
