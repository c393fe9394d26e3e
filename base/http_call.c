/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client_priv.h"

#include <stdlib.h>
#include <unistd.h>

/* --- end of a call ---------------------------------------------------------------------------- */

static void free_call(void *arg)
{
	struct http_call *call = arg;

	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	if (call->dialled_fd >= 0)
		close(call->dialled_fd);
	buf_fini(&call->request_body);
	buf_fini(&call->body);
	http_fields_fini(&call->response.fields);
	free(call);
}

void http_call_release(struct http_call *call)
{
	list_remove(&call->link);
	loop_timer_fini(&call->idle);
	curl_multi_remove_handle(call->client->multi, call->easy);
	if (call->given)
		http_client_count(call->client, -1);
	loop_bury(call->client->loop, free_call, call);
}

static enum err_code code_of_curl(CURLcode result)
{
	switch ((int)result) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return ERR_FORBIDDEN;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return ERR_INVALID;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_TOO_LARGE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_BAD_CONTENT_ENCODING:
		return ERR_PROTOCOL;
	default:
		return ERR_IO;
	}
}

static void explain(struct http_call *call)
{
	const char *text =
		call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(call->result);

	if (!call->failed)
		err_set(&call->err, code_of_curl(call->result), "%s", text);
}

static bool is_streamed(const struct http_call *call)
{
	return call->config.on_data != NULL && call->response.status / 100 == 2;
}

static void read_status(struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->response.status = (int)status;
}

static void tell_head(struct http_call *call)
{
	if (call->head_told)
		return;
	call->head_told = true;
	read_status(call);
	if (is_streamed(call) && call->config.on_head != NULL)
		call->config.on_head(call, &call->response, call->config.arg);
}

/* An answer without a body has not told its head yet. */
static void tell_late_head(struct http_call *call)
{
	call->state = CALL_RUNNING;
	call->client->depth++;
	tell_head(call);
	call->client->depth--;
	if (call->state == CALL_RUNNING)
		call->state = CALL_FINISHED;
}

void http_call_finish(struct http_call *call)
{
	curl_off_t took_us = 0;
	bool ok;

	curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &took_us);
	call->took_ms = took_us / 1000;
	if (call->state == CALL_FINISHED && call->result == CURLE_OK && !call->failed)
		tell_late_head(call);
	ok = call->state == CALL_FINISHED && call->result == CURLE_OK && !call->failed;
	http_call_release(call);
	if (call->state == CALL_CANCELLED)
		return;
	call->response.body = buf_str(&call->body);
	if (!ok)
		explain(call);
	call->config.on_done(call, ok ? &call->response : NULL, ok ? NULL : &call->err,
	                     call->config.arg);
}

static void fail_call(struct http_call *call, enum err_code code, const char *text)
{
	if (call->state == CALL_CANCELLED || call->failed)
		return;
	call->failed = true;
	call->state = CALL_FAILED;
	err_set(&call->err, code, "%s", text);
}

bool http_call_is_over(const struct http_call *call)
{
	return call->state == CALL_FAILED || call->state == CALL_FINISHED ||
	       call->state == CALL_CANCELLED;
}

/* --- a call's input --------------------------------------------------------------------------- */

/* A stream's head is news of its own: its first byte may come much later. False: the call was
 * cancelled. The head of a proxy or a 100 is not the answer's. */
static bool on_head_end(struct http_call *call)
{
	read_status(call);
	if (!http_call_is_over(call) && is_streamed(call))
		tell_head(call);
	return !http_call_is_over(call);
}

size_t http_call_on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	struct str line = str_trim(str_make(data, size * n));
	struct str name;

	/* The head of another answer follows (100-continue, a proxy's): only the last one counts.
	 */
	if (str_starts_with(line, STR_LIT("HTTP/"))) {
		http_fields_fini(&call->response.fields);
		return size * n;
	}
	if (line.len == 0)
		return on_head_end(call) ? size * n : 0;
	if (!str_split(&line, ':', &name))
		return size * n;
	/* Fields past the limits are dropped: none that anybody looks for comes so late. */
	http_fields_add(&call->response.fields, name, str_trim(line));
	return size * n;
}

size_t http_call_on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	struct str piece = {data, size * n};

	if (http_call_is_over(call))
		return 0;
	tell_head(call);
	if (http_call_is_over(call))
		return 0;
	if (is_streamed(call)) {
		loop_timer_set(&call->idle, call->config.idle_ms);
		call->config.on_data(call, piece, call->config.arg);
		return http_call_is_over(call) ? 0 : piece.len;
	}
	if (!buf_add_str(&call->body, piece)) {
		fail_call(call, ERR_TOO_LARGE, "the answer is larger than the limit");
		return 0;
	}
	return piece.len;
}

void http_call_on_idle(void *arg)
{
	struct http_call *call = arg;

	fail_call(call, ERR_TIMEOUT, "the stream has been silent for too long");
	http_client_settle(call->client);
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *client;

	if (call == NULL || http_call_is_over(call))
		return;
	client = call->client;
	call->state = CALL_CANCELLED;
	if (client->depth == 0)
		http_call_release(call);
	/* Else http_client_settle() does it, when curl has let go. */
}

int64_t http_call_took_ms(const struct http_call *call)
{
	return call->took_ms;
}
