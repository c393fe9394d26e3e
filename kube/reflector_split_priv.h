/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_split - cuts what an API server streams into single objects, wherever the pieces of the
 * stream end: the items of a List, and the lines of a watch.
 *
 * Pure. Of a list everything but the items is kept (with an empty items array in their place) and
 * can be read when the list has ended. Nothing larger than REFLECTOR_LINE_MAX is collected.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	REFLECTOR_FRAME_MAX = 64 << 10 /* a List without its items */
};

/* The text of one item or line; borrowed. False with err ends the reading. */
typedef bool (*reflector_text_cb)(struct str text, void *arg, struct err *err);

struct split_list {
	reflector_text_cb on_item;
	void *arg;
	struct buf frame;
	struct buf item;
	unsigned depth;      /* of brackets that are open */
	unsigned item_depth; /* inside items: depth of the array; else 0 */
	bool in_string;
	bool escaped;
	bool is_key;      /* the string at depth 1 is a key */
	bool is_items;    /* that key is "items" */
	bool needs_comma; /* between items */
	bool ended;
	size_t key_at; /* where the key begins in frame */
	size_t n_items;
};

void split_list_init(struct split_list *split, reflector_text_cb on_item, void *arg);
void split_list_fini(struct split_list *split);
/* ERR_PROTOCOL: not a JSON object, broken; ERR_TOO_LARGE; what on_item said. */
MUST_CHECK
bool split_list_feed(struct split_list *split, struct str data, struct err *err);
/* The List without items; owned. ERR_PROTOCOL: broken off, or not a List with a version. */
MUST_CHECK
json_t *split_list_end(struct split_list *split, struct err *err);

struct split_lines {
	reflector_text_cb on_line;
	void *arg;
	struct buf line;
};

void split_lines_init(struct split_lines *split, reflector_text_cb on_line, void *arg);
void split_lines_fini(struct split_lines *split);
/* Empty lines are left out. ERR_TOO_LARGE, or what on_line said. */
MUST_CHECK
bool split_lines_feed(struct split_lines *split, struct str data, struct err *err);
/* Text after the last line end: the stream broke off inside a line. */
bool split_lines_is_between(const struct split_lines *split);
