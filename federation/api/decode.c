/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the body to an object of the kind that the URL names.
 */
#include "call.h"
#include "duplicates.h"
#include "failure.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "kube/meta.h"

/* --- text to tree ----------------------------------------------------------------------------- */

static json_t *parse_json(struct api_call *call, json_t *duplicates)
{
	struct err err;
	struct str body = call->request->body;
	json_t *value = json_parse(body, &err);
	if (value != NULL)
		return value;
	/* Repeated keys are refused by the strict reader: the last one counts, and it is told. */
	value = json_loadb(body.ptr, body.len, 0, NULL);
	if (value != NULL && body.len <= API_BODY_MAX)
		api_duplicates_find(body, duplicates);
	if (json_array_size(duplicates) > 0)
		return value;
	json_decref(value);
	api_fail(call->reply, ERR_BAD_REQUEST,
	         "the object provided is unrecognized (must be of type %s): couldn't get "
	         "version/kind; json parse error: %s",
	         call->resource->kind, err.msg);
	return NULL;
}

static json_t *parse(struct api_call *call, json_t *duplicates)
{
	struct err err;
	switch (api_media_parse(call->request->content_type)) {
	case API_MEDIA_JSON:
		return parse_json(call, duplicates);
	case API_MEDIA_YAML: {
		json_t *value = yaml_parse(call->request->body, "body", &err);
		if (value == NULL)
			api_fail(call->reply, ERR_BAD_REQUEST, "error converting YAML to JSON: %s",
			         err.msg);
		return value;
	}
	case API_MEDIA_MERGE_PATCH:
	case API_MEDIA_STRATEGIC_PATCH:
	case API_MEDIA_OTHER:
		break;
	}
	api_fail_media(call->reply, "application/json, application/yaml");
	return NULL;
}

/* --- unknown and repeated fields -------------------------------------------------------------- */

static bool refuse_unknown(struct api_call *call, const json_t *duplicates, const json_t *unknown)
{
	struct buf list CLEANUP(buf_fini);
	buf_init(&list, 64 << 10);
	const char *separator = "";
	for (size_t i = 0; i < json_array_size(duplicates); i++) {
		buf_printf(&list, "%sduplicate field \"%s\"", separator,
		           json_string_value(json_array_get(duplicates, i)));
		separator = ", ";
	}
	for (size_t i = 0; i < json_array_size(unknown); i++) {
		buf_printf(&list, "%sunknown field \"%s\"", separator,
		           json_string_value(json_array_get(unknown, i)));
		separator = ", ";
	}
	return api_fail(call->reply, ERR_BAD_REQUEST,
	                "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
	                call->resource->kind, call->version->name, call->resource->kind,
	                buf_text(&list));
}

static void warn_unknown(struct api_call *call, const json_t *list, const char *what)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		char *text = xasprintf("%s field \"%s\"", what,
		                       json_string_value(json_array_get(list, i)));
		api_reply_warn(call->reply, text);
		free(text);
	}
}

static void prune_meta(const struct api_core *core, json_t *obj, json_t *unknown)
{
	json_t *found = json_array();
	schema_prune(core->object_meta, json_object_get(obj, "metadata"), found);
	for (size_t i = 0; i < json_array_size(found); i++) {
		char *path = xasprintf("metadata.%s", json_string_value(json_array_get(found, i)));
		json_array_append_new(unknown, json_string(path));
		free(path);
	}
	json_decref(found);
}

bool api_prune(struct api_call *call, json_t *obj, const json_t *duplicates)
{
	json_t *unknown CLEANUP(json_cleanup) = json_array();
	prune_meta(call->core, obj, unknown);
	if (call->version->schema != NULL)
		schema_prune(call->version->schema, obj, unknown);
	if (json_array_size(unknown) + json_array_size(duplicates) == 0)
		return true;
	switch (call->params.field_validation) {
	case API_FIELDS_STRICT:
		return refuse_unknown(call, duplicates, unknown);
	case API_FIELDS_WARN:
		warn_unknown(call, duplicates, "duplicate");
		warn_unknown(call, unknown, "unknown");
		break;
	case API_FIELDS_IGNORE:
		break;
	}
	return true;
}

/* --- agreement with the URL ------------------------------------------------------------------- */

static bool check_type(struct api_call *call, json_t *obj)
{
	const char *kind = json_str_at(obj, "kind", "");
	const char *api_version = json_str_at(obj, "apiVersion", "");
	const char *want = call->resource->kind;
	if (kind[0] == '\0' && !call->resource->builtin)
		return api_fail(
			call->reply, ERR_BAD_REQUEST,
			"the object provided is unrecognized (must be of type %s): Object "
			"'Kind' is missing in '%.*s'",
			want, (int)(call->request->body.len < 512 ? call->request->body.len : 512),
			call->request->body.ptr);
	if (kind[0] != '\0' && strcmp(kind, want) != 0)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "%s in version \"%s\" cannot be handled as a %s: the kind in the "
		                "data does not match the expected kind",
		                kind, call->version->name, want);
	if (api_version[0] != '\0' && strcmp(api_version, call->group_version) != 0)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "the API version in the data (%s) does not match the expected API "
		                "version (%s)",
		                api_version, call->group_version);
	json_object_set_new(obj, "kind", json_string(want));
	json_object_set_new(obj, "apiVersion", json_string(call->group_version));
	return true;
}

static bool check_place(struct api_call *call, json_t *obj)
{
	json_t *meta = json_object_get(obj, "metadata");
	if (meta == NULL || json_is_null(meta)) {
		meta = json_object();
		json_object_set_new(obj, "metadata", meta);
	}
	if (!json_is_object(meta))
		return api_fail(call->reply, ERR_BAD_REQUEST, "metadata must be an object");
	const char *namespace_ = json_str_at(meta, "namespace", "");
	const char *name = json_str_at(meta, "name", "");
	if (namespace_[0] != '\0' && strcmp(namespace_, call->route.namespace_) != 0)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "the namespace of the provided object does not match the namespace "
		                "sent on the request");
	if (call->route.name[0] != '\0' && name[0] != '\0' && strcmp(name, call->route.name) != 0)
		return api_fail(
			call->reply, ERR_BAD_REQUEST,
			"the name of the object (%s) does not match the name on the URL (%s)", name,
			call->route.name);
	if (call->route.name[0] != '\0')
		json_object_set_new(meta, "name", json_string(call->route.name));
	if (call->resource->namespaced)
		json_object_set_new(meta, "namespace", json_string(call->route.namespace_));
	else
		json_object_del(meta, "namespace");
	return true;
}

static json_t *decode(struct api_call *call, json_t *duplicates)
{
	json_t *obj = parse(call, duplicates);
	if (obj == NULL)
		return NULL;
	if (!json_is_object(obj)) {
		json_decref(obj);
		api_fail(call->reply, ERR_BAD_REQUEST, "the body is no JSON object");
		return NULL;
	}
	return obj;
}

json_t *api_parse_body(struct api_call *call)
{
	json_t *duplicates CLEANUP(json_cleanup) = json_array();
	return decode(call, duplicates);
}

json_t *api_decode_body(struct api_call *call)
{
	json_t *duplicates CLEANUP(json_cleanup) = json_array();
	json_t *obj = decode(call, duplicates);
	if (obj == NULL)
		return NULL;
	if (check_type(call, obj) && check_place(call, obj) && api_prune(call, obj, duplicates))
		return obj;
	json_decref(obj);
	return NULL;
}
