/* SPDX-License-Identifier: Apache-2.0 */
#include "h2.h"

#include "base/macros.h"

nghttp2_option *h2_option_create(void)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		UNREACHABLE("out of memory");
	/* A window opens again only for what the handler has taken. */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_continuations(option, H2_CONTINUATIONS_MAX);
	nghttp2_option_set_stream_reset_rate_limit(option, H2_RESETS_BURST, H2_RESETS_PER_S);
	nghttp2_option_set_max_send_header_block_length(option, 2 * HTTP_FIELDS_BYTES_MAX);
	/* Closed streams would be kept for a priority tree that nobody uses. */
	nghttp2_option_set_no_closed_streams(option, 1);
	return option;
}

void h2_session_start(nghttp2_session *session, size_t streams_max)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_FIELDS_BYTES_MAX},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)streams_max},
	};
	/* A server may not send ENABLE_PUSH other than 0; a client has no use for streams_max. */
	size_t n = streams_max > 0 ? 3 : 2;

	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, n) != 0 ||
	    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
	                                          H2_CONNECTION_WINDOW) != 0)
		UNREACHABLE("SETTINGS of ours refused");
}

bool h2_pump(nghttp2_session *session, struct wire *wire, struct err *err)
{
	while (wire_queued(wire) < H2_WIRE_QUEUE) {
		const uint8_t *frame;
		ssize_t n = nghttp2_session_mem_send(session, &frame);

		if (n < 0)
			return err_set(err, ERR_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)n));
		if (n == 0)
			return true;
		if (!wire_write(wire, str_make((const char *)frame, (size_t)n)))
			return err_set(err, ERR_IO, "the connection takes no more output");
	}
	return true;
}

static uint8_t *bytes_of(const char *text)
{
	union {
		const char *in;
		uint8_t *out;
	} pun = {.in = text}; /* nghttp2 wants non-const and does not write */

	return pun.out;
}

static void add(struct h2_block *block, struct str name, struct str value)
{
	if (block->n >= N_ELEMS(block->nv))
		return;
	block->nv[block->n++] = (nghttp2_nv){
		.name = bytes_of(name.ptr),
		.namelen = name.len,
		.value = bytes_of(value.len > 0 ? value.ptr : ""),
		.valuelen = value.len,
	};
}

void h2_block_add(struct h2_block *block, const char *name, struct str value)
{
	add(block, str_from(name), value);
}

static bool is_forbidden(struct str name)
{
	static const char *const names[] = {"connection",        "keep-alive", "proxy-connection",
	                                    "transfer-encoding", "upgrade",    "host"};

	for (size_t i = 0; i < N_ELEMS(names); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return false;
}

void h2_block_add_fields(struct h2_block *block, const struct http_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		if (!is_forbidden(fields->v[i].name))
			add(block, fields->v[i].name, fields->v[i].value);
	}
}

size_t h2_take(struct outq *out, uint8_t *frame, size_t len)
{
	struct str front = outq_front(out);
	size_t n = front.len < len ? front.len : len;

	if (n == 0)
		return 0;
	memcpy(frame, front.ptr, n);
	outq_take(out, n);
	return n;
}
