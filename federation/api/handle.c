/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: route, authorize, negotiate, kind, verb.
 */
#include "authz.h"
#include "call.h"
#include "discovery_doc.h"
#include "failure.h"
#include "openapi.h"
#include "token.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/yaml.h"

/* --- documents about the server --------------------------------------------------------------- */

static bool not_found_page(struct api_call *call)
{
	api_reply_text(call->reply, 404, "404 page not found\n");
	return false;
}

/* Changes with the kinds, and with the server's life: a counter alone would repeat. */
static void make_hash(const struct api_core *core, char text[41])
{
	snprintf(text, 41, "%" PRIX64 "-%" PRIX64, core->start_id, core->kinds.changes);
}

static void reply_document(struct api_call *call, json_t *document)
{
	char hash[41];
	make_hash(call->core, hash);
	call->reply->etag = xasprintf("\"%s\"", hash);
	if (strcmp(call->request->if_none_match, call->reply->etag) == 0)
		call->reply->status = 304;
	else
		api_reply_json(call->reply, 200, document);
	json_decref(document);
}

static bool reply_version(struct api_call *call)
{
	json_t *version =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor",
	                  "34", "gitVersion", "v1.34.0+fedway." FEDWAY_VERSION, "gitCommit", "",
	                  "gitTreeState", "clean", "buildDate", "1970-01-01T00:00:00Z", "goVersion",
	                  "none", "compiler", "gcc", "platform", "linux/amd64");
	api_reply_json(call->reply, 200, version);
	json_decref(version);
	return true;
}

static bool reply_health(struct api_call *call)
{
	bool live = strncmp(call->route.path, "/livez", 6) == 0;
	if (call->core->is_failing && !live)
		api_reply_text(call->reply, 500, "[-]store failed: the disk refuses writes\n");
	else
		api_reply_text(call->reply, 200, "ok");
	return true;
}

static bool reply_openapi(struct api_call *call)
{
	static const char prefix[] = "/openapi/v3/";
	char hash[41];
	if (strcmp(call->route.path, "/openapi/v3") == 0) {
		make_hash(call->core, hash);
		reply_document(call, api_openapi_root(&call->core->kinds, hash));
		return true;
	}
	if (strncmp(call->route.path, prefix, sizeof(prefix) - 1) != 0)
		return not_found_page(call);
	struct api_route route;
	struct err err;
	char path[sizeof(call->route.path)];
	snprintf(path, sizeof(path), "/%s", call->route.path + sizeof(prefix) - 1);
	if (!api_route_parse(str_from(path), &route, &err) || route.kind != API_ROUTE_VERSION)
		return not_found_page(call);
	json_t *document = api_openapi_document(&call->core->kinds, route.group, route.version);
	if (document == NULL)
		return not_found_page(call);
	reply_document(call, document);
	return true;
}

/* An empty document (gnostic openapi.v2.Document: swagger, info, paths, definitions). kubectl wants
 * one to look at a `kind: List`; what is not in it is not checked on its side. */
static bool reply_openapi_v2(struct api_call *call)
{
	static const char document[] = "\x0a\x03"
				       "2.0"
				       "\x12\x0c\x0a\x06"
				       "Fedway"
				       "\x12\x02"
				       "v1"
				       "\x42\x00\x4a";
	call->reply->content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
	/* The literal's own NUL is the last byte: no definitions. */
	buf_add(&call->reply->body, document, sizeof(document));
	return true;
}

static bool reply_keys(struct api_call *call)
{
	if (call->core->tokens == NULL)
		return not_found_page(call);
	json_t *document;
	if (strcmp(call->route.path, "/openid/v1/jwks") == 0)
		document = api_tokens_jwks(call->core->tokens);
	else
		document =
			json_pack("{s:s, s:s, s:[s], s:[s], s:[s]}", "issuer", API_TOKEN_ISSUER,
		                  "jwks_uri", API_TOKEN_ISSUER "/openid/v1/jwks",
		                  "response_types_supported", "id_token", "subject_types_supported",
		                  "public", "id_token_signing_alg_values_supported", "ES256");
	api_reply_json(call->reply, 200, document);
	json_decref(document);
	return true;
}

static const struct {
	const char *path;
	bool is_prefix;
	bool (*reply)(struct api_call *call);
} plain[] = {
	{"/version", false, reply_version},
	{"/healthz", true, reply_health},
	{"/livez", true, reply_health},
	{"/readyz", true, reply_health},
	{"/openapi/v2", false, reply_openapi_v2},
	{"/openapi/v3", true, reply_openapi},
	{"/openid/v1/jwks", false, reply_keys},
	{"/.well-known/openid-configuration", false, reply_keys},
};

