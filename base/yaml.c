/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml gives events; a stack of open objects and lists turns them into JSON without recursion.
 */
#include "base/yaml.h"

#include "yaml_scalar.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"

struct frame {
	json_t *container; /* owned by its parent, or by docs */
	char *key;         /* of an object: waits for its value; owned */
};

struct reader {
	yaml_parser_t parser;
	const char *name;
	json_t *docs; /* owned until taken */
	struct frame frames[JSON_DEPTH_MAX];
	size_t depth;
	size_t n_nodes;
};

static bool fail_at(const struct reader *reader, yaml_mark_t mark, const char *why, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "%s:%zu:%zu: %s", reader->name, mark.line + 1,
	               mark.column + 1, why);
}

/* Puts a finished or just opened value where it belongs. Steals value. */
static bool place(struct reader *reader, json_t *value)
{
	if (reader->depth == 0) {
		if (json_is_null(value)) {
			json_decref(value);
			return true;
		}
		return json_array_append_new(reader->docs, value) == 0;
	}
	struct frame *frame = &reader->frames[reader->depth - 1];
	if (json_is_array(frame->container))
		return json_array_append_new(frame->container, value) == 0;
	bool ok = json_object_set_new(frame->container, frame->key, value) == 0;
	free(frame->key);
	frame->key = NULL;
	return ok;
}

static bool awaits_key(const struct reader *reader)
{
	if (reader->depth == 0)
		return false;
	const struct frame *frame = &reader->frames[reader->depth - 1];
	return json_is_object(frame->container) && frame->key == NULL;
}

static bool open_container(struct reader *reader, const yaml_event_t *event, json_t *container,
                           struct err *err)
{
	if (awaits_key(reader)) {
		json_decref(container);
		return fail_at(reader, event->start_mark, "a key must be a string", err);
	}
	if (reader->depth == JSON_DEPTH_MAX) {
		json_decref(container);
		return fail_at(reader, event->start_mark, "nested too deeply (64 levels)", err);
	}
	if (!place(reader, container))
		return fail_at(reader, event->start_mark, "cannot be kept", err);
	reader->frames[reader->depth++] = (struct frame){.container = container};
	return true;
}

static bool take_key(struct reader *reader, const yaml_event_t *event, struct str text,
                     struct err *err)
{
	struct frame *frame = &reader->frames[reader->depth - 1];
	char *key = str_dup(text);

	if (json_object_get(frame->container, key) != NULL) {
		free(key);
		return err_set(err, ERR_BAD_REQUEST, "%s:%zu:%zu: key '%.*s' is there twice",
		               reader->name, event->start_mark.line + 1,
		               event->start_mark.column + 1, (int)(text.len < 100 ? text.len : 100),
		               text.ptr);
	}
	frame->key = key;
	return true;
}

static bool on_scalar(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	struct str text =
		str_make((const char *)event->data.scalar.value, event->data.scalar.length);
	json_t *value;

	if (memchr(text.ptr, '\0', text.len) != NULL)
		return fail_at(reader, event->start_mark, "text contains a NUL", err);
	if (awaits_key(reader))
		return take_key(reader, event, text, err);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		value = yaml_scalar_parse(text);
	else
		value = json_stringn(text.ptr, text.len);
	if (value == NULL)
		return fail_at(reader, event->start_mark, "value has no JSON form", err);
	if (!place(reader, value))
		return fail_at(reader, event->start_mark, "cannot be kept", err);
	return true;
}

static bool check_plain(const struct reader *reader, const yaml_event_t *event,
                        const yaml_char_t *anchor, const yaml_char_t *tag, struct err *err)
{
	if (anchor != NULL)
		return fail_at(reader, event->start_mark, "anchors are not supported", err);
	if (tag != NULL)
		return fail_at(reader, event->start_mark, "tags are not supported", err);
	return true;
}

static bool check_node(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	if (++reader->n_nodes > YAML_NODES_MAX)
		return fail_at(reader, event->start_mark, "too many values", err);
	if (event->type == YAML_SCALAR_EVENT)
		return check_plain(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
		                   err);
	if (event->type == YAML_MAPPING_START_EVENT)
		return check_plain(reader, event, event->data.mapping_start.anchor,
		                   event->data.mapping_start.tag, err);
	return check_plain(reader, event, event->data.sequence_start.anchor,
	                   event->data.sequence_start.tag, err);
}

static bool on_event(struct reader *reader, const yaml_event_t *event, struct err *err)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return fail_at(reader, event->start_mark, "aliases are not supported", err);
	case YAML_SCALAR_EVENT:
		return check_node(reader, event, err) && on_scalar(reader, event, err);
	case YAML_MAPPING_START_EVENT:
		return check_node(reader, event, err) &&
		       open_container(reader, event, json_object(), err);
	case YAML_SEQUENCE_START_EVENT:
		return check_node(reader, event, err) &&
		       open_container(reader, event, json_array(), err);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		reader->depth--;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	}
	UNREACHABLE("YAML event");
}

static bool read_events(struct reader *reader, struct err *err)
{
	for (;;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&reader->parser, &event)) {
			const char *problem = reader->parser.problem;
			return fail_at(reader, reader->parser.problem_mark,
			               problem != NULL ? problem : "not YAML", err);
		}
		bool ended = event.type == YAML_STREAM_END_EVENT;
		bool ok = on_event(reader, &event, err);
		yaml_event_delete(&event);
		if (!ok || ended)
			return ok;
	}
}

static json_t *parse_all(struct reader *reader, struct str text, struct err *err)
{
	reader->docs = json_array();
	if (!yaml_parser_initialize(&reader->parser))
		UNREACHABLE("out of memory");
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text.ptr, text.len);
	if (!read_events(reader, err)) {
		json_decref(reader->docs);
		reader->docs = NULL;
	}
	for (size_t i = 0; i < reader->depth; i++)
		free(reader->frames[i].key);
	yaml_parser_delete(&reader->parser);
	return reader->docs;
}

json_t *yaml_parse_all(struct str text, const char *name, struct err *err)
{
	struct reader reader = {.name = name};

	if (text.len > JSON_TEXT_MAX) {
		err_set(err, ERR_TOO_LARGE, "%s: %zu bytes of YAML are over the limit of %d", name,
		        text.len, JSON_TEXT_MAX);
		return NULL;
	}
	return parse_all(&reader, text.ptr != NULL ? text : STR_LIT(""), err);
}

json_t *yaml_parse(struct str text, const char *name, struct err *err)
{
	CLEANUP(json_cleanup) json_t *docs = yaml_parse_all(text, name, err);

	if (docs == NULL)
		return NULL;
	if (json_array_size(docs) != 1) {
		err_set(err, ERR_BAD_REQUEST, "%s: one YAML document is wanted, there are %zu",
		        name, json_array_size(docs));
		return NULL;
	}
	return json_incref(json_array_get(docs, 0));
}
