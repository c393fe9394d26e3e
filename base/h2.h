/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2 - what both ends of HTTP/2 share: nghttp2's options and limits, header blocks, moving frames
 * to a wire and bytes of a queue into DATA frames. Private to base.
 */
#pragma once

#include "outq.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/http_fields.h"
#include "base/wire.h"

enum {
	H2_CONNECTION_WINDOW = 1 << 20,
	H2_WIRE_QUEUE = 256 << 10, /* frames are made as long as the wire holds less */
	H2_CONTINUATIONS_MAX = 8,
	H2_RESETS_BURST = 1000, /* streams opened and reset by the peer (CVE-2023-44487) */
	H2_RESETS_PER_S = 33,
	H2_PSEUDO_MAX = 8
};

/* Owned: nghttp2_option_del. */
nghttp2_option *h2_option_create(void);

/* Puts our SETTINGS and the connection's window first. streams_max 0: the client's side. */
void h2_session_start(nghttp2_session *session, size_t streams_max);

/* Moves frames to the wire. False: the session failed (ERR_PROTOCOL). */
MUST_CHECK
bool h2_pump(nghttp2_session *session, struct wire *wire, struct err *err);

/* A header block under construction; texts are borrowed until the block is submitted. */
struct h2_block {
	nghttp2_nv nv[HTTP_FIELDS_MAX + H2_PSEUDO_MAX];
	size_t n;
};

void h2_block_add(struct h2_block *block, const char *name, struct str value);
/* Leaves out what HTTP/2 forbids (connection, transfer-encoding ...). */
void h2_block_add_fields(struct h2_block *block, const struct http_fields *fields);

/* Fills a DATA frame from the queue. 0: nothing there. */
size_t h2_take(struct outq *out, uint8_t *frame, size_t len);
