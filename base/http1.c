/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are collected in parser->line until their CRLF, so a line may be split anywhere; body bytes
 * are handed on as they lie in the input.
 */
#include "http1.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"

enum {
	BODY_LEN_DIGITS_MAX = 15, /* over any body_max, far from overflow */
	CHUNK_DIGITS_MAX = 12
};

void http1_parser_init(struct http1_parser *p)
{
	*p = (struct http1_parser){.state = HTTP1_LINE};
	buf_init(&p->line, HTTP1_HEAD_MAX);
	buf_init(&p->head.texts, HTTP1_HEAD_MAX);
}

void http1_head_fini(struct http1_head *head)
{
	http_fields_fini(&head->request.fields);
	buf_fini(&head->texts);
}

void http1_parser_fini(struct http1_parser *p)
{
	http1_head_fini(&p->head);
	buf_fini(&p->line);
}

void http1_take_head(struct http1_parser *p, struct http1_head *ret_head)
{
	*ret_head = p->head;
	p->head = (struct http1_head){0};
	buf_init(&p->head.texts, HTTP1_HEAD_MAX);
}

bool http1_is_busy(const struct http1_parser *p)
{
	return p->state != HTTP1_LINE || p->line.len > 0;
}

static enum http1_event bad(struct http1_parser *p)
{
	p->state = HTTP1_DEAD;
	return HTTP1_BAD;
}

/* --- lines ------------------------------------------------------------------------------------ */

enum line {
	LINE_MORE,
	LINE_DONE,
	LINE_BAD,
};

static bool add_to_line(struct http1_parser *p, struct str piece, size_t max, struct err *err)
{
	if (piece.len > max - p->line.len)
		return err_set(err, ERR_TOO_LARGE, "request head: over %zu bytes", max);
	buf_add_str(&p->line, piece);
	return true;
}

/* Takes input up to and with the next LF. DONE: p->line holds the line without its CRLF. */
static enum line take_line(struct http1_parser *p, struct str *input, size_t max, struct err *err)
{
	const char *lf = input->len > 0 ? memchr(input->ptr, '\n', input->len) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - input->ptr) + 1 : input->len;

	if (!add_to_line(p, str_make(input->ptr, n), max, err))
		return LINE_BAD;
	input->ptr += n;
	input->len -= n;
	if (lf == NULL)
		return LINE_MORE;
	if (p->line.len < 2 || p->line.ptr[p->line.len - 2] != '\r') {
		err_set(err, ERR_BAD_REQUEST, "a line does not end with CRLF");
		return LINE_BAD;
	}
	p->line.len -= 2;
	p->line.ptr[p->line.len] = '\0';
	if (memchr(p->line.ptr, '\r', p->line.len) != NULL ||
	    memchr(p->line.ptr, '\0', p->line.len) != NULL) {
		err_set(err, ERR_BAD_REQUEST, "a line holds CR or NUL");
		return LINE_BAD;
	}
	return LINE_DONE;
}

/* --- request line ----------------------------------------------------------------------------- */

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f)
			return false;
	}
	return s.len > 0;
}

/* Splits "http://host/path" off; afterwards target begins with '/'. */
static bool split_target(struct http_request *request, struct str target)
{
	static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
	const char *question;

	for (size_t i = 0; i < N_ELEMS(schemes); i++) {
		const char *slash;

		if (!str_starts_with(target, schemes[i]))
			continue;
		target.ptr += schemes[i].len;
		target.len -= schemes[i].len;
		slash = memchr(target.ptr, '/', target.len);
		if (slash == NULL || slash == target.ptr)
			return false;
		request->authority = str_make(target.ptr, (size_t)(slash - target.ptr));
		target.len -= request->authority.len;
		target.ptr = slash;
		break;
	}
	if (target.len == 0 || target.ptr[0] != '/' || memchr(target.ptr, '#', target.len) != NULL)
		return false;
	question = memchr(target.ptr, '?', target.len);
	request->path = target;
	if (question != NULL) {
		request->path.len = (size_t)(question - target.ptr);
		request->query = str_make(question + 1, target.len - request->path.len - 1);
	}
	return true;
}

