/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/status.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"

/* Reasons that no code of ours is named after, and those that more than one code carries. */
static const struct {
	const char *reason;
	enum err_code code;
} REASONS[] = {
	{"Gone", ERR_EXPIRED},
	{"ServerTimeout", ERR_TIMEOUT},
	{"InternalError", ERR_INTERNAL},
	{"StoreReadError", ERR_INTERNAL},
	{"BadRequest", ERR_BAD_REQUEST},
	{"Unauthorized", ERR_UNAUTHORIZED},
	{"Forbidden", ERR_FORBIDDEN},
	{"NotFound", ERR_NOT_FOUND},
	{"MethodNotAllowed", ERR_METHOD},
	{"NotAcceptable", ERR_NOT_ACCEPTABLE},
	{"AlreadyExists", ERR_EXISTS},
	{"Conflict", ERR_CONFLICT},
	{"Expired", ERR_EXPIRED},
	{"RequestEntityTooLarge", ERR_TOO_LARGE},
	{"UnsupportedMediaType", ERR_MEDIA_TYPE},
	{"Invalid", ERR_INVALID},
	{"TooManyRequests", ERR_TOO_MANY},
	{"ServiceUnavailable", ERR_UNAVAILABLE},
	{"Timeout", ERR_TIMEOUT},
};

static const struct {
	int http;
	enum err_code code;
} CODES[] = {
	{400, ERR_BAD_REQUEST}, {401, ERR_UNAUTHORIZED}, {403, ERR_FORBIDDEN},
	{404, ERR_NOT_FOUND},   {405, ERR_METHOD},       {406, ERR_NOT_ACCEPTABLE},
	{408, ERR_TIMEOUT},     {409, ERR_CONFLICT},     {410, ERR_EXPIRED},
	{413, ERR_TOO_LARGE},   {415, ERR_MEDIA_TYPE},   {422, ERR_INVALID},
	{429, ERR_TOO_MANY},    {500, ERR_INTERNAL},     {502, ERR_UNAVAILABLE},
	{503, ERR_UNAVAILABLE}, {504, ERR_TIMEOUT},
};

enum err_code kube_status_code(int http_status)
{
	for (size_t i = 0; i < N_ELEMS(CODES); i++)
		if (CODES[i].http == http_status)
			return CODES[i].code;
	if (http_status >= 400 && http_status < 500)
		return ERR_BAD_REQUEST;
	return http_status >= 500 ? ERR_INTERNAL : ERR_PROTOCOL;
}

static void set_given(json_t *obj, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_object_set_new(obj, key, json_string(value));
}

static json_t *details_create(const struct kube_status_details *details)
{
	json_t *obj = json_object();

	set_given(obj, "name", details->name);
	set_given(obj, "group", details->group);
	set_given(obj, "kind", details->kind);
	set_given(obj, "uid", details->uid);
	if (json_array_size(details->causes) > 0)
		json_object_set(obj, "causes", details->causes);
	if (details->retry_after_s > 0)
		json_object_set_new(obj, "retryAfterSeconds", json_integer(details->retry_after_s));
	return obj;
}

/* A message that was cut may end inside a character, which JSON does not take. */
static json_t *message_create(const char *text)
{
	size_t len = strlen(text);
	json_t *value = json_stringn(text, len);

	while (value == NULL && len > 0)
		value = json_stringn(text, --len);
	return value;
}

json_t *kube_status_create(const struct err *err, const struct kube_status_details *details)
{
	json_t *status = json_object();

	json_object_set_new(status, "kind", json_string("Status"));
	json_object_set_new(status, "apiVersion", json_string("v1"));
	json_object_set_new(status, "metadata", json_object());
	json_object_set_new(status, "status", json_string("Failure"));
	json_object_set_new(status, "message", message_create(err->msg));
	json_object_set_new(status, "reason", json_string(err_reason(err->code)));
	if (details != NULL)
		json_object_set_new(status, "details", details_create(details));
	json_object_set_new(status, "code", json_integer(err_http_status(err->code)));
	return status;
}

void kube_status_add_cause(json_t *causes, const char *reason, const char *field,
                           const char *message)
{
	json_t *cause = json_object();

	set_given(cause, "reason", reason);
	set_given(cause, "message", message);
	set_given(cause, "field", field);
	json_array_append_new(causes, cause);
}

bool kube_status_is_failure(const json_t *obj)
{
	return strcmp(json_str_at(obj, "kind", ""), "Status") == 0 &&
	       strcmp(json_str_at(obj, "status", "Failure"), "Success") != 0;
}

static enum err_code code_of(const json_t *status, int http_status)
{
	const char *reason = json_str_at(status, "reason", "");

	for (size_t i = 0; i < N_ELEMS(REASONS); i++)
		if (strcmp(REASONS[i].reason, reason) == 0)
			return REASONS[i].code;
	int64_t code = json_int_at(status, "code", http_status);

	return kube_status_code(code >= 400 && code < 600 ? (int)code : http_status);
}

/* The real server repeats causes in the message; others do not. */
static void add_causes(const json_t *status, struct buf *message)
{
	size_t i;
	json_t *cause;

	json_array_foreach (json_at(status, "details.causes"), i, cause) {
		const char *text = json_str_at(cause, "message", "");
		const char *field = json_str_at(cause, "field", "");

		if (text[0] == '\0' || strstr(buf_text(message), text) != NULL)
			continue;
		buf_printf(message, "%s%s%s%s", message->len > 0 ? "; " : "", field,
		           field[0] != '\0' ? ": " : "", text);
	}
}

bool kube_status_to_err(const json_t *status, int http_status, struct err *err)
{
	enum err_code code = code_of(status, http_status);
	const char *text = json_str_at(status, "message", "");
	struct buf CLEANUP(buf_fini) message;

	/* Roomy: causes that do not fit any more are left out, and err_set cuts the rest. */
	buf_init(&message, 64 << 10);
	buf_add(&message, text, strnlen(text, ERR_MSG_MAX));
	add_causes(status, &message);
	if (message.len == 0)
		buf_printf(&message, "refused without a message (HTTP %d)", http_status);
	return err_set(err, code, "%s", buf_text(&message));
}

int kube_status_retry_after_s(const json_t *status)
{
	int64_t seconds = json_int_at(status, "details.retryAfterSeconds", 0);

	return seconds > 0 && seconds < 86400 ? (int)seconds : 0;
}

bool kube_status_has_cause(const json_t *status, const char *reason)
{
	size_t i;
	json_t *cause;

	json_array_foreach (json_at(status, "details.causes"), i, cause) {
		if (strcmp(json_str_at(cause, "reason", ""), reason) == 0)
			return true;
	}
	return false;
}
