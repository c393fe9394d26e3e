/* SPDX-License-Identifier: Apache-2.0 */
#include "duplicates.h"
#include "negotiate.h"
#include "unit.h"
#include "url.h"

#include "base/macros.h"

static void paths_name_resources(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum api_route_kind kind;
		const char *parts; /* cluster|group|version|namespace|resource|name|subresource */
	} rows[] = {
		{"/api", API_ROUTE_API, "||||||"},
		{"/api/", API_ROUTE_API, "||||||"},
		{"/apis", API_ROUTE_APIS, "||||||"},
		{"/apis/x.io", API_ROUTE_GROUP, "|x.io|||||"},
		{"/api/v1", API_ROUTE_VERSION, "||v1||||"},
		{"/apis/x.io/v1/", API_ROUTE_VERSION, "|x.io|v1||||"},
		{"/api/v1/namespaces", API_ROUTE_RESOURCE, "||v1||namespaces||"},
		{"/api/v1/namespaces/a", API_ROUTE_RESOURCE, "||v1||namespaces|a|"},
		{"/api/v1/namespaces/a/status", API_ROUTE_RESOURCE, "||v1||namespaces|a|status"},
		{"/api/v1/namespaces/a/pods", API_ROUTE_RESOURCE, "||v1|a|pods||"},
		{"/api/v1/namespaces/a/pods/p/status", API_ROUTE_RESOURCE, "||v1|a|pods|p|status"},
		{"/api/v1/pods", API_ROUTE_RESOURCE, "||v1||pods||"},
		{"/api/v1/nodes/n", API_ROUTE_RESOURCE, "||v1||nodes|n|"},
		{"/apis/x.io/v1/ws/w%2Fx", API_ROUTE_RESOURCE, "|x.io|v1||ws|w/x|"},
		{"/api/v1/namespaces/a/pods/p/exec/x", API_ROUTE_NONE, "||v1|a|pods|p|exec"},
		{"/clusters/c1/api/v1/pods", API_ROUTE_RESOURCE, "c1||v1||pods||"},
		{"/version", API_ROUTE_PLAIN, "||||||"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct api_route r;
		char parts[2048];
		assert_true(api_route_parse(str_from(rows[i].path), &r, &err));
		snprintf(parts, sizeof(parts), "%s|%s|%s|%s|%s|%s|%s", r.cluster, r.group,
		         r.version, r.namespace_, r.resource, r.name, r.subresource);
		assert_string_equal(parts, rows[i].parts);
		assert_int_equal(r.kind, rows[i].kind);
	}
}

static void bad_paths_are_refused(void **state)
{
	(void)state;
	struct err err;
	struct api_route route;
	char path[600] = "/api/v1/";
	assert_false(api_route_parse(STR_LIT("/api/%"), &route, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	memset(path + 8, 'x', 300);
	assert_false(api_route_parse(str_from(path), &route, &err));
	for (size_t i = 0; i < 300; i++)
		path[i] = i % 2 == 0 ? '/' : 'a';
	path[300] = '\0';
	assert_false(api_route_parse(str_from(path), &route, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void options_are_read(void **state)
{
	(void)state;
	struct err err;
	struct api_params p;
	assert_true(api_params_parse(
		STR_LIT("watch=True&labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5&"
	                "timeoutSeconds=7&dryRun=All&fieldValidation=Strict&unknown=1&"
	                "allowWatchBookmarks=0&sendInitialEvents=false"),
		&p, &err));
	assert_true(p.watch && p.dry_run && p.has_send_initial_events);
	assert_false(p.allow_bookmarks || p.send_initial_events);
	assert_int_equal(p.labels.n_terms, 1);
	assert_int_equal(p.limit, 5);
	assert_int_equal(p.timeout_s, 7);
	assert_int_equal(p.field_validation, API_FIELDS_STRICT);
	api_params_fini(&p);
	static const char *const bad[] = {"limit=x", "labelSelector=%3D", "fieldSelector=abc",
	                                  "timeoutSeconds=-1", "a=%zz"};
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		assert_false(api_params_parse(str_from(bad[i]), &p, &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		api_params_fini(&p);
	}
}

static void the_first_acceptable_form_is_taken(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		bool ok;
		enum api_form form;
		bool yaml;
	} rows[] = {
		{"", true, API_FORM_OBJECT, false},
		{"*/*", true, API_FORM_OBJECT, false},
		{"application/json", true, API_FORM_OBJECT, false},
		{"application/yaml", true, API_FORM_OBJECT, true},
		{"application/vnd.kubernetes.protobuf, application/json", true, API_FORM_OBJECT,
	         false},
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", true,
	         API_FORM_TABLE, false},
		{"application/json; g=meta.k8s.io; v=v1; as=PartialObjectMetadataList", true,
	         API_FORM_PARTIAL, false},
		{"application/json;as=Nonsense;v=v1;g=meta.k8s.io,application/json", true,
	         API_FORM_OBJECT, false},
		{"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", true,
	         API_FORM_DISCOVERY_V2, false},
		{"application/vnd.kubernetes.protobuf", false, API_FORM_OBJECT, false},
		{"text/html", false, API_FORM_OBJECT, false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct api_accept accept;
		assert_int_equal(api_accept_parse(rows[i].accept, &accept), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(accept.form, rows[i].form);
		assert_int_equal(accept.yaml, rows[i].yaml);
	}
	assert_int_equal(api_media_parse(""), API_MEDIA_JSON);
	assert_int_equal(api_media_parse("Application/JSON; charset=utf-8"), API_MEDIA_JSON);
	assert_int_equal(api_media_parse("application/json-patch+json"), API_MEDIA_OTHER);
}

static void repeated_keys_are_found(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *paths;
	} rows[] = {
		{"{\"a\":1,\"b\":{\"a\":1}}", "[]"},
		{"{\"a\":1,\"a\":2}", "[\"a\"]"},
		{"{\"s\":{\"x\":{\"y\":1,\"z\":\"}\",\"y\":2}}}", "[\"s.x.y\"]"},
		{"{\"l\":[{\"n\":1},{\"n\":1,\"n\":2}]}", "[\"l[1].n\"]"},
		{"{\"a\\\"b\":1,\"a\\\"b\":[[1],{\"k\":1,\"k\":2}]}",
	         "[\"a\\\\\\\"b\",\"a\\\\\\\"b[1].k\"]"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *paths = json_array();
		api_duplicates_find(str_from(rows[i].text), paths);
		char *text = json_dumps(paths, JSON_COMPACT);
		assert_string_equal(text, rows[i].paths);
		free(text);
		json_decref(paths);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_name_resources),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(the_first_acceptable_form_is_taken),
		cmocka_unit_test(repeated_keys_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
