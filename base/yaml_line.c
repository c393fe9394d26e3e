/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the text once more and follows the path: a frame is on the path when it was reached by the
 * path's first steps.
 */
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/yaml.h"

struct step {
	struct str key; /* empty: index counts */
	uint64_t index;
};

struct frame {
	bool is_map;
	bool on_path;
	bool has_key; /* the next event is a value */
	bool key_fits;
	uint64_t n_items;
};

struct finder {
	struct step steps[JSON_DEPTH_MAX];
	size_t n_steps;
	struct frame frames[JSON_DEPTH_MAX];
	size_t depth;
	int line; /* 0: not found yet */
};

static bool add_step(struct finder *finder, struct step step)
{
	if (finder->n_steps == JSON_DEPTH_MAX)
		return false;
	finder->steps[finder->n_steps++] = step;
	return true;
}

/* "routes[3]" : the name, if any, then the indices. */
static bool add_part(struct finder *finder, struct str part)
{
	struct str name;

	if (!str_split(&part, '[', &name))
		return false;
	if (name.len > 0 && !add_step(finder, (struct step){.key = name}))
		return false;
	struct str index;
	while (str_split(&part, '[', &index)) {
		struct step step = {.key = STR_NULL};
		if (!str_ends_with(index, STR_LIT("]")) ||
		    !str_to_u64(str_make(index.ptr, index.len - 1), INT32_MAX, &step.index) ||
		    !add_step(finder, step))
			return false;
	}
	return true;
}

static bool parse_path(struct finder *finder, const char *path)
{
	struct str rest = str_from(path);
	struct str part;

	while (str_split(&rest, '.', &part)) {
		if (!add_part(finder, part))
			return false;
	}
	return true;
}

/* Whether the value that comes now lies on the path; counts it in its container. */
static bool step_fits(struct finder *finder)
{
	if (finder->depth == 0)
		return true;
	struct frame *frame = &finder->frames[finder->depth - 1];
	const struct step *step = &finder->steps[finder->depth - 1];
	bool fits = frame->on_path && finder->depth <= finder->n_steps;

	frame->has_key = false;
	if (frame->is_map)
		return fits && frame->key_fits;
	return frame->n_items++ == step->index && fits && step->key.len == 0;
}

static void on_value(struct finder *finder, const yaml_event_t *event)
{
	bool fits = step_fits(finder);

	if (fits && finder->depth == finder->n_steps)
		finder->line = (int)event->start_mark.line + 1;
	if (event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT)
		return;
	finder->frames[finder->depth++] = (struct frame){
		.is_map = event->type == YAML_MAPPING_START_EVENT,
		.on_path = fits,
	};
}

static bool take_key(struct finder *finder, const yaml_event_t *event)
{
	if (finder->depth == 0 || event->type != YAML_SCALAR_EVENT)
		return false;
	struct frame *frame = &finder->frames[finder->depth - 1];
	if (!frame->is_map || frame->has_key)
		return false;
	struct str key =
		str_make((const char *)event->data.scalar.value, event->data.scalar.length);
	frame->has_key = true;
	frame->key_fits = finder->depth <= finder->n_steps && key.len > 0 &&
	                  str_eq(key, finder->steps[finder->depth - 1].key);
	return true;
}

/* False: the end, or too deep. */
static bool on_event(struct finder *finder, const yaml_event_t *event)
{
	bool opens =
		event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
	bool closes =
		event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;

	if (closes)
		finder->depth--;
	else if (opens && finder->depth == JSON_DEPTH_MAX)
		return false;
	else if ((opens || event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT) &&
	         !take_key(finder, event))
		on_value(finder, event);
	return finder->line == 0 && event->type != YAML_STREAM_END_EVENT;
}

int yaml_line_of(struct str text, const char *path)
{
	struct finder finder = {.n_steps = 0};
	yaml_parser_t parser;
	bool more = text.ptr != NULL && parse_path(&finder, path);

	if (!more)
		return 0;
	if (!yaml_parser_initialize(&parser))
		UNREACHABLE("out of memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
	while (more) {
		yaml_event_t event;
		more = yaml_parser_parse(&parser, &event) != 0;
		if (more) {
			more = on_event(&finder, &event);
			yaml_event_delete(&event);
		}
	}
	yaml_parser_delete(&parser);
	return finder.line;
}