static bool parse_request_line(struct http1_head *head, struct str line, struct err *err)
{
	struct str rest, method, target;

	/* One block that never grows again, as the request's views point into it. */
	buf_add_str(&head->texts, line);
	rest = buf_str(&head->texts);
	if (!str_split(&rest, ' ', &method) || !str_split(&rest, ' ', &target) ||
	    !http_is_token(method))
		return err_set(err, ERR_BAD_REQUEST, "malformed request line");
	if (!str_is(rest, "HTTP/1.1") && !str_is(rest, "HTTP/1.0"))
		return err_set(err, ERR_BAD_REQUEST, "not HTTP/1.1 or HTTP/1.0");
	head->is_1_0 = str_is(rest, "HTTP/1.0");
	head->request.version = 1;
	head->request.method = method;
	if (!is_visible(target) || !split_target(&head->request, target))
		return err_set(err, ERR_BAD_REQUEST, "malformed request target");
	return true;
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool split_field(struct str line, struct str *ret_name, struct str *ret_value)
{
	const char *colon = memchr(line.ptr, ':', line.len);

	if (colon == NULL)
		return false;
	*ret_name = str_make(line.ptr, (size_t)(colon - line.ptr));
	*ret_value = str_trim(str_make(colon + 1, line.len - ret_name->len - 1));
	return http_is_token(*ret_name);
}

static bool parse_field(struct http1_head *head, struct str line, struct err *err)
{
	struct str name, value;
	struct http_fields *fields = &head->request.fields;

	if (!split_field(line, &name, &value))
		return err_set(err, ERR_BAD_REQUEST, "malformed header field");
	if (http_fields_add(fields, name, value))
		return true;
	if (fields->n >= HTTP_FIELDS_MAX ||
	    fields->bytes + name.len + value.len + 32 > HTTP_FIELDS_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "too many header fields");
	return err_set(err, ERR_BAD_REQUEST, "header field with forbidden bytes");
}

static bool check_framing(struct http1_head *head, struct err *err)
{
	const struct http_fields *fields = &head->request.fields;
	const char *coding = http_fields_find(fields, "transfer-encoding");
	const char *length = http_fields_find(fields, "content-length");

	if (coding != NULL && length != NULL)
		return err_set(err, ERR_BAD_REQUEST,
		               "both Transfer-Encoding and Content-Length given");
	if (coding != NULL) {
		if (head->is_1_0 || http_fields_count(fields, "transfer-encoding") != 1 ||
		    strcasecmp(coding, "chunked") != 0)
			return err_set(err, ERR_BAD_REQUEST,
			               "Transfer-Encoding other than one 'chunked'");
		head->chunked = true;
	}
	if (length != NULL) {
		struct str digits = str_from(length);

		if (http_fields_count(fields, "content-length") != 1 ||
		    digits.len > BODY_LEN_DIGITS_MAX ||
		    !str_to_u64(digits, UINT64_MAX, &head->body_len))
			return err_set(err, ERR_BAD_REQUEST, "malformed Content-Length");
	}
	return true;
}

static bool check_head(struct http1_head *head, struct err *err)
{
	const struct http_fields *fields = &head->request.fields;
	size_t hosts = http_fields_count(fields, "host");

	if (hosts > 1 || (hosts == 0 && !head->is_1_0))
		return err_set(err, ERR_BAD_REQUEST, "exactly one Host field is needed");
	if (hosts == 1 && head->request.authority.ptr == NULL)
		head->request.authority = str_from(http_fields_find(fields, "host"));
	if (!check_framing(head, err))
		return false;
	head->keep_alive = head->is_1_0 ? http_fields_has_token(fields, "connection", "keep-alive")
	                                : !http_fields_has_token(fields, "connection", "close");
	head->expects_continue =
		!head->is_1_0 && http_fields_has_token(fields, "expect", "100-continue");
	return true;
}

/* --- states ----------------------------------------------------------------------------------- */

static enum http1_event step_line(struct http1_parser *p, struct str *input, struct err *err)
{
	switch (take_line(p, input, HTTP1_HEAD_MAX, err)) {
	case LINE_MORE:
		return HTTP1_MORE;
	case LINE_BAD:
		return bad(p);
	case LINE_DONE:
		break;
	}
	if (p->line.len == 0 && !p->skipped_empty_line) {
		/* RFC 9112 2.2: one empty line before a request is an old client's habit. */
		p->skipped_empty_line = true;
		return HTTP1_MORE;
	}
	if (!parse_request_line(&p->head, buf_str(&p->line), err))
		return bad(p);
	p->head_bytes = p->line.len + 2;
	buf_clear(&p->line);
	p->state = HTTP1_FIELDS;
	return HTTP1_MORE;
}

static enum http1_event head_done(struct http1_parser *p, struct err *err)
{
	if (!check_head(&p->head, err))
		return bad(p);
	p->left = p->head.body_len;
	p->trailer_bytes = 0;
	p->skipped_empty_line = false;
	if (p->head.chunked)
		p->state = HTTP1_SIZE;
	else
		p->state = p->left > 0 ? HTTP1_BODY : HTTP1_END_DUE;
	return HTTP1_ON_HEAD;
}

static enum http1_event step_field(struct http1_parser *p, struct str *input, struct err *err)
{
	switch (take_line(p, input, HTTP1_HEAD_MAX - p->head_bytes, err)) {
	case LINE_MORE:
		return HTTP1_MORE;
	case LINE_BAD:
		return bad(p);
	case LINE_DONE:
		break;
	}
	if (p->line.len == 0)
		return head_done(p, err);
	p->head_bytes += p->line.len + 2;
	if (!parse_field(&p->head, buf_str(&p->line), err))
		return bad(p);
	buf_clear(&p->line);
	return HTTP1_MORE;
}

static enum http1_event step_bytes(struct http1_parser *p, struct str *input, struct str *ret_data)
{
	size_t n = p->left < input->len ? (size_t)p->left : input->len;

	if (n == 0)
		return HTTP1_MORE;
	*ret_data = str_make(input->ptr, n);
	input->ptr += n;
	input->len -= n;
	p->left -= n;
	if (p->left == 0)
		p->state = p->state == HTTP1_CHUNK ? HTTP1_CHUNK_CRLF : HTTP1_END_DUE;
	return HTTP1_ON_DATA;
}

static bool parse_size(struct str line, uint64_t *ret_size)
{
	uint64_t size = 0;
	size_t i = 0;

	for (; i < line.len && i <= CHUNK_DIGITS_MAX; i++) {
		char c = line.ptr[i];
		const char *digits = "0123456789abcdef";
		const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

		if (c == '\0' || at == NULL)
			break;
		size = size * 16 + (uint64_t)(at - digits);
	}
	/* Extensions are allowed and mean nothing. */
	if (i == 0 || i > CHUNK_DIGITS_MAX || (i < line.len && line.ptr[i] != ';'))
		return false;
	*ret_size = size;
	return true;
}

static enum http1_event step_size(struct http1_parser *p, struct str *input, struct err *err)
{
	switch (take_line(p, input, HTTP1_CHUNK_LINE_MAX, err)) {
	case LINE_MORE:
		return HTTP1_MORE;
	case LINE_BAD:
		return bad(p);
	case LINE_DONE:
		break;
	}
	if (!parse_size(buf_str(&p->line), &p->left)) {
		err_set(err, ERR_BAD_REQUEST, "malformed chunk size");
		return bad(p);
	}
	buf_clear(&p->line);
	p->state = p->left > 0 ? HTTP1_CHUNK : HTTP1_TRAILER;
	return HTTP1_MORE;
}

static enum http1_event step_chunk_crlf(struct http1_parser *p, struct str *input, struct err *err)
{
	switch (take_line(p, input, 2, err)) {
	case LINE_MORE:
		return HTTP1_MORE;
	case LINE_BAD:
		err_set(err, ERR_BAD_REQUEST, "a chunk is longer than its size");
		return bad(p);
	case LINE_DONE:
		break;
	}
	buf_clear(&p->line);
	p->state = HTTP1_SIZE;
	return HTTP1_MORE;
}

static enum http1_event step_trailer(struct http1_parser *p, struct str *input, struct err *err)
{
	struct str name, value;

	switch (take_line(p, input, HTTP1_TRAILER_MAX - p->trailer_bytes, err)) {
	case LINE_MORE:
		return HTTP1_MORE;
	case LINE_BAD:
		return bad(p);
	case LINE_DONE:
		break;
	}
	if (p->line.len == 0) {
		p->state = HTTP1_END_DUE;
		return HTTP1_MORE;
	}
	if (!split_field(buf_str(&p->line), &name, &value)) {
		err_set(err, ERR_BAD_REQUEST, "malformed trailer field");
		return bad(p);
	}
	p->trailer_bytes += p->line.len + 2;
	buf_clear(&p->line);
	return HTTP1_MORE;
}

static enum http1_event step_state(struct http1_parser *p, struct str *input, struct str *ret_data,
                                   struct err *err)
{
	switch (p->state) {
	case HTTP1_LINE:
		return step_line(p, input, err);
	case HTTP1_FIELDS:
		return step_field(p, input, err);
	case HTTP1_BODY:
	case HTTP1_CHUNK:
		return step_bytes(p, input, ret_data);
	case HTTP1_SIZE:
		return step_size(p, input, err);
	case HTTP1_CHUNK_CRLF:
		return step_chunk_crlf(p, input, err);
	case HTTP1_TRAILER:
		return step_trailer(p, input, err);
	case HTTP1_END_DUE:
		buf_clear(&p->line);
		http1_head_fini(&p->head);
		p->head = (struct http1_head){0};
		buf_init(&p->head.texts, HTTP1_HEAD_MAX);
		p->state = HTTP1_LINE;
		return HTTP1_ON_END;
	case HTTP1_DEAD:
		break;
	}
	err_set(err, ERR_BAD_REQUEST, "after a malformed request");
	return HTTP1_BAD;
}

enum http1_event http1_step(struct http1_parser *p, struct str *input, struct str *ret_data,
                            struct err *err)
{
	for (;;) {
		enum http1_event event;

		if (input->len == 0 && p->state != HTTP1_END_DUE && p->state != HTTP1_DEAD)
			return HTTP1_MORE;
		event = step_state(p, input, ret_data, err);
		if (event != HTTP1_MORE)
			return event;
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

static void format_date(struct buf *out, int64_t wall_s)
{
	time_t t = (time_t)wall_s;
	struct tm tm;
	char text[64];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(out, "date: %s\r\n", text);
}

void http1_format_head(struct buf *out, const struct http1_answer *answer)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, http_status_text(answer->status));
	format_date(out, answer->now_wall_s);
	if (answer->content_type != NULL)
		buf_printf(out, "content-type: %s\r\n", answer->content_type);
	for (size_t i = 0; i < answer->fields->n; i++) {
		const struct http_field *field = &answer->fields->v[i];

		buf_add_str(out, field->name);
		buf_add_text(out, ": ");
		buf_add_str(out, field->value);
		buf_add_text(out, "\r\n");
	}
	switch (answer->framing) {
	case HTTP1_LENGTH:
		buf_printf(out, "content-length: %llu\r\n", (unsigned long long)answer->body_len);
		break;
	case HTTP1_CHUNKED:
		buf_add_text(out, "transfer-encoding: chunked\r\n");
		break;
	case HTTP1_UNTIL_CLOSE:
	case HTTP1_NO_BODY:
		break;
	}
	if (!answer->keep_alive)
		buf_add_text(out, "connection: close\r\n");
	buf_add_text(out, "\r\n");
}
