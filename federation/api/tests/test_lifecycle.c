/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#define NS "/api/v1/namespaces"

static void a_namespace_is_furnished(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	core.ca_pem = xstrdup("PEM");
	ask_only(&core, API_POST, NS, "{'metadata':{'name':'nsx'}}", 201);
	json_t *obj = get(&core, NS "/nsx");
	assert_at(obj, "spec.finalizers", "['kubernetes']");
	assert_at(obj, "status.phase", "'Active'");
	assert_at(obj, "metadata.labels", "{'kubernetes.io/metadata.name':'nsx'}");
	json_decref(obj);
	json_decref(get(&core, NS "/nsx/serviceaccounts/default"));
	obj = get(&core, NS "/nsx/configmaps/kube-root-ca.crt");
	assert_at(obj, "data", "{'ca.crt':'PEM'}");
	json_decref(obj);
	api_core_fini(&core);
}

static void a_namespace_empties_itself_and_goes(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	ask_only(&core, API_POST, NS, "{'metadata':{'name':'nsx'}}", 201);
	ask_only(&core, API_POST, NS "/nsx/secrets", "{'metadata':{'name':'s'}}", 201);
	ask_only(&core, API_POST, "/apis/example.com/v1/namespaces/nsx/widgets",
	         "{'kind':'Widget','metadata':{'name':'w','finalizers':['x.io/"
	         "f']},'spec':{'size':1}}",
	         201);
	json_t *obj = ask_for(&core, &(struct ask){.method = API_DELETE, .path = NS "/nsx"}, 200);
	assert_at(obj, "status.phase", "'Terminating'");
	json_decref(obj);
	json_t *status = ask_for(&core,
	                         &(struct ask){.method = API_POST,
	                                       .path = NS "/nsx/configmaps",
	                                       .body = "{'metadata':{'name':'qq'}}"},
	                         403);
	assert_at(status, "message",
	          "'configmaps \\\"qq\\\" is forbidden: unable to create new content in namespace "
	          "nsx "
	          "because it is being terminated'");
	assert_at(json_array_get(json_at(status, "details.causes"), 0), "reason",
	          "'NamespaceTerminating'");
	json_decref(status);
	api_lifecycle_step(&core);
	ask_only(&core, API_GET, NS "/nsx/secrets/s", NULL, 404);
	/* The finalizer of the widget holds it, and so the namespace. */
	json_decref(get(&core, NS "/nsx"));
	ask_only(&core, API_PATCH, "/apis/example.com/v1/namespaces/nsx/widgets/w",
	         "{'metadata':{'finalizers':null}}", 200);
	assert_true(core.has_chores);
	api_lifecycle_step(&core);
	ask_only(&core, API_GET, NS "/nsx", NULL, 404);
	api_core_fini(&core);
}

static void a_large_namespace_goes_in_pieces(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	ask_only(&core, API_POST, NS, "{'metadata':{'name':'big'}}", 201);
	for (int i = 0; i < API_CHORES_A_TURN + 10; i++)
		ask_only(&core, API_POST, NS "/big/configmaps",
		         "{'metadata':{'generateName':'c-'}}", 201);
	ask_only(&core, API_DELETE, NS "/big", NULL, 200);
	api_lifecycle_step(&core);
	json_decref(get(&core, NS "/big"));
	while (core.has_chores)
		api_lifecycle_step(&core);
	ask_only(&core, API_GET, NS "/big", NULL, 404);
	api_core_fini(&core);
}

static void events_expire(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	ask_only(&core, API_POST, NS "/default/events",
	         "{'metadata':{'name':'e'},'involvedObject':{'name':'x'},'reason':'R'}", 201);
	core.now_s += API_EVENT_TTL_S;
	api_lifecycle_expire_events(&core);
	json_decref(get(&core, NS "/default/events/e"));
	core.now_s += 1;
	api_lifecycle_expire_events(&core);
	ask_only(&core, API_GET, NS "/default/events/e", NULL, 404);
	api_core_fini(&core);
}

