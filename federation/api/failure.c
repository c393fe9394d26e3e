/* SPDX-License-Identifier: Apache-2.0 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* What a client sent may stand in a message, and need not be UTF-8, or be cut inside a character.
 */
static json_t *to_text(const char *message)
{
	json_t *text = json_string(message);
	if (text != NULL)
		return text;
	char *ascii = xstrdup(message);
	for (char *c = ascii; *c != '\0'; c++)
		*c = (char)((unsigned char)*c < 0x80 ? *c : '?');
	text = json_string(ascii);
	free(ascii);
	return text;
}

json_t *api_status_create(int code, const char *reason, const char *message)
{
	return json_pack("{s:s, s:s, s:{}, s:s, s:o, s:s, s:i}", "kind", "Status", "apiVersion",
	                 "v1", "metadata", "status", "Failure", "message", to_text(message),
	                 "reason", reason, "code", code);
}

/* details is stolen; NULL: none. */
static bool fail(struct api_reply *reply, enum err_code code, json_t *details, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static bool fail(struct api_reply *reply, enum err_code code, json_t *details, const char *fmt, ...)
{
	va_list args;
	char *message;
	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0)
		abort();
	va_end(args);
	int http = err_http_status(code);
	json_t *status = api_status_create(http, err_reason(code), message);
	if (details != NULL)
		json_object_set_new(status, "details", details);
	reply->content_type = "application/json";
	api_reply_json(reply, http, status);
	json_decref(status);
	free(message);
	return false;
}

bool api_fail(struct api_reply *reply, enum err_code code, const char *fmt, ...)
{
	va_list args;
	char *message;
	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0)
		abort();
	va_end(args);
	fail(reply, code, NULL, "%s", message);
	free(message);
	return false;
}

bool api_fail_err(struct api_reply *reply, const struct err *err)
{
	return fail(reply, err->code, NULL, "%s", err->msg);
}

/* {name, group, kind}; kind is the plural, or the Kind. */
static json_t *details_of(const char *name, const char *group, const char *kind)
{
	json_t *details = json_object();
	if (name != NULL && name[0] != '\0')
		json_object_set_new(details, "name", json_string(name));
	if (group[0] != '\0')
		json_object_set_new(details, "group", json_string(group));
	json_object_set_new(details, "kind", json_string(kind));
	return details;
}

static json_t *details_of_object(const struct api_resource *resource, const char *name)
{
	return details_of(name, resource->group, resource->plural);
}

bool api_fail_not_found(struct api_reply *reply, const struct api_resource *resource,
                        const char *name)
{
	char text[API_VERSION_TEXT_MAX];
	return fail(reply, ERR_NOT_FOUND, details_of_object(resource, name), "%s \"%s\" not found",
	            api_resource_name(resource, text), name);
}

bool api_fail_no_resource(struct api_reply *reply)
{
	return fail(reply, ERR_NOT_FOUND, json_object(),
	            "the server could not find the requested resource");
}

bool api_fail_exists(struct api_reply *reply, const struct api_resource *resource, const char *name)
{
	char text[API_VERSION_TEXT_MAX];
	return fail(reply, ERR_EXISTS, details_of_object(resource, name),
	            "%s \"%s\" already exists", api_resource_name(resource, text), name);
}

bool api_fail_conflict(struct api_reply *reply, const struct api_resource *resource,
                       const char *name, const char *why)
{
	char text[API_VERSION_TEXT_MAX];
	return fail(reply, ERR_CONFLICT, details_of_object(resource, name),
	            "Operation cannot be fulfilled on %s \"%s\": %s",
	            api_resource_name(resource, text), name, why);
}

bool api_fail_modified(struct api_reply *reply, const struct api_resource *resource,
                       const char *name)
{
	return api_fail_conflict(reply, resource, name,
	                         "the object has been modified; please apply your changes to the "
	                         "latest version and try again");
}

bool api_fail_method(struct api_reply *reply)
{
	return fail(reply, ERR_METHOD, json_object(),
	            "the server does not allow this method on the requested resource");
}

bool api_fail_media(struct api_reply *reply, const char *accepted)
{
	return fail(reply, ERR_MEDIA_TYPE, NULL,
	            "the body of the request was in an unknown format - accepted media types "
	            "include: %s",
	            accepted);
}

bool api_fail_forbidden(struct api_reply *reply, const struct api_resource *resource,
                        const char *name, const char *why, json_t *cause)
{
	char text[API_VERSION_TEXT_MAX];
	json_t *details = details_of_object(resource, name);
	if (cause != NULL)
		json_object_set_new(details, "causes", json_pack("[o]", cause));
	return fail(reply, ERR_FORBIDDEN, details, "%s \"%s\" is forbidden: %s",
	            api_resource_name(resource, text), name, why);
}

/* "field: message", several in brackets. Owned by the caller. */
static char *join_causes(const json_t *causes)
{
	size_t n = json_array_size(causes);
	struct buf text;
	buf_init(&text, API_REPLY_MAX);
	if (n > 1)
		buf_add_char(&text, '[');
	for (size_t i = 0; i < n; i++) {
		const json_t *cause = json_array_get(causes, i);
		buf_printf(&text, "%s%s: %s", i > 0 ? ", " : "",
		           json_str_at(cause, "field", "<nil>"), json_str_at(cause, "message", ""));
	}
	if (n > 1)
		buf_add_char(&text, ']');
	return buf_take(&text);
}

bool api_fail_invalid(struct api_reply *reply, const struct api_resource *resource,
                      const char *name, json_t *causes)
{
	char kind[API_VERSION_TEXT_MAX];
	json_t *details = details_of(name, resource->group, resource->kind);
	char *text = join_causes(causes);
	json_object_set_new(details, "causes", causes);
	fail(reply, ERR_INVALID, details, "%s \"%s\" is invalid: %s", api_kind_name(resource, kind),
	     name, text);
	free(text);
	return false;
}

bool api_fail_options(struct api_reply *reply, const char *kind, const char *field,
                      const char *reason, const char *message)
{
	json_t *details = details_of(NULL, "meta.k8s.io", kind);
	json_object_set_new(details, "causes",
	                    json_pack("[{s:s, s:s, s:s}]", "reason", reason, "message", message,
	                              "field", field));
	return fail(reply, ERR_INVALID, details, "%s.meta.k8s.io \"\" is invalid: %s: %s", kind,
	            field, message);
}

void api_reply_deleted(struct api_reply *reply, const struct api_resource *resource,
                       const char *name, const char *uid)
{
	json_t *details = details_of_object(resource, name);
	json_object_set_new(details, "uid", json_string(uid));
	json_t *status = json_pack("{s:s, s:s, s:{}, s:s, s:o}", "kind", "Status", "apiVersion",
	                           "v1", "metadata", "status", "Success", "details", details);
	api_reply_json(reply, 200, status);
	json_decref(status);
}
