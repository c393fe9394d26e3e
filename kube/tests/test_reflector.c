/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "unit.h"

#include "base/json.h"
#include "kube/reflector.h"

#define POD(name, rv)                                                                              \
	"{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"" name                     \
	"\",\"resourceVersion\":\"" rv "\",\"managedFields\":[{}]}}"
#define LIST(rv, items)  "{\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define EVENT(type, obj) "{\"type\":\"" type "\",\"object\":" obj "}"

struct rig {
	struct api api;
	struct kube_client *client;
	struct reflector *reflector;
	struct buf log; /* "+n/a ~n/a -n/a ! " */
	size_t n_synced;
	size_t n_events;
	size_t n_status;
	bool stop_on_add;
};

static void note(struct rig *rig, char what, struct str key)
{
	buf_printf(&rig->log, "%c%.*s ", what, STR_ARG(key));
	rig->n_events++;
}

static void on_add(struct str key, json_t *obj, void *arg)
{
	struct rig *rig = arg;

	assert_non_null(obj);
	note(rig, '+', key);
	if (rig->stop_on_add)
		reflector_stop(rig->reflector);
}

static void on_update(struct str key, json_t *old, json_t *obj, void *arg)
{
	assert_non_null(old);
	assert_non_null(obj);
	note(arg, '~', key);
}

static void on_delete(struct str key, json_t *old, void *arg)
{
	assert_non_null(old);
	note(arg, '-', key);
}

static void on_synced(void *arg)
{
	struct rig *rig = arg;

	buf_add_text(&rig->log, "! ");
	rig->n_synced++;
}

static void on_status(void *arg)
{
	struct rig *rig = arg;

	rig->n_status++;
}

static void rig_init(struct rig *rig, struct reflector_options options)
{
	struct reflector_handlers handlers = {on_add,    on_update, on_delete,
	                                      on_synced, on_status, rig};
	struct err err;

	*rig = (struct rig){0};
	buf_init(&rig->log, 1 << 16);
	api_init(&rig->api);
	struct kubeconfig config = {.server = rig->api.url};
	struct kube_client_options client = {.loop = rig->api.loop};

	rig->client = kube_client_create(&config, &client, &err);
	assert_non_null(rig->client);
	options.client = rig->client;
	options.resource = &KUBE_PODS;
	rig->reflector = reflector_create(rig->api.loop, &options, &handlers, &err);
	assert_non_null(rig->reflector);
}

static void rig_fini(struct rig *rig)
{
	reflector_destroy(rig->reflector);
	kube_client_destroy(rig->client);
	api_fini(&rig->api);
	buf_fini(&rig->log);
}

static void it_lists_then_watches_and_resumes_from_the_last_version(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct reflector_options){.namespace_ = "n", .field_selector = "a!=b"});
	api_add(&rig.api, 200,
	        "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"c\"},\"items\":[" POD(
			"a", "1") "]}");
	api_add(&rig.api, 200, LIST("5", POD("b", "2")));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 1));
	assert_string_equal(buf_text(&rig.log), "+n/a +n/b ! ");
	assert_string_equal(rig.api.requests[0],
	                    "GET /prefix/api/v1/namespaces/n/pods?limit=500&resourceVersion=0&"
	                    "fieldSelector=a%21%3Db");
	assert_string_equal(rig.api.requests[1],
	                    "GET /prefix/api/v1/namespaces/n/pods?limit=500&continue=c&"
	                    "fieldSelector=a%21%3Db");
	assert_non_null(strstr(rig.api.requests[2], "allowWatchBookmarks=true&resourceVersion=5&"));

	api_send(&rig.api, EVENT("MODIFIED", POD("a", "6")));
	api_send(&rig.api, EVENT("DELETED", POD("b", "7")));
	api_send(&rig.api, EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"9\"}}"));
	assert_true(api_wait(&rig.api, &rig.n_events, 4));
	assert_string_equal(buf_text(&rig.log), "+n/a +n/b ! ~n/a -n/b ");
	assert_non_null(reflector_find(rig.reflector, STR_LIT("n/a")));
	assert_null(
		json_at(reflector_find(rig.reflector, STR_LIT("n/a")), "metadata.managedFields"));
	assert_int_equal(reflector_len(rig.reflector), 1);

	http_exchange_end(rig.api.watch, NULL);
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 2));
	assert_non_null(strstr(rig.api.requests[3], "&resourceVersion=9&"));
	struct reflector_status status = reflector_status(rig.reflector);

	assert_true(status.synced && status.reachable);
	assert_int_equal(status.lists, 1);
	assert_string_equal(status.error, "");
	rig_fini(&rig);
}

