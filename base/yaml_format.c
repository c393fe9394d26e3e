/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the manner of kubectl: lists not indented below their key, long texts as block scalars, quotes
 * only where the plain form would mean something else.
 */
#include "yaml_scalar.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/yaml.h"

enum {
	YAML_FORMAT_MAX = 256 << 20
};

static int take_output(void *arg, unsigned char *data, size_t len)
{
	return buf_add(arg, data, len) ? 1 : 0;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	if (made == 0 || yaml_emitter_emit(emitter, event) == 0)
		UNREACHABLE("JSON value that cannot be written as YAML");
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, size_t len,
                        yaml_scalar_style_t style)
{
	yaml_event_t event;

	emit(emitter, &event,
	     yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len,
	                                  1, 1, style));
}

static void emit_text(yaml_emitter_t *emitter, const char *text)
{
	struct str s = str_from(text);
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;

	if (yaml_scalar_is_ambiguous(s))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	else if (memchr(s.ptr, '\n', s.len) != NULL)
		style = YAML_LITERAL_SCALAR_STYLE;
	emit_scalar(emitter, text, s.len, style);
}

static void emit_value(yaml_emitter_t *emitter, json_t *value);

static void emit_object(yaml_emitter_t *emitter, json_t *object)
{
	yaml_mapping_style_t style =
		json_object_size(object) > 0 ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
	yaml_event_t event;

	emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
	for (void *it = json_object_iter(object); it != NULL;
	     it = json_object_iter_next(object, it)) {
		emit_text(emitter, json_object_iter_key(it));
		emit_value(emitter, json_object_iter_value(it));
	}
	emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static void emit_array(yaml_emitter_t *emitter, const json_t *array)
{
	yaml_sequence_style_t style =
		json_array_size(array) > 0 ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
	yaml_event_t event;

	emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
	for (size_t i = 0; i < json_array_size(array); i++)
		emit_value(emitter, json_array_get(array, i));
	emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

/* Recursion is as deep as the value, which every reader of ours limits to JSON_DEPTH_MAX. */
static void emit_value(yaml_emitter_t *emitter, json_t *value)
{
	if (json_is_object(value)) {
		emit_object(emitter, value);
	} else if (json_is_array(value)) {
		emit_array(emitter, value);
	} else if (json_is_string(value)) {
		emit_text(emitter, json_string_value(value));
	} else {
		CLEANUP(free_ptr) char *text = json_format(value);
		emit_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
	}
}

char *yaml_format(const json_t *value)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	struct buf out;

	buf_init(&out, YAML_FORMAT_MAX);
	if (!yaml_emitter_initialize(&emitter))
		UNREACHABLE("out of memory");
	yaml_emitter_set_output(&emitter, take_output, &out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	/* jansson's iterators take no const. */
	emit_value(&emitter, (json_t *)(uintptr_t)value);
	emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
	emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
	return buf_take(&out);
}
