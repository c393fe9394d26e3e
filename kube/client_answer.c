/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP answer means: JSON, a Status, or something that no API server says.
 */
#include "client_priv.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "kube/status.h"

enum {
	RETRY_AFTER_MAX_S = 3600,
	SHOWN_MAX = 80
};

static int64_t retry_after_ms(const struct http_response *response)
{
	const char *text = http_fields_find(&response->fields, "retry-after");
	uint64_t seconds = 0;

	if (text == NULL || !str_to_u64(str_from(text), RETRY_AFTER_MAX_S, &seconds))
		return 0;
	return (int64_t)seconds * 1000;
}

/* The beginning of a body, as one line of printable text. */
static void shown(struct str body, char text[SHOWN_MAX + 1])
{
	size_t n = 0;

	body = str_trim(body);
	for (size_t i = 0; i < body.len && n < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)body.ptr[i];

		text[n++] = isprint(c) ? (char)c : ' ';
	}
	text[n] = '\0';
}

static bool is_html(const struct http_response *response)
{
	const char *type = http_fields_find(&response->fields, "content-type");
	struct str body = str_trim(response->body);

	return (type != NULL && strncasecmp(type, "text/html", 9) == 0) ||
	       (body.len > 0 && body.ptr[0] == '<');
}

static void explain_junk(const struct http_response *response, struct err *err)
{
	enum err_code code =
		response->status < 400 ? ERR_PROTOCOL : kube_status_code(response->status);
	char text[SHOWN_MAX + 1];

	if (response->status / 100 == 3) {
		const char *to = http_fields_find(&response->fields, "location");

		err_set(err, ERR_PROTOCOL,
		        "redirected to '%.120s'; is the server's address that of an API server?",
		        to != NULL ? to : "");
	} else if (is_html(response)) {
		err_set(err, code,
		        "HTTP %d with HTML (a login page or a proxy?); is the server's address "
		        "that of an API server?",
		        response->status);
	} else if (response->body.len == 0) {
		err_set(err, code, "HTTP %d without a body", response->status);
	} else {
		shown(response->body, text);
		err_set(err, code, "HTTP %d with '%s', which is not from a Kubernetes API",
		        response->status, text);
	}
}

static bool read_good(const struct http_response *response, bool plain, json_t **ret_answer,
                      struct err *err)
{
	json_t *answer = NULL;
	struct err why;

	if (response->body.len > 0)
		answer = json_parse(response->body, &why);
	if (answer == NULL && plain && !is_html(response))
		answer = json_stringn(response->body.ptr != NULL ? response->body.ptr : "",
		                      response->body.len);
	if (answer != NULL && (plain || json_is_object(answer))) {
		*ret_answer = answer;
		return true;
	}
	json_decref(answer);
	explain_junk(response, err);
	return false;
}

static void read_bad(const struct http_response *response, struct kube_failure *failure)
{
	struct err why;
	json_t *status CLEANUP(json_cleanup) =
		response->body.len > 0 ? json_parse(response->body, &why) : NULL;

	if (!json_is_object(status) || json_object_get(status, "message") == NULL) {
		explain_junk(response, &failure->err);
		return;
	}
	kube_status_to_err(status, response->status, &failure->err);
	failure->rv_too_large = kube_status_has_cause(status, "ResourceVersionTooLarge");
}

bool kube_answer_read(const struct http_response *response, bool plain, json_t **ret_answer,
                      struct kube_failure *ret_failure)
{
	*ret_failure = (struct kube_failure){.http_status = response->status,
	                                     .retry_after_ms = retry_after_ms(response)};
	if (response->status / 100 == 2)
		return read_good(response, plain, ret_answer, &ret_failure->err);
	read_bad(response, ret_failure);
	return false;
}
