/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of objects: what a create fills in, what updates, patches and deletions do.
 */
#include "harness.h"

static json_t *post(struct api_core *core, const char *path, const char *body)
{
	return ask_for(core, &(struct ask){.method = API_POST, .path = path, .body = body}, 201);
}

static json_t *patch(struct api_core *core, const char *path, const char *body)
{
	struct ask ask = {.method = API_PATCH,
	                  .path = path,
	                  .body = body,
	                  .content_type = "application/merge-patch+json"};
	return ask_for(core, &ask, 200);
}

static const char widget[] = "{'apiVersion':'example.com/v1','kind':'Widget','metadata':{'name':"
			     "'c1'},'spec':{'size':1,'bogus':5}}";

static void a_create_fills_in_what_is_the_servers(void **state)
{
	(void)state;
	struct api_core core;
	struct api_reply reply;
	core_start_with_widgets(&core);
	struct ask ask = {.method = API_POST, .path = WIDGETS, .body = widget};
	ask_reply(&core, &ask, &reply);
	assert_int_equal(reply.status, 201);
	assert_string_equal(json_string_value(json_array_get(reply.warnings, 0)),
	                    "unknown field \"spec.bogus\"");
	json_t *obj = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
	assert_at(obj, "spec", "{'size':1,'color':'red'}");
	assert_at(obj, "metadata.generation", "1");
	assert_at(obj, "metadata.creationTimestamp", "'2026-11-24T10:00:00Z'");
	assert_int_equal(strlen(json_str_at(obj, "metadata.uid", "")), 36);
	assert_int_equal(strtol(json_str_at(obj, "metadata.resourceVersion", ""), NULL, 10),
	                 core.head);
	json_decref(obj);
	api_reply_fini(&reply);

	obj = post(&core, CONFIGS, "{'metadata':{'generateName':'gen-'}}");
	assert_int_equal(strlen(json_str_at(obj, "metadata.name", "")), 9);
	assert_at(obj, "metadata.generation", "-");
	json_decref(obj);
	api_core_fini(&core);
}

static void generation_follows_the_spec_alone(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	json_decref(post(&core, WIDGETS, widget));
	uint64_t head = core.head;
	json_decref(patch(&core, WIDGETS "/c1", "{'spec':{'size':1}}"));
	json_decref(patch(&core, WIDGETS "/c1", "{'status':{'x':1}}"));
	assert_int_equal(core.head, head);
	json_t *obj = patch(&core, WIDGETS "/c1", "{'spec':{'size':2}}");
	assert_at(obj, "metadata.generation", "2");
	json_decref(obj);
	obj = patch(&core, WIDGETS "/c1", "{'metadata':{'labels':{'q':'1'}}}");
	assert_at(obj, "metadata.generation", "2");
	json_decref(obj);
	obj = patch(&core, WIDGETS "/c1/status",
	            "{'status':{'x':1},'spec':{'size':77},'metadata':{'labels':{'zz':'1'}}}");
	assert_at(obj, "metadata.generation", "2");
	assert_at(obj, "metadata.labels", "{'q':'1'}");
	assert_at(obj, "spec.size", "2");
	assert_at(obj, "status", "{'x':1}");
	json_decref(obj);
	api_core_fini(&core);
}

static void every_served_version_shows_the_same_object(void **state)
{
	(void)state;
	struct api_core core;
	struct api_reply reply;
	core_start_with_widgets(&core);
	json_decref(post(&core, WIDGETS, widget));
	json_t *v1 = get(&core, WIDGETS "/c1");
	json_t *old = get(&core, "/apis/example.com/v1beta1/namespaces/default/widgets/c1");
	assert_at(old, "apiVersion", "'example.com/v1beta1'");
	json_object_set_new(old, "apiVersion", json_string("example.com/v1"));
	assert_true(json_equal(v1, old));
	json_decref(v1);
	json_decref(old);
	struct ask ask = {.method = API_GET,
	                  .path = "/apis/example.com/v1beta1/namespaces/default/widgets/c1"};
	ask_reply(&core, &ask, &reply);
	assert_string_equal(json_string_value(json_array_get(reply.warnings, 0)),
	                    "example.com/v1beta1 Widget is deprecated");
	api_reply_fini(&reply);
	api_core_fini(&core);
}

