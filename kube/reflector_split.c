/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list reader counts brackets and knows strings; everything else is left to the JSON parser,
 * which sees each item and, at the end, the frame around them.
 */
#include "reflector_split_priv.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "kube/reflector.h"

void split_list_init(struct split_list *split, reflector_text_cb on_item, void *arg)
{
	*split = (struct split_list){.on_item = on_item, .arg = arg};
	buf_init(&split->frame, REFLECTOR_FRAME_MAX);
	buf_init(&split->item, REFLECTOR_LINE_MAX);
}

void split_list_fini(struct split_list *split)
{
	buf_fini(&split->frame);
	buf_fini(&split->item);
}

static bool in_items(const struct split_list *split)
{
	return split->item_depth > 0;
}

/* --- inside a string -------------------------------------------------------------------------- */

static void on_string_end(struct split_list *split)
{
	split->in_string = false;
	if (!split->is_key || in_items(split))
		return;
	/* The closing quote is not yet in the frame. */
	struct str key =
		str_make(split->frame.ptr + split->key_at, split->frame.len - split->key_at);

	split->is_items = str_is(key, "items");
	split->is_key = false;
}

static void on_string_char(struct split_list *split, char c)
{
	if (split->escaped)
		split->escaped = false;
	else if (c == '\\')
		split->escaped = true;
	else if (c == '"')
		on_string_end(split);
}

/* --- outside ---------------------------------------------------------------------------------- */

static bool on_open(struct split_list *split, char c)
{
	split->depth++;
	if (c == '[' && split->depth == 2 && split->is_items)
		split->item_depth = split->depth;
	split->is_key = c == '{' && split->depth == 1;
	return split->depth <= JSON_DEPTH_MAX;
}

/* ret_item_done: this bracket ends an item. */
static bool on_close(struct split_list *split, bool *ret_item_done)
{
	if (split->depth == 0)
		return false;
	split->depth--;
	*ret_item_done = in_items(split) && split->depth == split->item_depth;
	if (in_items(split) && split->depth < split->item_depth) {
		split->item_depth = 0;
		split->is_items = false;
	}
	split->ended = split->depth == 0;
	return true;
}

/* Between the items only these may stand: white space, commas in their places, '{' and ']'. */
static bool between_items_ok(struct split_list *split, char c)
{
	if (isspace((unsigned char)c))
		return true;
	if (c == ']')
		return split->needs_comma || split->n_items == 0;
	if (c == ',' && split->needs_comma) {
		split->needs_comma = false;
		return true;
	}
	return c == '{' && !split->needs_comma;
}

static bool keep(struct split_list *split, char c)
{
	bool skip =
		in_items(split) && split->item.len == 0 && (c == ',' || isspace((unsigned char)c));

	if (skip)
		return true;
	return buf_add_char(in_items(split) ? &split->item : &split->frame, c);
}

static bool end_item(struct split_list *split, struct err *err)
{
	bool ok = split->on_item(buf_str(&split->item), split->arg, err);

	buf_clear(&split->item);
	split->needs_comma = true;
	split->n_items++;
	return ok;
}

static bool too_large(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "an item of the list has more than %d bytes",
	               REFLECTOR_LINE_MAX);
}

static bool broken(struct err *err, const char *why)
{
	return err_set(err, ERR_PROTOCOL, "the answer is not a Kubernetes list: %s", why);
}

/* Brackets change what the character belongs to: an opening '[' of items and its ']' belong to the
 * frame, the brackets of an item to the item. */
static bool on_structure(struct split_list *split, char c, struct err *err)
{
	bool was_in_items = in_items(split);
	bool item_done = false;

	if (was_in_items && split->depth == split->item_depth && !between_items_ok(split, c))
		return broken(err, "junk between its items");
	switch (c) {
	case '"':
		split->in_string = true;
		split->key_at = split->frame.len + 1;
		break;
	case '{':
	case '[':
		if (!on_open(split, c))
			return broken(err, "nested too deeply");
		break;
	case '}':
	case ']':
		if (!on_close(split, &item_done))
			return broken(err, "a bracket closes that was not opened");
		break;
	case ',':
		split->is_key = split->depth == 1;
		break;
	default:
		break;
	}
	bool to_frame = !was_in_items || !in_items(split);
	bool kept = to_frame ? buf_add_char(&split->frame, c) : keep(split, c);

	if (!kept)
		return to_frame ? broken(err, "too much around its items") : too_large(err);
	return !item_done || end_item(split, err);
}

