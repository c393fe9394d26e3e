/* SPDX-License-Identifier: Apache-2.0 */
/* However the bytes are cut, the parser says the same. The first byte chooses the cut. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_head(struct buf *out, struct http1_parser *parser)
{
	struct http1_head head;

	http1_take_head(parser, &head);
	buf_printf(out, "%.*s %.*s?%.*s %d%d\n", STR_ARG(head.request.method),
	           STR_ARG(head.request.path), STR_ARG(head.request.query), head.keep_alive,
	           head.chunked);
	if (head.request.path.len == 0 || head.request.path.ptr[0] != '/')
		abort();
	http1_head_fini(&head);
}

static bool note_step(struct buf *out, struct http1_parser *parser, struct str *input)
{
	struct str data;
	struct err err;

	switch (http1_step(parser, input, &data, &err)) {
	case HTTP1_MORE:
		return false;
	case HTTP1_ON_HEAD:
		note_head(out, parser);
		return true;
	case HTTP1_ON_DATA:
		buf_add_str(out, data);
		return true;
	case HTTP1_ON_END:
		buf_add_text(out, ".\n");
		return true;
	case HTTP1_BAD:
		buf_printf(out, "BAD\n");
		return false;
	}
	return false;
}

static void note_all(struct buf *out, const char *bytes, size_t len, size_t cut)
{
	struct http1_parser parser;

	buf_init(out, 4 << 20);
	http1_parser_init(&parser);
	for (size_t from = 0; from < len && parser.state != HTTP1_DEAD;) {
		size_t n = len - from < cut ? len - from : cut;
		char *piece = xmemdup(bytes + from, n);
		struct str input = {piece, n};

		while (note_step(out, &parser, &input)) {
		}
		free(piece);
		from += n;
	}
	http1_parser_fini(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;

	if (size < 2)
		return 0;
	note_all(&whole, (const char *)data + 1, size - 1, size);
	note_all(&cut, (const char *)data + 1, size - 1, (size_t)data[0] + 1);
	if (!str_eq(buf_str(&whole), buf_str(&cut)))
		abort();
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
