/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses where the pieces end; whole and in pieces the result is the same, and
 * every item of a list that was taken is one JSON text of its own length.
 */
#include "reflector_split_priv.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool collect(struct str text, void *arg, struct err *err)
{
	struct buf *all = arg;

	(void)err;
	assert(text.len > 0);
	buf_printf(all, "%zu:", text.len);
	buf_add_str(all, text);
	return true;
}

static bool read_list(struct str text, size_t step, struct buf *all)
{
	struct split_list split;
	struct err err;
	json_t *frame = NULL;
	bool ok = true;

	split_list_init(&split, collect, all);
	for (size_t at = 0; ok && at < text.len; at += step) {
		size_t left = text.len - at;

		ok = split_list_feed(&split, str_make(text.ptr + at, left < step ? left : step),
		                     &err);
	}
	if (ok)
		frame = split_list_end(&split, &err);
	ok = frame != NULL;
	json_decref(frame);
	split_list_fini(&split);
	return ok;
}

static bool read_lines(struct str text, size_t step, struct buf *all)
{
	struct split_lines split;
	struct err err;
	bool ok = true;

	split_lines_init(&split, collect, all);
	for (size_t at = 0; ok && at < text.len; at += step) {
		size_t left = text.len - at;

		ok = split_lines_feed(&split, str_make(text.ptr + at, left < step ? left : step),
		                      &err);
	}
	split_lines_fini(&split);
	return ok;
}

typedef bool (*read_cb)(struct str text, size_t step, struct buf *all);

static void compare(read_cb read, struct str text, size_t step)
{
	struct buf CLEANUP(buf_fini) whole = {.max = 64 << 20};
	struct buf CLEANUP(buf_fini) pieces = {.max = 64 << 20};
	bool whole_ok = read(text, text.len, &whole);
	bool pieces_ok = read(text, step, &pieces);

	assert(whole_ok == pieces_ok);
	assert(str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct str text = str_make((const char *)data + 1, size - 1);
	size_t step = (size_t)data[0] % 7 + 1;

	compare(read_list, text, step);
	compare(read_lines, text, step);
	return 0;
}