static void finalizers_hold_a_deletion(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	json_decref(post(&core, WIDGETS, widget));
	json_decref(patch(&core, WIDGETS "/c1", "{'metadata':{'finalizers':['x.io/f']}}"));
	struct ask delete = {.method = API_DELETE, .path = WIDGETS "/c1"};
	json_t *obj = ask_for(&core, &delete, 200);
	assert_at(obj, "kind", "'Widget'");
	assert_at(obj, "metadata.deletionTimestamp", "'2026-11-24T10:00:00Z'");
	assert_at(obj, "metadata.deletionGracePeriodSeconds", "0");
	assert_at(obj, "metadata.generation", "2");
	json_decref(obj);
	uint64_t head = core.head;
	json_decref(ask_for(&core, &delete, 200));
	assert_int_equal(core.head, head);
	struct ask add = {.method = API_PATCH,
	                  .path = WIDGETS "/c1",
	                  .content_type = "application/merge-patch+json",
	                  .body = "{'metadata':{'finalizers':['x.io/f','x.io/g']}}"};
	json_t *status = ask_for(&core, &add, 422);
	assert_string_equal(
		json_str_at(status, "message", ""),
		"Widget.example.com \"c1\" is invalid: metadata.finalizers: Forbidden: no "
		"new finalizers can be added if the object is being deleted, found new "
		"finalizers []string{\"x.io/g\"}");
	json_decref(status);
	obj = patch(&core, WIDGETS "/c1", "{'metadata':{'finalizers':null}}");
	assert_at(obj, "kind", "'Widget'");
	json_decref(obj);
	ask_only(&core, API_GET, WIDGETS "/c1", NULL, 404);
	api_core_fini(&core);
}

static void a_deletion_without_finalizers_answers_success(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_decref(post(&core, CONFIGS, "{'metadata':{'name':'e1'}}"));
	struct ask dry = {.method = API_DELETE, .path = CONFIGS "/e1?dryRun=All"};
	json_decref(ask_for(&core, &dry, 200));
	json_t *status =
		ask_for(&core, &(struct ask){.method = API_DELETE, .path = CONFIGS "/e1"}, 200);
	assert_at(status, "status", "'Success'");
	assert_at(status, "details.kind", "'configmaps'");
	json_decref(status);
	ask_only(&core, API_GET, CONFIGS "/e1", NULL, 404);
	api_core_fini(&core);
}

static void a_dry_run_leaves_no_trace(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	uint64_t head = core.head;
	json_t *obj = post(&core, CONFIGS "?dryRun=All", "{'metadata':{'name':'dry'}}");
	assert_at(obj, "metadata.resourceVersion", "-");
	json_decref(obj);
	ask_only(&core, API_GET, CONFIGS "/dry", NULL, 404);
	assert_int_equal(core.head, head);
	json_decref(post(&core, WIDGETS, widget));
	head = core.head;
	obj = patch(&core, WIDGETS "/c1?dryRun=All", "{'spec':{'size':9}}");
	assert_at(obj, "spec.size", "9");
	json_decref(obj);
	assert_int_equal(core.head, head);
	api_core_fini(&core);
}

