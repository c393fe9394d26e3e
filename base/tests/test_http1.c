/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "http1.h"

/* What a parser said about some bytes, as text: one line per request, "BAD ..." at the end. */
static void describe_head(struct buf *out, struct http1_parser *parser)
{
	struct http1_head head;
	const struct http_request *request = &head.request;

	http1_take_head(parser, &head);
	buf_printf(out, "%.*s path=%.*s query=%.*s host=%.*s%s%s%s", STR_ARG(request->method),
	           STR_ARG(request->path), STR_ARG(request->query), STR_ARG(request->authority),
	           head.keep_alive ? "" : " close", head.is_1_0 ? " 1.0" : "",
	           head.expects_continue ? " 100" : "");
	http1_head_fini(&head);
}

/* Returns false when the parser is done with. */
static bool describe_step(struct buf *out, struct http1_parser *parser, struct str *input)
{
	struct str data;
	struct err err;

	switch (http1_step(parser, input, &data, &err)) {
	case HTTP1_MORE:
		return false;
	case HTTP1_ON_HEAD:
		describe_head(out, parser);
		buf_add_text(out, " body=");
		return true;
	case HTTP1_ON_DATA:
		buf_add_str(out, data);
		return true;
	case HTTP1_ON_END:
		buf_add_text(out, ".\n");
		return true;
	case HTTP1_BAD:
		buf_printf(out, "BAD %s\n", err_reason(err.code));
		return false;
	}
	return false;
}

/* Feeds bytes cut at `cut`, and if `cut` is 0 byte by byte. The caller frees. */
static char *describe(struct str bytes, size_t cut)
{
	struct http1_parser parser;
	struct buf out;

	buf_init(&out, 1 << 20);
	http1_parser_init(&parser);
	for (size_t from = 0; from < bytes.len;) {
		size_t n = cut == 0 ? 1 : (from < cut ? cut : bytes.len) - from;
		/* A copy of the exact size, so that reading past it is seen. */
		char *piece = xmemdup(bytes.ptr + from, n);
		struct str input = {piece, n};

		while (describe_step(&out, &parser, &input)) {
		}
		free(piece);
		from += n;
		if (parser.state == HTTP1_DEAD)
			break;
	}
	http1_parser_fini(&parser);
	return buf_take(&out);
}

static void check(const char *bytes, const char *expected)
{
	struct str all = str_from(bytes);

	for (size_t cut = 0; cut <= all.len; cut++) {
		char *said = describe(all, cut);

		assert_string_equal(said != NULL ? said : "", expected);
		free(said);
	}
}

static void reads_requests_however_they_are_split(void **state)
{
	static const struct {
		const char *bytes;
		const char *expected;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET path=/ query= host=a body=.\n"},
		{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET path=/ query= host=a body=.\n"},
		{"GET /a%20b?x=1&y HTTP/1.1\r\nHOST:\ta \r\n\r\n",
	         "GET path=/a%20b query=x=1&y host=a body=.\n"},
		{"GET http://h:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
	         "GET path=/p query=q host=h:1 body=.\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
	         "GET path=/ query= host=a close body=.\n"},
		{"GET / HTTP/1.0\r\n\r\n", "GET path=/ query= host= close 1.0 body=.\n"},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	         "GET path=/ query= host= 1.0 body=.\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	         "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	         "POST path=/ query= host=a body=abc.\nGET path=/2 query= host=a body=.\n"},
		{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	         "PUT path=/ query= host=a 100 body=x.\n"},
		{"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	         "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
	         "PUT path=/ query= host=a body=abc0123456789.\n"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		check(rows[i].bytes, rows[i].expected);
}

static void refuses_what_others_could_read_differently(void **state)
{
	static const char *const rows[] = {
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
		"GET /\r\n\r\n",
		"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nx: a\x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"G / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
		"chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		check(rows[i], "BAD BadRequest\n");
}

static void refuses_malformed_chunks(void **state)
{
	static const char *const rows[] = {
		"\r\n",
		"g\r\n",
		"0x1\r\n",
		"-1\r\n",
		"1 \r\nx\r\n",
		"1\nx\r\n",
		"1000000000000000\r\n",
		"1\r\nxyz\r\n",
		"0\r\nbad trailer\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *bytes = xasprintf(
			"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s",
			rows[i]);
		char *said = describe(str_from(bytes), 0);

		assert_non_null(strstr(said, "BAD "));
		free(said);
		free(bytes);
	}
}

static void limits_the_head(void **state)
{
	struct buf bytes;
	char *said;

	(void)state;
	buf_init(&bytes, 1 << 20);
	buf_add_text(&bytes, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 300; i++)
		buf_printf(&bytes, "f%d: v\r\n", i);
	said = describe(buf_str(&bytes), bytes.len);
	assert_string_equal(said, "BAD RequestEntityTooLarge\n");
	free(said);
	buf_clear(&bytes);
	buf_add_text(&bytes, "GET /");
	for (int i = 0; i < HTTP1_HEAD_MAX; i++)
		buf_add_char(&bytes, 'a');
	said = describe(buf_str(&bytes), 5000);
	assert_string_equal(said, "BAD RequestEntityTooLarge\n");
	free(said);
	buf_fini(&bytes);
}

static void formats_heads_of_answers(void **state)
{
	struct http_fields fields = HTTP_FIELDS_EMPTY;
	struct http1_answer answer = {.status = 200,
	                              .content_type = "text/plain",
	                              .fields = &fields,
	                              .framing = HTTP1_LENGTH,
	                              .body_len = 7,
	                              .keep_alive = true,
	                              .now_wall_s = 0};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_true(http_fields_add_text(&fields, "X-A", "1"));
	http1_format_head(&out, &answer);
	assert_string_equal(buf_text(&out), "HTTP/1.1 200 OK\r\n"
	                                    "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
	                                    "content-type: text/plain\r\nx-a: 1\r\n"
	                                    "content-length: 7\r\n\r\n");
	http_fields_fini(&fields);
	buf_fini(&out);
}

static void keeps_fields_clean(void **state)
{
	struct http_fields fields = HTTP_FIELDS_EMPTY;

	(void)state;
	assert_false(http_fields_add_text(&fields, "a b", "x"));
	assert_false(http_fields_add_text(&fields, "", "x"));
	assert_false(http_fields_add_text(&fields, "a", "x\r\ny"));
	assert_true(http_fields_add_text(&fields, "Accept", "a, B ,c"));
	assert_string_equal(http_fields_find(&fields, "accept"), "a, B ,c");
	assert_true(http_fields_has_token(&fields, "accept", "b"));
	assert_false(http_fields_has_token(&fields, "accept", "d"));
	http_fields_fini(&fields);
}

static void unescapes(void **state)
{
	char *text = http_query_find(STR_LIT("a=1&b%63=x+y%2F&e"), "bc");

	(void)state;
	assert_string_equal(text, "x y/");
	free(text);
	text = http_query_find(STR_LIT("a=1&e"), "e");
	assert_string_equal(text, "");
	free(text);
	assert_null(http_query_find(STR_LIT("a=1"), "b"));
	assert_null(http_unescape(STR_LIT("%0"), false));
	assert_null(http_unescape(STR_LIT("%zz"), false));
	assert_null(http_unescape(STR_LIT("%00"), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_requests_however_they_are_split),
		cmocka_unit_test(refuses_what_others_could_read_differently),
		cmocka_unit_test(refuses_malformed_chunks),
		cmocka_unit_test(limits_the_head),
		cmocka_unit_test(formats_heads_of_answers),
		cmocka_unit_test(keeps_fields_clean),
		cmocka_unit_test(unescapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