static bool handle_plain(struct api_call *call)
{
	if (call->request->method != API_GET)
		return api_fail_method(call->reply);
	if (call->route.path[0] == '\0') {
		api_reply_text(call->reply, 200, "Fedway hosted API\n");
		return true;
	}
	for (size_t i = 0; i < N_ELEMS(plain); i++) {
		size_t len = strlen(plain[i].path);
		const char *rest = call->route.path + len;
		if (strncmp(call->route.path, plain[i].path, len) == 0 &&
		    (*rest == '\0' || (plain[i].is_prefix && *rest == '/')))
			return plain[i].reply(call);
	}
	return not_found_page(call);
}

/* --- discovery -------------------------------------------------------------------------------- */

static json_t *discovery_document(struct api_call *call, bool v2)
{
	const struct api_kinds *kinds = &call->core->kinds;
	switch (call->route.kind) {
	case API_ROUTE_API:
		return v2 ? api_discovery_v2(kinds, true) : api_discovery_versions();
	case API_ROUTE_APIS:
		return v2 ? api_discovery_v2(kinds, false) : api_discovery_groups(kinds);
	case API_ROUTE_GROUP:
		return api_discovery_group(kinds, call->route.group);
	case API_ROUTE_VERSION:
		return api_discovery_resources(kinds, call->route.group, call->route.version);
	case API_ROUTE_NONE:
	case API_ROUTE_PLAIN:
	case API_ROUTE_RESOURCE:
		break;
	}
	return NULL;
}

static bool handle_discovery(struct api_call *call)
{
	bool v2 = call->accept.form == API_FORM_DISCOVERY_V2 &&
	          (call->route.kind == API_ROUTE_API || call->route.kind == API_ROUTE_APIS);
	if (call->request->method != API_GET)
		return api_fail_method(call->reply);
	json_t *document = discovery_document(call, v2);
	if (document == NULL)
		return not_found_page(call);
	if (v2)
		call->reply->content_type = API_DISCOVERY_V2_TYPE;
	reply_document(call, document);
	return true;
}

/* --- resources -------------------------------------------------------------------------------- */

static bool find_kind(struct api_call *call)
{
	const struct api_route *route = &call->route;
	const struct api_kinds *kinds = &call->core->kinds;
	call->resource =
		api_kinds_find_served(kinds, route->group, route->version, route->resource);
	if (call->resource == NULL)
		return api_kinds_has_group_version(kinds, route->group, route->version)
		               ? api_fail_no_resource(call->reply)
		               : not_found_page(call);
	if (!call->resource->namespaced && route->namespace_[0] != '\0')
		return api_fail_no_resource(call->reply);
	if (call->resource->namespaced && route->namespace_[0] == '\0' && route->name[0] != '\0')
		return api_fail_no_resource(call->reply);
	call->version = api_resource_find_version(call->resource, route->version);
	api_group_version(route->group, route->version, call->group_version);
	if (call->version->deprecated) {
		char *text =
			xasprintf("%s %s is deprecated", call->group_version, call->resource->kind);
		api_reply_warn(call->reply,
		               call->version->warning != NULL ? call->version->warning : text);
		free(text);
	}
	return true;
}

static bool check_options(struct api_call *call)
{
	static const char *const kinds[] = {
		"", "CreateOptions", "UpdateOptions", "PatchOptions", "DeleteOptions", ""};
	const char *kind = kinds[call->request->method];
	char *message = NULL;
	if (call->params.bad_dry_run != NULL)
		message =
			xasprintf("Unsupported value: []string{\"%s\"}: supported values: \"All\"",
		                  call->params.bad_dry_run);
	if (message != NULL) {
		api_fail_options(call->reply, kind, "dryRun", "FieldValueNotSupported", message);
	} else if (call->params.bad_field_validation != NULL) {
		message =
			xasprintf("Unsupported value: \"%s\": supported values: \"\", \"Ignore\", "
		                  "\"Strict\", \"Warn\"",
		                  call->params.bad_field_validation);
		api_fail_options(call->reply, kind, "fieldValidation", "FieldValueNotSupported",
		                 message);
	}
	bool ok = message == NULL;
	free(message);
	return ok;
}

static const struct api_answer_kind *find_answer(const struct api_call *call)
{
	for (size_t i = 0; i < call->core->n_answers; i++) {
		const struct api_answer_kind *answer = call->core->answers[i];
		if (strcmp(answer->group, call->resource->group) == 0 &&
		    strcmp(answer->plural, call->resource->plural) == 0)
			return answer;
	}
	return NULL;
}

static bool handle_virtual(struct api_call *call)
{
	if (call->request->method != API_POST || call->route.name[0] != '\0')
		return api_fail_method(call->reply);
	const struct api_answer_kind *answer = find_answer(call);
	if (answer == NULL)
		return api_handle_token_review(call);
	call->reply->answer_body = api_parse_body(call);
	if (call->reply->answer_body == NULL)
		return false;
	call->reply->answer = answer;
	return true;
}

