/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 - HTTP/1.1 requests out of bytes, and heads of answers into bytes. Private to base.
 *
 * Pure: no I/O, no clock. Strict, so that no one before us can read the bytes differently (request
 * smuggling): lines end with CRLF, no folded lines, no space before ':', one Host, one
 * Content-Length, "chunked" alone as transfer coding and never together with Content-Length.
 * Source: RFC 9112.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http.h"
#include "base/str.h"

enum {
	HTTP1_HEAD_MAX = 64 << 10,   /* request line and fields, as bytes */
	HTTP1_TRAILER_MAX = 8 << 10, /* all trailer lines */
	HTTP1_CHUNK_LINE_MAX = 256
};

struct http1_head {
	struct http_request request;
	bool keep_alive; /* the client allows another request */
	bool is_1_0;
	bool expects_continue;
	bool chunked;
	uint64_t body_len; /* when not chunked */
	struct buf texts;  /* what request's views point into */
};

/*
 *          ┌──────────────────────────────────────────────┐
 *          ▼                                              │
 *   LINE ─▶ FIELDS ─▶ (HEAD) ─┬─▶ BODY ──────────────▶ (END)
 *                             └─▶ SIZE ─▶ CHUNK ─▶ CRLF   ▲
 *                                  │ ▲             │      │
 *                                  │ └─────────────┘      │
 *                                  └─▶ TRAILER ───────────┘     any ─▶ (BAD)
 */
enum http1_state {
	HTTP1_LINE,
	HTTP1_FIELDS,
	HTTP1_BODY,
	HTTP1_SIZE,
	HTTP1_CHUNK,
	HTTP1_CHUNK_CRLF,
	HTTP1_TRAILER,
	HTTP1_END_DUE,
	HTTP1_DEAD,
};

enum http1_event {
	HTTP1_MORE,    /* all input was taken */
	HTTP1_ON_HEAD, /* parser->head is filled; http1_take_head() before the next step */
	HTTP1_ON_DATA, /* ret_data: a piece of body, borrowed from the input */
	HTTP1_ON_END,  /* the request is whole; the next step starts another */
	HTTP1_BAD,     /* err; no further step */
};

struct http1_parser {
	enum http1_state state;
	struct http1_head head;
	struct buf line;
	size_t head_bytes;
	size_t trailer_bytes;
	uint64_t left; /* of the body or chunk */
	bool skipped_empty_line;
};

void http1_parser_init(struct http1_parser *parser);
void http1_parser_fini(struct http1_parser *parser);

/* Goes on until the next event and takes what it used from the front of *input. BAD:
 * ERR_BAD_REQUEST, ERR_TOO_LARGE (head). */
enum http1_event http1_step(struct http1_parser *parser, struct str *input, struct str *ret_data,
                            struct err *err);

/* Moves the head out; the caller owns it (http1_head_fini). */
void http1_take_head(struct http1_parser *parser, struct http1_head *ret_head);
void http1_head_fini(struct http1_head *head);

/* In the middle of a request? (Bytes of a line, or a body not at its end.) */
bool http1_is_busy(const struct http1_parser *parser);

/* How an answer's body is delimited. */
enum http1_framing {
	HTTP1_LENGTH,
	HTTP1_CHUNKED,
	HTTP1_UNTIL_CLOSE,
	HTTP1_NO_BODY, /* 204, 304: without a length */
};

struct http1_answer {
	int status;
	const char *content_type; /* NULL: none */
	const struct http_fields *fields;
	enum http1_framing framing;
	uint64_t body_len;
	bool keep_alive;
	int64_t now_wall_s;
};

void http1_format_head(struct buf *out, const struct http1_answer *answer);