static void an_expired_watch_is_listed_again_and_told_as_differences(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct reflector_options){.metadata_only = true});
	api_add(&rig.api, 200, LIST("5", POD("a", "1") "," POD("b", "2")));
	api_add(&rig.api, 200, LIST("8", POD("b", "2") "," POD("c", "8")));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 1));
	api_send(&rig.api, EVENT("MODIFIED", POD("a", "6")));
	api_send(&rig.api,
	         EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","
	                        "\"message\":\"too old resource version\"}"));
	assert_true(api_wait(&rig.api, &rig.n_synced, 2));
	assert_string_equal(buf_text(&rig.log), "+n/a +n/b ! ~n/a +n/c -n/a ! ");
	assert_non_null(
		strstr(rig.api.requests[2], "resourceVersion=6&resourceVersionMatch=NotOlderThan"));
	rig_fini(&rig);
}

static void a_refusal_is_told_and_tried_again(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct reflector_options){0});
	api_add(&rig.api, 403, "{\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\"}");
	api_add(&rig.api, 200, LIST("5", ""));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.n_status, 1));
	struct reflector_status status = reflector_status(rig.reflector);

	assert_false(status.reachable);
	assert_int_equal(status.error_code, ERR_FORBIDDEN);
	assert_string_equal(status.error, "GET /api/v1/pods: pods is forbidden");
	assert_true(api_wait(&rig.api, &rig.n_synced, 1));
	status = reflector_status(rig.reflector);
	assert_true(status.reachable);
	assert_string_equal(status.error, "");
	rig_fini(&rig);
}

static void junk_in_a_watch_ends_it_and_the_copy_stays(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct reflector_options){0});
	api_add(&rig.api, 200, LIST("5", POD("a", "1")));
	api_add(&rig.api, 200, LIST("5", POD("a", "1")));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 1));
	api_send(&rig.api, "<html>");
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 2));
	assert_string_equal(buf_text(&rig.log), "+n/a ! ! ");
	assert_int_equal(rig.api.n_gone, 1);
	rig_fini(&rig);
}

static void a_handler_may_stop_and_start_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct reflector_options){0});
	rig.stop_on_add = true;
	api_add(&rig.api, 200, LIST("5", ""));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.api.n_watches, 1));
	/* two events in one piece: the second is not told any more */
	api_send(&rig.api, EVENT("ADDED", POD("a", "6")) "\n" EVENT("ADDED", POD("b", "7")));
	assert_true(api_wait(&rig.api, &rig.n_events, 1));
	assert_true(api_wait(&rig.api, &rig.api.n_gone, 1));
	assert_string_equal(buf_text(&rig.log), "! +n/a ");
	rig.stop_on_add = false;
	api_add(&rig.api, 200, LIST("7", POD("a", "6") "," POD("b", "7")));
	reflector_start(rig.reflector);
	assert_true(api_wait(&rig.api, &rig.n_synced, 2));
	assert_string_equal(buf_text(&rig.log), "! +n/a +n/b ! ");
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_lists_then_watches_and_resumes_from_the_last_version),
		cmocka_unit_test(an_expired_watch_is_listed_again_and_told_as_differences),
		cmocka_unit_test(a_refusal_is_told_and_tried_again),
		cmocka_unit_test(junk_in_a_watch_ends_it_and_the_copy_stays),
		cmocka_unit_test(a_handler_may_stop_and_start_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