static bool handle_subresource(struct api_call *call)
{
	const char *sub = call->route.subresource;
	if (strcmp(sub, "status") == 0 && call->version->has_status) {
		if (call->request->method == API_GET)
			return api_handle_get(call);
		if (call->request->method == API_PUT)
			return api_handle_update(call);
		if (call->request->method == API_PATCH)
			return api_handle_patch(call);
		return api_fail_method(call->reply);
	}
	if (strcmp(sub, "token") == 0 &&
	    json_object_get(call->resource->subresources, "token") != NULL)
		return call->request->method == API_POST ? api_handle_token_request(call)
		                                         : api_fail_method(call->reply);
	return api_fail_no_resource(call->reply);
}

static bool handle_object(struct api_call *call)
{
	switch (call->request->method) {
	case API_GET:
		return api_handle_get(call);
	case API_PUT:
		return api_handle_update(call);
	case API_PATCH:
		return api_handle_patch(call);
	case API_DELETE:
		return api_handle_delete(call);
	case API_POST:
	case API_OTHER:
		break;
	}
	return api_fail_method(call->reply);
}

static bool handle_collection(struct api_call *call)
{
	switch (call->request->method) {
	case API_GET:
		return call->params.watch ? api_handle_watch(call) : api_handle_list(call);
	case API_POST:
		if (call->resource->namespaced && call->route.namespace_[0] == '\0')
			return api_fail_method(call->reply);
		return api_handle_create(call);
	case API_DELETE:
		return api_handle_delete_collection(call);
	case API_PUT:
	case API_PATCH:
	case API_OTHER:
		break;
	}
	return api_fail_method(call->reply);
}

static bool check_store(struct api_call *call)
{
	if (!call->core->is_failing || call->request->method == API_GET)
		return true;
	call->reply->retry_after_s = 1;
	return api_fail(call->reply, ERR_UNAVAILABLE,
	                "the disk of the data directory refuses writes: free space there");
}

static bool handle_resource(struct api_call *call)
{
	if (!find_kind(call) || !check_options(call) || !check_store(call))
		return false;
	if (call->resource->is_virtual)
		return handle_virtual(call);
	if (call->route.subresource[0] != '\0')
		return handle_subresource(call);
	return call->route.name[0] != '\0' ? handle_object(call) : handle_collection(call);
}

/* --- the pipeline ----------------------------------------------------------------------------- */

static bool negotiate(struct api_call *call)
{
	if (api_accept_parse(call->request->accept, &call->accept))
		return true;
	call->accept = (struct api_accept){.form = API_FORM_OBJECT};
	/* Documents for machines that take anything: health, OpenAPI v2 in protobuf only. */
	if (call->route.kind == API_ROUTE_PLAIN)
		return true;
	return api_fail(call->reply, ERR_NOT_ACCEPTABLE,
	                "only the following media types are accepted: application/json, "
	                "application/yaml, application/json;as=Table;g=meta.k8s.io;v=v1");
}

static bool dispatch(struct api_call *call)
{
	struct err err;
	if (!api_route_parse(call->request->path, &call->route, &err) ||
	    !api_params_parse(call->request->query, &call->params, &err))
		return api_fail_err(call->reply, &err);
	if (!api_authorize(call) || !negotiate(call))
		return false;
	if (call->route.cluster[0] != '\0')
		return not_found_page(call);
	switch (call->route.kind) {
	case API_ROUTE_NONE:
		return not_found_page(call);
	case API_ROUTE_PLAIN:
		return handle_plain(call);
	case API_ROUTE_API:
	case API_ROUTE_APIS:
	case API_ROUTE_GROUP:
	case API_ROUTE_VERSION:
		return handle_discovery(call);
	case API_ROUTE_RESOURCE:
		return handle_resource(call);
	}
	return not_found_page(call);
}

static void to_yaml(struct api_reply *reply)
{
	struct err err;
	json_t *value = json_parse(buf_str(&reply->body), &err);
	if (value == NULL)
		return;
	char *text = yaml_format(value);
	buf_clear(&reply->body);
	buf_add_text(&reply->body, text);
	reply->content_type = "application/yaml";
	free(text);
	json_decref(value);
}

void api_handle(struct api_core *core, const struct api_request *request, struct api_reply *reply)
{
	struct api_call call = {.core = core, .request = request, .reply = reply};
	IGNORE(dispatch(&call)); /* either way the reply is filled */
	if (call.accept.yaml && reply->watcher == NULL &&
	    strcmp(reply->content_type, "application/json") == 0)
		to_yaml(reply);
	reply->wait_rev = core->head;
	api_params_fini(&call.params);
}