static void built_ins_are_completed(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_t *obj =
		post(&core, "/api/v1/namespaces/default/secrets",
	             "{'metadata':{'name':'s','managedFields':[{}]},'stringData':{'p':'hello'},"
	             "'data':{'q':'eA=='}}");
	assert_at(obj, "data", "{'q':'eA==','p':'aGVsbG8='}");
	assert_at(obj, "type", "'Opaque'");
	assert_at(obj, "stringData", "-");
	assert_at(obj, "metadata.managedFields", "-");
	json_decref(obj);
	obj = post(&core, "/api/v1/namespaces/default/services",
	           "{'metadata':{'name':'s'},'spec':{'ports':[{'port':80}]}}");
	assert_at(obj, "spec.ports", "[{'port':80,'protocol':'TCP','targetPort':80}]");
	assert_int_equal(strncmp(json_str_at(obj, "spec.clusterIP", ""), "10.96.", 6), 0);
	json_decref(obj);
	obj = post(&core, "/api/v1/namespaces/default/services",
	           "{'metadata':{'name':'h'},'spec':{'clusterIP':'None'}}");
	assert_at(obj, "spec.clusterIP", "'None'");
	json_decref(obj);
	obj = post(
		&core, "/api/v1/namespaces/default/pods",
		"{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c'}]},'status':{'phase':"
		"'Running'}}");
	assert_at(obj, "status.phase", "'Pending'");
	assert_at(obj, "spec.serviceAccountName", "'default'");
	json_decref(obj);
	json_decref(patch(&core, "/api/v1/namespaces/default/pods/p/status",
	                  "{'status':{'phase':'Running','podIP':'10.0.0.7'}}"));
	obj = get(&core,
	          "/api/v1/pods?fieldSelector=status.phase%21%3DFailed,status.podIP%3D10.0.0.7");
	assert_int_equal(json_array_size(json_object_get(obj, "items")), 1);
	json_decref(obj);
	api_core_fini(&core);
}

static void immutable_things_stay(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_decref(post(&core, CONFIGS,
	                 "{'metadata':{'name':'i'},'immutable':true,'data':{'a':'1'}}"));
	ask_only(&core, API_PATCH, CONFIGS "/i", "{'data':{'a':'2'}}", 422);
	ask_only(&core, API_PATCH, CONFIGS "/i", "{'immutable':false}", 422);
	ask_only(&core, API_PATCH, CONFIGS "/i", "{'metadata':{'labels':{'a':'b'}}}", 200);
	json_decref(post(&core, "/api/v1/namespaces/default/services",
	                 "{'metadata':{'name':'s'},'spec':{'ports':[{'port':80}]}}"));
	ask_only(&core, API_PATCH, "/api/v1/namespaces/default/services/s",
	         "{'spec':{'clusterIP':'10.96.9.9'}}", 422);
	ask_only(&core, API_PUT, "/api/v1/namespaces/default/services/s",
	         "{'metadata':{'name':'s'},'spec':{'ports':[{'port':81}]}}", 200);
	api_core_fini(&core);
}

static void lists_select_and_keep_order(void **state)
{
	(void)state;
	struct api_core core;
	core_start_with_widgets(&core);
	json_decref(post(&core, WIDGETS,
	                 "{'kind':'Widget','metadata':{'name':'b','labels':{'t':'1'}},'spec':{"
	                 "'size':1,'color':'blue'}}"));
	json_decref(post(&core, WIDGETS,
	                 "{'kind':'Widget','metadata':{'name':'a','labels':{'t':'2'}},'spec':{"
	                 "'size':1}}"));
	json_t *list = get(&core, WIDGETS);
	assert_at(list, "kind", "'WidgetList'");
	assert_string_equal(
		json_str_at(json_array_get(json_object_get(list, "items"), 0), "metadata.name", ""),
		"a");
	json_decref(list);
	static const struct {
		const char *path;
		const char *names;
	} rows[] = {
		{WIDGETS "?labelSelector=t%3D1", "b"},
		{WIDGETS "?labelSelector=t+in+(1,2)", "ab"},
		{"/apis/example.com/v1/widgets?fieldSelector=spec.color%3Dblue", "b"},
		{WIDGETS "?fieldSelector=metadata.name%3Da", "a"},
		{WIDGETS "?resourceVersion=0&limit=500", "ab"},
		{"/apis/example.com/v1/namespaces/kube-system/widgets", ""},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char names[8] = "";
		list = get(&core, rows[i].path);
		size_t at;
		json_t *item;
		json_array_foreach (json_object_get(list, "items"), at, item) {
			strcat(names, json_str_at(item, "metadata.name", ""));
		}
		assert_string_equal(names, rows[i].names);
		json_decref(list);
	}
	api_core_fini(&core);
}

