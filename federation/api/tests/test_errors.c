/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error answers as kube-apiserver gave them (1.32 and 1.34) to the same requests.
 */
#include "harness.h"

struct row {
	enum api_method method;
	const char *path;
	const char *body;
	const char *content_type;
	int status;
	const char *reason;
	const char *message; /* with single quotes for double ones, except where it has its own */
};

#define MERGE "application/merge-patch+json"

static const struct row rows[] = {
	{API_GET, CONFIGS "/nope", NULL, NULL, 404, "NotFound", "configmaps \"nope\" not found"},
	{API_GET, WIDGETS "/nope", NULL, NULL, 404, "NotFound",
         "widgets.example.com \"nope\" not found"},
	{API_GET, "/api/v1/namespaces/default/nothings", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
	{API_PUT, CONFIGS, "{}", NULL, 405, "MethodNotAllowed",
         "the server does not allow this method on the requested resource"},
	{API_POST, CONFIGS, "x", "text/plain", 415, "UnsupportedMediaType",
         "the body of the request was in an unknown format - accepted media types include: "
         "application/json, application/yaml"},
	{API_POST, CONFIGS, "k8s", "application/vnd.kubernetes.protobuf", 415,
         "UnsupportedMediaType", NULL},
	{API_POST, CONFIGS, "{'metadata':{'name':'e1'}}", NULL, 409, "AlreadyExists",
         "configmaps \"e1\" already exists"},
	{API_PUT, CONFIGS "/e1", "{'metadata':{'name':'e1','resourceVersion':'1'}}", NULL, 409,
         "Conflict",
         "Operation cannot be fulfilled on configmaps \"e1\": the object has been modified; please "
         "apply your changes to the latest version and try again"},
	{API_POST, CONFIGS, "{'metadata':{}}", NULL, 422, "Invalid",
         "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is "
         "required"},
	{API_POST, CONFIGS, "{'metadata':{'name':'E_1'}}", NULL, 422, "Invalid", NULL},
	{API_PUT, CONFIGS "/e1", "{'metadata':{'name':'e2'}}", NULL, 400, "BadRequest",
         "the name of the object (e2) does not match the name on the URL (e1)"},
	{API_PUT, CONFIGS "/e77", "{'metadata':{'name':'e77'}}", NULL, 404, "NotFound",
         "configmaps \"e77\" not found"},
	{API_POST, CONFIGS, "{'metadata':{'name':'q','namespace':'other'}}", NULL, 400,
         "BadRequest",
         "the namespace of the provided object does not match the namespace sent on the request"},
	{API_POST, CONFIGS, "{'apiVersion':'v2','metadata':{'name':'q'}}", NULL, 400, "BadRequest",
         "the API version in the data (v2) does not match the expected API version (v1)"},
	{API_POST, CONFIGS, "{'kind':'Secret','metadata':{'name':'q'}}", NULL, 400, "BadRequest",
         NULL},
	{API_POST, CONFIGS, "{'a", NULL, 400, "BadRequest", NULL},
	{API_POST, CONFIGS, "[]", NULL, 400, "BadRequest", "the body is no JSON object"},
	{API_POST, CONFIGS, "{'metadata':7}", NULL, 400, "BadRequest",
         "metadata must be an object"},
	{API_POST, CONFIGS, "{'metadata':{'name':'q'},'data':{'a':1}}", NULL, 400, "BadRequest",
         NULL},
	{API_POST, CONFIGS, "{'metadata':{'name':'q','labels':7}}", NULL, 400, "BadRequest", NULL},
	{API_POST, CONFIGS, "{'metadata':{'name':'q'},'data':{'a/b':'1'}}", NULL, 422, "Invalid",
         NULL},
	{API_POST, "/api/v1/namespaces/nons/configmaps", "{'metadata':{'name':'q'}}", NULL, 404,
         "NotFound", "namespaces \"nons\" not found"},
	{API_POST, CONFIGS, "{'metadata':{'name':'qq','resourceVersion':'5'}}", NULL, 400,
         "BadRequest", "resourceVersion should not be set on objects to be created"},
	{API_GET, CONFIGS "?labelSelector=a%3D%3Db%3D%3Dc", NULL, NULL, 400, "BadRequest",
         "found '==', expected: ',' or 'end of string'"},
	{API_GET, CONFIGS "?fieldSelector=spec.foo%3Dx", NULL, NULL, 400, "BadRequest",
         "\"spec.foo\" is not a known field selector: only \"metadata.name\", "
         "\"metadata.namespace\""},
	{API_GET, CONFIGS "?resourceVersion=99999999", NULL, NULL, 504, "Timeout", NULL},
	{API_GET, CONFIGS "?resourceVersion=abc", NULL, NULL, 400, "BadRequest",
         "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: "
         "parsing \"abc\": invalid syntax"},
	{API_GET, CONFIGS "?resourceVersionMatch=Exact", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
         "resourceVersionMatch is forbidden unless resourceVersion is provided"},
	{API_GET, CONFIGS "?sendInitialEvents=true", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents "
         "is forbidden for list"},
	{API_GET, CONFIGS "?watch=1&sendInitialEvents=true", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
         "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"},
	{API_DELETE, CONFIGS "/e1", "{'preconditions':{'resourceVersion':'1'}}", NULL, 409,
         "Conflict", NULL},
	{API_DELETE, CONFIGS "/e1?propagationPolicy=Foo", NULL, NULL, 422, "Invalid",
         "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: "
         "\"Foo\": "
         "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""},
	{API_POST, CONFIGS "?dryRun=yes", "{'metadata':{'name':'dry'}}", NULL, 422, "Invalid",
         "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: []string{\"yes\"}: "
         "supported values: \"All\""},
	{API_PUT, WIDGETS "/c1",
         "{'apiVersion':'example.com/"
         "v1','kind':'Widget','metadata':{'name':'c1'},'spec':{'size':2}}",
         NULL, 422, "Invalid", NULL},
	{API_POST, WIDGETS, "{'metadata':{'name':'c2'},'spec':{'size':1}}", NULL, 400, "BadRequest",
         NULL},
	{API_POST, WIDGETS,
         "{'apiVersion':'example.com/"
         "v2','kind':'Widget','metadata':{'name':'c2'},'spec':{'size':1}}",
         NULL, 400, "BadRequest",
         "the API version in the data (example.com/v2) does not match the expected API version "
         "(example.com/v1)"},
	{API_POST, WIDGETS, "{'kind':'Widget','metadata':{'name':'c2'},'spec':{'size':'x'}}", NULL,
         422, "Invalid",
         "Widget.example.com \"c2\" is invalid: spec.size: Invalid value: \"string\": spec.size in "
         "body must be of type integer: \"string\""},
	{API_POST, WIDGETS, "{'kind':'Widget','metadata':{'name':'c2'},'spec':{}}", NULL, 422,
         "Invalid", "Widget.example.com \"c2\" is invalid: spec.size: Required value"},
	{API_POST, WIDGETS "?fieldValidation=Strict",
         "{'kind':'Widget','metadata':{'name':'c2','foo':1},'spec':{'size':1,'size':2,'bogus':1}}",
         NULL, 400, "BadRequest",
         "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: duplicate "
         "field \"spec.size\", unknown field \"metadata.foo\", unknown field \"spec.bogus\""},
	{API_PATCH, WIDGETS "/c1", "{'metadata':{'resourceVersion':'2'},'spec':{'size':3}}", MERGE,
         409, "Conflict",
         "Operation cannot be fulfilled on widgets.example.com \"c1\": the object has been "
         "modified; "
         "please apply your changes to the latest version and try again"},
	{API_PATCH, WIDGETS "/c1", "{'metadata':{'name':'zz'}}", MERGE, 400, "BadRequest",
         "the name of the object (zz) does not match the name on the URL (c1)"},
	{API_PATCH, WIDGETS "/c77", "{'spec':{'size':3}}", MERGE, 404, "NotFound",
         "widgets.example.com \"c77\" not found"},
	{API_PATCH, WIDGETS "/c1", "{'spec':{'size':3}}", "application/strategic-merge-patch+json",
         415, "UnsupportedMediaType", NULL},
	{API_PATCH, WIDGETS "/c1?force=true", "{'spec':{'size':3}}", MERGE, 422, "Invalid",
         "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for "
         "non-apply patch"},
	{API_PATCH, WIDGETS "/c1", "{'metadata':{'uid':'11111111-1111-1111-1111-111111111111'}}",
         MERGE, 422, "Invalid", NULL},
	{API_PATCH, WIDGETS "/c1", "[1]", MERGE, 400, "BadRequest", NULL},
	{API_DELETE, "/api/v1/namespaces/default", NULL, NULL, 403, "Forbidden",
         "namespaces \"default\" is forbidden: this namespace may not be deleted"},
	{API_GET, WIDGETS "/c1/scale", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
	{API_GET, CONFIGS "?continue=zzz", NULL, NULL, 410, "Expired", NULL},
	{API_GET, "/api/v1/namespaces/a%zz/configmaps", NULL, NULL, 400, "BadRequest",
         "the path has a bad escape"},
};

static void errors_read_as_those_of_kube_apiserver(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	ask_only(&core, API_POST, CONFIGS, "{'metadata':{'name':'e1'},'data':{'a':'1'}}", 201);
	ask_only(&core, API_POST, WIDGETS,
	         "{'kind':'Widget','metadata':{'name':'c1'},'spec':{'size':1}}", 201);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct ask ask = {.method = rows[i].method,
		                  .path = rows[i].path,
		                  .body = rows[i].body,
		                  .content_type = rows[i].content_type};
		json_t *status = ask_for(&core, &ask, rows[i].status);
		assert_string_equal(json_str_at(status, "kind", ""), "Status");
		assert_string_equal(json_str_at(status, "status", ""), "Failure");
		assert_int_equal(json_int_at(status, "code", 0), rows[i].status);
		assert_string_equal(json_str_at(status, "reason", ""), rows[i].reason);
		if (rows[i].message != NULL)
			assert_string_equal(json_str_at(status, "message", ""), rows[i].message);
		json_decref(status);
	}
	api_core_fini(&core);
}

static void details_tell_what_is_meant(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	json_t *status =
		ask_for(&core, &(struct ask){.method = API_GET, .path = WIDGETS "/w"}, 404);
	assert_at(status, "details", "{'name':'w','group':'example.com','kind':'widgets'}");
	json_decref(status);
	struct ask bad = {.method = API_POST,
	                  .path = WIDGETS,
	                  .body = "{'kind':'Widget','metadata':{'name':'w'},'spec':{'size':0,"
	                          "'color':'x'}}"};
	status = ask_for(&core, &bad, 422);
	assert_at(status, "details.kind", "'Widget'");
	assert_int_equal(json_array_size(json_at(status, "details.causes")), 2);
	json_decref(status);
	api_core_fini(&core);
}

static void unknown_paths_are_pages_not_found(void **state)
{
	(void)state;
	static const char *const paths[] = {"/apis/foo.io/v1/bars", "/nothing", "/openapi/v1",
	                                    "/apis/foo.io", "/clusters/c1/api/v1/pods"};
	struct api_core core;
	core_start(&core);
	for (size_t i = 0; i < N_ELEMS(paths); i++) {
		struct api_reply reply;
		ask_reply(&core, &(struct ask){.method = API_GET, .path = paths[i]}, &reply);
		assert_int_equal(reply.status, 404);
		assert_string_equal(buf_text(&reply.body), "404 page not found\n");
		api_reply_fini(&reply);
	}
	api_core_fini(&core);
}

static void only_admins_may_do_all(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	static const struct {
		enum api_method method;
		const char *path;
		int status;
		const char *message;
	} users[] = {
		{API_GET, "/version", 200, NULL},
		{API_GET, "/readyz", 200, NULL},
		{API_GET, "/api", 200, NULL},
		{API_GET, "/apis/apiextensions.k8s.io/v1", 200, NULL},
		{API_GET, "/openapi/v3", 200, NULL},
		{API_GET, "/api/v1/namespaces/default/secrets", 403,
	         "secrets is forbidden: User \"bob\" cannot list resource \"secrets\" in API group "
	         "\"\" in the namespace \"default\""},
		{API_GET, "/api/v1/secrets?watch=true", 403,
	         "secrets is forbidden: User \"bob\" cannot watch resource \"secrets\" in API "
	         "group "
	         "\"\" at the cluster scope"},
		{API_DELETE, CONFIGS "/x", 403, NULL},
		{API_POST, "/apis/authentication.k8s.io/v1/tokenreviews", 403, NULL},
		{API_POST, "/version", 403, NULL},
	};
	for (size_t i = 0; i < N_ELEMS(users); i++) {
		struct api_reply reply;
		struct ask ask = {.method = users[i].method, .path = users[i].path, .user = "bob"};
		ask_reply(&core, &ask, &reply);
		assert_int_equal(reply.status, users[i].status);
		if (users[i].message != NULL) {
			json_t *status = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
			assert_string_equal(json_str_at(status, "message", ""), users[i].message);
			json_decref(status);
		}
		api_reply_fini(&reply);
	}
	api_core_fini(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_read_as_those_of_kube_apiserver),
		cmocka_unit_test(details_tell_what_is_meant),
		cmocka_unit_test(unknown_paths_are_pages_not_found),
		cmocka_unit_test(only_admins_may_do_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