static void a_definition_is_served_at_once_and_takes_its_objects_with_it(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_t *obj = ask_for(
		&core, &(struct ask){.method = API_POST, .path = CRDS, .body = widget_crd}, 201);
	assert_at(obj, "spec.names.listKind", "'WidgetList'");
	assert_at(obj, "status.storedVersions", "['v1']");
	json_decref(obj);
	obj = get(&core, CRDS "/widgets.example.com");
	assert_string_equal(
		json_str_at(json_array_get(json_at(obj, "status.conditions"), 1), "type", ""),
		"Established");
	json_decref(obj);
	obj = get(&core, "/apis/example.com/v1");
	assert_int_equal(json_array_size(json_object_get(obj, "resources")), 2);
	json_decref(obj);
	ask_only(&core, API_POST, WIDGETS,
	         "{'kind':'Widget','metadata':{'name':'w'},'spec':{'size':1}}", 201);
	ask_only(&core, API_DELETE, CRDS "/widgets.example.com", NULL, 200);
	api_lifecycle_step(&core);
	ask_only(&core, API_GET, CRDS "/widgets.example.com", NULL, 404);
	ask_only(&core, API_POST, CRDS, widget_crd, 201);
	obj = get(&core, WIDGETS);
	assert_int_equal(json_array_size(json_object_get(obj, "items")), 0);
	json_decref(obj);
	api_core_fini(&core);
}

static void bad_definitions_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *patch;
		const char *field;
	} rows[] = {
		{"{'metadata':{'name':'wrong.example.com'}}", "metadata.name"},
		{"{'spec':{'group':'nodot'}}", "metadata.name"},
		{"{'spec':{'scope':'Galaxy'}}", "spec.scope"},
		{"{'spec':{'names':{'kind':null}}}", "spec.names.kind"},
		{"{'spec':{'versions':[]}}", "spec.versions"},
		{"{'spec':{'versions':[{'name':'v1','served':true,'storage':false,'schema':{"
	         "'openAPIV3Schema':{'type':'object'}}}]}}",
	         "spec.versions"},
		{"{'spec':{'versions':[{'name':'v1','served':true,'storage':true}]}}",
	         "spec.versions[0].schema.openAPIV3Schema"},
		{"{'spec':{'versions':[{'name':'v1','served':true,'storage':true,'schema':{"
	         "'openAPIV3Schema':{'type':'object','properties':{'a':{'type':'string','pattern':"
	         "'('}}}}}]}}",
	         "spec.versions"},
		{"{'spec':{'conversion':{'strategy':'Webhook'}}}", "spec.conversion.strategy"},
	};
	struct api_core core;
	core_start(&core);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *base_text = with_double_quotes(widget_crd);
		char *patch_text = with_double_quotes(rows[i].patch);
		json_t *base = json_loads(base_text, 0, NULL);
		json_t *patch = json_loads(patch_text, 0, NULL);
		json_object_update_recursive(base, patch);
		if (json_is_null(json_at(base, "spec.names.kind")))
			json_object_del(json_at(base, "spec.names"), "kind");
		char *body = json_dumps(base, 0);
		json_t *status = ask_for(
			&core, &(struct ask){.method = API_POST, .path = CRDS, .body = body}, 422);
		assert_string_equal(
			json_str_at(json_array_get(json_at(status, "details.causes"), 0), "field",
		                    ""),
			rows[i].field);
		json_decref(status);
		json_decref(base);
		json_decref(patch);
		free(body);
		free(base_text);
		free(patch_text);
	}
	api_core_fini(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_is_furnished),
		cmocka_unit_test(a_namespace_empties_itself_and_goes),
		cmocka_unit_test(a_large_namespace_goes_in_pieces),
		cmocka_unit_test(events_expire),
		cmocka_unit_test(a_definition_is_served_at_once_and_takes_its_objects_with_it),
		cmocka_unit_test(bad_definitions_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