static void answers_come_in_the_form_asked_for(void **state)
{
	(void)state;
	struct api_core core;
	struct api_reply reply;
	core_start_with_widgets(&core);
	json_decref(post(&core, WIDGETS, widget));
	struct ask ask = {.method = API_GET,
	                  .path = WIDGETS,
	                  .accept =
	                          "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"};
	json_t *table = ask_for(&core, &ask, 200);
	assert_at(table, "kind", "'Table'");
	const json_t *row = json_array_get(json_object_get(table, "rows"), 0);
	assert_at(row, "cells", "['c1',1]");
	assert_at(row, "object.kind", "'PartialObjectMetadata'");
	json_decref(table);
	ask.path = WIDGETS "?includeObject=None";
	table = ask_for(&core, &ask, 200);
	assert_at(json_array_get(json_object_get(table, "rows"), 0), "object", "null");
	json_decref(table);
	ask.path = WIDGETS "/c1";
	ask.accept = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v="
		     "v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
	json_t *partial = ask_for(&core, &ask, 200);
	assert_at(partial, "kind", "'PartialObjectMetadata'");
	assert_at(partial, "spec", "-");
	assert_at(partial, "metadata.name", "'c1'");
	json_decref(partial);
	ask.accept = "application/yaml";
	ask_reply(&core, &ask, &reply);
	assert_string_equal(reply.content_type, "application/yaml");
	assert_non_null(strstr(buf_text(&reply.body), "kind: Widget\n"));
	api_reply_fini(&reply);
	ask.accept = "text/html";
	json_decref(ask_for(&core, &ask, 406));
	api_core_fini(&core);
}

static void collections_are_deleted_by_selector(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_decref(post(&core, CONFIGS, "{'metadata':{'name':'a','labels':{'t':'1'}}}"));
	json_decref(post(&core, CONFIGS, "{'metadata':{'name':'b'}}"));
	ask_only(&core, API_DELETE, CONFIGS "?labelSelector=t%3D1", NULL, 200);
	ask_only(&core, API_GET, CONFIGS "/a", NULL, 404);
	ask_only(&core, API_GET, CONFIGS "/b", NULL, 200);
	api_core_fini(&core);
}

static void strategic_patches_merge_the_ports_of_a_service(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	json_decref(post(
		&core, "/api/v1/namespaces/default/services",
		"{'metadata':{'name':'s','finalizers':['a.io/x']},'spec':{'ports':[{'name':'a',"
		"'port':80},{'name':'b','port':81}]}}"));
	struct ask ask = {
		.method = API_PATCH,
		.path = "/api/v1/namespaces/default/services/s",
		.content_type = "application/strategic-merge-patch+json",
		.body = "{'metadata':{'finalizers':['b.io/y']},'spec':{'ports':[{'port':80,"
			"'$patch':'delete'},{'port':81,'name':'web'}]}}"};
	json_t *obj = ask_for(&core, &ask, 200);
	assert_at(obj, "spec.ports", "[{'name':'web','port':81,'protocol':'TCP','targetPort':81}]");
	assert_at(obj, "metadata.finalizers", "['a.io/x','b.io/y']");
	json_decref(obj);
	api_core_fini(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_create_fills_in_what_is_the_servers),
		cmocka_unit_test(generation_follows_the_spec_alone),
		cmocka_unit_test(every_served_version_shows_the_same_object),
		cmocka_unit_test(finalizers_hold_a_deletion),
		cmocka_unit_test(a_deletion_without_finalizers_answers_success),
		cmocka_unit_test(a_dry_run_leaves_no_trace),
		cmocka_unit_test(built_ins_are_completed),
		cmocka_unit_test(immutable_things_stay),
		cmocka_unit_test(lists_select_and_keep_order),
		cmocka_unit_test(answers_come_in_the_form_asked_for),
		cmocka_unit_test(collections_are_deleted_by_selector),
		cmocka_unit_test(strategic_patches_merge_the_ports_of_a_service),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
