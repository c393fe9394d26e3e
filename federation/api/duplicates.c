/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the text with one frame for each open object or array; the text is known to parse.
 */
#include "duplicates.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"

struct frame {
	bool is_array;
	bool wants_key;
	size_t index;
	struct map keys;
	size_t path_len; /* of the parent's path */
};

struct scan {
	struct str rest;
	struct frame frames[JSON_DEPTH_MAX + 1];
	size_t n;
	struct buf path;
	json_t *paths;
};

static void set_path_len(struct scan *scan, size_t len)
{
	scan->path.len = len;
	scan->path.failed = false;
	if (scan->path.ptr != NULL)
		scan->path.ptr[len] = '\0';
}

/* The text at the front, without its quotes. */
static struct str take_text(struct scan *scan)
{
	size_t i = 1;
	while (i < scan->rest.len && scan->rest.ptr[i] != '"')
		i += scan->rest.ptr[i] == '\\' ? 2 : 1;
	struct str text = str_make(scan->rest.ptr + 1, i - 1);
	size_t used = i + 1 < scan->rest.len ? i + 1 : scan->rest.len;
	scan->rest = str_make(scan->rest.ptr + used, scan->rest.len - used);
	return text;
}

static void on_key(struct scan *scan, struct str key)
{
	struct frame *frame = &scan->frames[scan->n - 1];
	set_path_len(scan, frame->path_len);
	buf_printf(&scan->path, "%s%.*s", frame->path_len > 0 ? "." : "", STR_ARG(key));
	if (map_find(&frame->keys, key) != NULL)
		json_array_append_new(scan->paths, json_string(buf_text(&scan->path)));
	map_set(&frame->keys, key, scan);
	frame->wants_key = false;
}

static void open_frame(struct scan *scan, bool is_array)
{
	if (scan->n == N_ELEMS(scan->frames))
		return;
	if (scan->n > 0 && scan->frames[scan->n - 1].is_array) {
		struct frame *parent = &scan->frames[scan->n - 1];
		set_path_len(scan, parent->path_len);
		buf_printf(&scan->path, "[%zu]", parent->index);
	}
	scan->frames[scan->n++] = (struct frame){
		.is_array = is_array, .wants_key = !is_array, .path_len = scan->path.len};
}

static void close_frame(struct scan *scan)
{
	if (scan->n == 0)
		return;
	map_fini(&scan->frames[--scan->n].keys, NULL);
}

static void step(struct scan *scan)
{
	struct frame *frame = scan->n > 0 ? &scan->frames[scan->n - 1] : NULL;
	char c = scan->rest.ptr[0];
	if (c == '"') {
		struct str text = take_text(scan);
		if (frame != NULL && frame->wants_key)
			on_key(scan, text);
		return;
	}
	scan->rest = str_make(scan->rest.ptr + 1, scan->rest.len - 1);
	if (c == '{' || c == '[') {
		open_frame(scan, c == '[');
	} else if (c == '}' || c == ']') {
		close_frame(scan);
	} else if (c == ',' && frame != NULL) {
		frame->wants_key = !frame->is_array;
		frame->index++;
	}
}

void api_duplicates_find(struct str text, json_t *paths)
{
	struct scan *scan = xcalloc(1, sizeof(*scan));
	scan->rest = text;
	scan->paths = paths;
	buf_init(&scan->path, 4096);
	while (scan->rest.len > 0)
		step(scan);
	while (scan->n > 0)
		close_frame(scan);
	buf_fini(&scan->path);
	free(scan);
}