static bool on_char(struct split_list *split, char c, struct err *err)
{
	if (split->in_string) {
		on_string_char(split, c);
		return keep(split, c) || too_large(err);
	}
	if (split->ended || (split->depth == 0 && c != '{')) {
		if (isspace((unsigned char)c))
			return true;
		return broken(err, split->ended ? "more after its end"
		                   : c == '<' ? "it is HTML; is this the address of an API server?"
		                              : "it is not a JSON object");
	}
	return on_structure(split, c, err);
}

/* Most bytes of a list lie inside strings: they are taken run by run. */
static size_t string_run(const struct split_list *split, struct str data, size_t at)
{
	size_t n = 0;

	if (!split->in_string || split->escaped)
		return 0;
	while (at + n < data.len && data.ptr[at + n] != '"' && data.ptr[at + n] != '\\')
		n++;
	return n;
}

bool split_list_feed(struct split_list *split, struct str data, struct err *err)
{
	for (size_t i = 0; i < data.len;) {
		size_t run = string_run(split, data, i);
		struct buf *to = in_items(split) ? &split->item : &split->frame;

		if (run > 0 && !buf_add(to, data.ptr + i, run))
			return too_large(err);
		i += run;
		if (i < data.len && !on_char(split, data.ptr[i++], err))
			return false;
	}
	return true;
}

json_t *split_list_end(struct split_list *split, struct err *err)
{
	if (!split->ended) {
		err_set(err, ERR_IO, "the list broke off after %zu items", split->n_items);
		return NULL;
	}
	json_t *frame = json_parse(buf_str(&split->frame), err);

	if (frame == NULL) {
		err_wrap(err, "list");
		return NULL;
	}
	const json_t *items = json_object_get(frame, "items");

	if (items == NULL || json_str_at(frame, "metadata.resourceVersion", "")[0] == '\0') {
		broken(err, "it has no 'items' or no 'metadata.resourceVersion'");
		json_decref(frame);
		return NULL;
	}
	return frame;
}

/* --- lines ------------------------------------------------------------------------------------ */

void split_lines_init(struct split_lines *split, reflector_text_cb on_line, void *arg)
{
	*split = (struct split_lines){.on_line = on_line, .arg = arg};
	buf_init(&split->line, REFLECTOR_LINE_MAX);
}

void split_lines_fini(struct split_lines *split)
{
	buf_fini(&split->line);
}

static bool end_line(struct split_lines *split, struct str line, struct err *err)
{
	line = str_trim(line);
	return line.len == 0 || split->on_line(line, split->arg, err);
}

static bool line_too_large(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "an event has more than %d bytes", REFLECTOR_LINE_MAX);
}

bool split_lines_feed(struct split_lines *split, struct str data, struct err *err)
{
	const char *end;

	for (; data.len > 0; data = str_make(end + 1, data.len - (size_t)(end + 1 - data.ptr))) {
		end = memchr(data.ptr, '\n', data.len);
		if (end == NULL)
			return buf_add_str(&split->line, data) || line_too_large(err);
		struct str piece = str_make(data.ptr, (size_t)(end - data.ptr));

		if (split->line.len == 0 && piece.len <= REFLECTOR_LINE_MAX) {
			if (!end_line(split, piece, err))
				return false;
			continue;
		}
		if (!buf_add_str(&split->line, piece))
			return line_too_large(err);
		bool ok = end_line(split, buf_str(&split->line), err);

		buf_clear(&split->line);
		if (!ok)
			return false;
	}
	return true;
}

bool split_lines_is_between(const struct split_lines *split)
{
	return split->line.len == 0;
}
