/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole server on loopback: TLS, certificates, tokens, watches, answers, and a second start on
 * the same directory.
 */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/loop.h"

struct world {
	char dir[64];
	struct loop *loop;
	struct api *api;
	struct http_client *client;
	struct buf roots;
	struct buf token;
};

struct result {
	bool done;
	int status;
	struct buf body;
};

static void load(struct world *world, const char *name, struct buf *out)
{
	struct err err;
	char *path = xasprintf("%s/%s", world->dir, name);
	buf_init(out, 1 << 20);
	assert_true(file_load(path, out, &err));
	free(path);
}

static void start(struct world *world)
{
	struct err err;
	struct api_options options = {.data_dir = world->dir, .listen = "127.0.0.1:0"};
	world->api = api_create(world->loop, &options, &err);
	if (world->api == NULL)
		fail_msg("%s", err.msg);
	load(world, "pki/serving-ca.crt", &world->roots);
	load(world, "admin.token", &world->token);
	struct http_client_config config = {.loop = world->loop,
	                                    .roots_pem = buf_str(&world->roots),
	                                    .bearer_token = buf_text(&world->token)};
	world->client = http_client_create(&config, &err);
	assert_non_null(world->client);
}

static void stop(struct world *world)
{
	http_client_destroy(world->client);
	api_destroy(world->api);
	buf_fini(&world->roots);
	buf_fini(&world->token);
	loop_run_once(world->loop, 0);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	strcpy(world->dir, "/tmp/test_api_server.XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->loop = loop_create();
	start(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	stop(world);
	loop_destroy(world->loop);
	char *command = xasprintf("rm -rf '%s'", world->dir);
	int failed = system(command);
	free(command);
	free(world);
	return failed;
}

static void on_done(struct http_call *call, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct result *result = arg;
	(void)call;
	result->done = true;
	if (response == NULL)
		fail_msg("%s", err->msg);
	result->status = response->status;
	buf_add_str(&result->body, response->body);
}

static void on_data(struct http_call *call, struct str data, void *arg)
{
	struct result *result = arg;
	(void)call;
	buf_add_str(&result->body, data);
}

static struct http_call *send_as(struct world *world, struct http_client *client,
                                 const char *method, const char *path, const char *body,
                                 bool stream, struct result *result)
{
	char address[ADDR_TEXT_MAX];
	struct addr addr = api_addr(world->api);
	char *url = xasprintf("https://%s%s", addr_format(&addr, address), path);
	struct http_fields fields = HTTP_FIELDS_EMPTY;
	http_fields_add_text(&fields, "content-type", "application/json");
	*result = (struct result){.done = false};
	buf_init(&result->body, 16 << 20);
	struct http_call_config config = {.method = method,
	                                  .url = url,
	                                  .fields = &fields,
	                                  .body = str_from(body),
	                                  .on_data = stream ? on_data : NULL,
	                                  .on_done = on_done,
	                                  .arg = result};
	struct http_call *call = http_client_send(client, &config);
	http_fields_fini(&fields);
	free(url);
	return call;
}

/* The answer as JSON, new. */
static json_t *ask(struct world *world, const char *method, const char *path, const char *body,
                   int status)
{
	struct result result;
	send_as(world, world->client, method, path, body, false, &result);
	while (!result.done)
		loop_run_once(world->loop, 1000);
	if (result.status != status)
		fail_msg("%s %s: %d %s", method, path, result.status, buf_text(&result.body));
	json_t *value = json_loadb(result.body.ptr, result.body.len, 0, NULL);
	buf_fini(&result.body);
	return value;
}

#define CONFIGS "/api/v1/namespaces/default/configmaps"

static void writes_are_read_back_after_a_restart(void **state)
{
	struct world *world = *state;
	json_t *made = ask(world, "POST", CONFIGS, "{\"metadata\":{\"name\":\"a\"}}", 201);
	stop(world);
	start(world);
	json_t *read = ask(world, "GET", CONFIGS "/a", NULL, 200);
	assert_true(json_equal(made, read));
	json_decref(made);
	json_decref(read);
}

static void a_watch_streams_and_ends_by_its_timeout(void **state)
{
	struct world *world = *state;
	struct result result;
	send_as(world, world->client, "GET", CONFIGS "?watch=1&timeoutSeconds=1", NULL, true,
	        &result);
	json_decref(ask(world, "POST", CONFIGS, "{\"metadata\":{\"name\":\"b\"}}", 201));
	while (strstr(buf_text(&result.body), "\"name\":\"b\"") == NULL)
		loop_run_once(world->loop, 1000);
	assert_false(result.done);
	while (!result.done)
		loop_run_once(world->loop, 1000);
	buf_fini(&result.body);
}

static void a_client_that_leaves_a_watch_is_forgotten(void **state)
{
	struct world *world = *state;
	struct result result;
	struct http_call *call =
		send_as(world, world->client, "GET", CONFIGS "?watch=1", NULL, true, &result);
	while (strstr(buf_text(&result.body), "kube-root-ca.crt") == NULL)
		loop_run_once(world->loop, 1000);
	http_call_cancel(call);
	for (int i = 0; i < 20; i++)
		json_decref(ask(world, "POST", CONFIGS, "{\"metadata\":{\"generateName\":\"g-\"}}",
		                201));
	buf_fini(&result.body);
}

static void a_beginning_larger_than_the_queue_comes_whole(void **state)
{
	struct world *world = *state;
	struct result result;
	size_t size = 900000;
	char *big = xcalloc(size + 100, 1);
	int head = sprintf(big, "{\"metadata\":{\"generateName\":\"big-\"},\"data\":{\"x\":\"");
	memset(big + head, 'x', size);
	strcpy(big + head + size, "\"}}");
	for (int i = 0; i < 9; i++)
		json_decref(ask(world, "POST", CONFIGS, big, 201));
	struct http_call *call =
		send_as(world, world->client, "GET",
	                CONFIGS "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
	                        "resourceVersionMatch=NotOlderThan",
	                NULL, true, &result);
	while (strstr(buf_text(&result.body) + (result.body.len > 400 ? result.body.len - 400 : 0),
	              "initial-events-end") == NULL)
		loop_run_once(world->loop, 1000);
	assert_true(result.body.len > 9 * size);
	json_decref(ask(world, "POST", CONFIGS, "{\"metadata\":{\"name\":\"after\"}}", 201));
	while (strstr(buf_text(&result.body) + result.body.len - 600, "\"after\"") == NULL)
		loop_run_once(world->loop, 1000);
	http_call_cancel(call);
	buf_fini(&result.body);
	free(big);
}

static void bodies_have_a_limit(void **state)
{
	struct world *world = *state;
	size_t size = (3 << 20) + 10;
	char *big = xcalloc(size + 1, 1);
	memset(big, ' ', size);
	json_t *status = ask(world, "POST", CONFIGS, big, 413);
	assert_string_equal(json_str_at(status, "reason", ""), "RequestEntityTooLarge");
	json_decref(status);
	free(big);
}

static void without_credentials_there_is_only_health(void **state)
{
	struct world *world = *state;
	struct err err;
	struct http_client_config config = {.loop = world->loop,
	                                    .roots_pem = buf_str(&world->roots)};
	static const struct {
		const char *token;
		const char *path;
		int status;
	} rows[] = {
		{NULL, "/readyz", 200},
		{NULL, CONFIGS, 403},
		{"wrong", "/readyz", 401},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct result result;
		config.bearer_token = rows[i].token;
		struct http_client *client = http_client_create(&config, &err);
		send_as(world, client, "GET", rows[i].path, NULL, false, &result);
		while (!result.done)
			loop_run_once(world->loop, 1000);
		assert_int_equal(result.status, rows[i].status);
		buf_fini(&result.body);
		http_client_destroy(client);
	}
}

static struct api_answer *pending;

static void on_answer(struct api_answer *answer, const json_t *body, void *arg)
{
	const char *mode = json_str_at(body, "mode", "");
	struct err err;
	(void)arg;
	if (strcmp(mode, "later") == 0) {
		pending = answer;
	} else if (strcmp(mode, "fail") == 0) {
		IGNORE(err_set(&err, ERR_CONFLICT, "not now"));
		api_answer_fail(answer, &err);
	} else {
		api_answer_reply(answer, json_pack("{s:s}", "kind", "Plan"));
	}
}

static void answers_come_now_later_or_not(void **state)
{
	struct world *world = *state;
	static const struct api_answer_kind kind = {.group = "answers.fedway.io",
	                                            .version = "v1alpha1",
	                                            .plural = "plans",
	                                            .kind = "Plan",
	                                            .cb = on_answer};
	static const char path[] = "/apis/answers.fedway.io/v1alpha1/plans";
	struct result result;
	api_add_answer(world->api, &kind);
	json_t *plan = ask(world, "POST", path, "{}", 201);
	assert_string_equal(json_str_at(plan, "kind", ""), "Plan");
	json_decref(plan);
	json_decref(ask(world, "POST", path, "{\"mode\":\"fail\"}", 409));
	json_decref(ask(world, "GET", path, NULL, 405));

	send_as(world, world->client, "POST", path, "{\"mode\":\"later\"}", false, &result);
	while (pending == NULL)
		loop_run_once(world->loop, 1000);
	assert_false(result.done);
	api_answer_reply(pending, json_object());
	while (!result.done)
		loop_run_once(world->loop, 1000);
	assert_int_equal(result.status, 201);
	buf_fini(&result.body);
	pending = NULL;

	/* The client leaves first. */
	struct http_call *call =
		send_as(world, world->client, "POST", path, "{\"mode\":\"later\"}", false, &result);
	while (pending == NULL)
		loop_run_once(world->loop, 1000);
	http_call_cancel(call);
	for (int i = 0; i < 5; i++)
		loop_run_once(world->loop, 10);
	api_answer_reply(pending, json_object());
	buf_fini(&result.body);
}

static void objects_are_ensured_from_inside(void **state)
{
	struct world *world = *state;
	struct err err;
	json_t *obj = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind",
	                        "ConfigMap", "metadata", "name", "e", "namespace", "default",
	                        "data", "a", "1");
	assert_true(api_ensure(world->api, obj, &err));
	assert_true(api_ensure(world->api, obj, &err));
	json_set_at(obj, "data.a", json_string("2"));
	assert_true(api_ensure(world->api, obj, &err));
	json_t *read = ask(world, "GET", CONFIGS "/e", NULL, 200);
	assert_string_equal(json_str_at(read, "data.a", ""), "2");
	json_decref(read);
	json_set_at(obj, "metadata.namespace", json_string("nowhere"));
	assert_false(api_ensure(world->api, obj, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	json_set_at(obj, "kind", json_string("Nothing"));
	assert_false(api_ensure(world->api, obj, &err));
	assert_string_equal(err.msg, "no matches for kind \"Nothing\" in version \"v1\"");
	json_decref(obj);
}

static void on_broken(struct http_call *call, const struct http_response *response,
                      const struct err *err, void *arg)
{
	struct result *result = arg;
	(void)call;
	(void)response;
	(void)err;
	result->done = true;
}

static void a_stop_ends_what_is_open(void **state)
{
	struct world *world = *state;
	char address[ADDR_TEXT_MAX];
	struct addr addr = api_addr(world->api);
	char *url = xasprintf("https://%s" CONFIGS "?watch=1", addr_format(&addr, address));
	struct result result = {.done = false};
	buf_init(&result.body, 16 << 20);
	struct http_call_config config = {.method = "GET",
	                                  .url = url,
	                                  .on_data = on_data,
	                                  .on_done = on_broken,
	                                  .arg = &result};
	http_client_send(world->client, &config);
	while (result.body.len == 0)
		loop_run_once(world->loop, 1000);
	/* A write that is accepted and not yet answered. */
	json_t *obj = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ConfigMap",
	                        "metadata", "name", "last", "namespace", "default");
	struct err err;
	assert_true(api_ensure(world->api, obj, &err));
	api_destroy(world->api);
	world->api = NULL;
	while (!result.done)
		loop_run_once(world->loop, 1000);
	stop(world);
	start(world);
	json_decref(ask(world, "GET", CONFIGS "/last", NULL, 200));
	json_decref(obj);
	buf_fini(&result.body);
	free(url);
}

static void a_busy_address_is_told(void **state)
{
	struct world *world = *state;
	struct err err;
	char address[ADDR_TEXT_MAX];
	struct addr addr = api_addr(world->api);
	char *other = xasprintf("%s/other", world->dir);
	struct api_options options = {.data_dir = other, .listen = addr_format(&addr, address)};
	assert_null(api_create(world->loop, &options, &err));
	assert_int_equal(err.code, ERR_IO);
	options.data_dir = world->dir;
	options.listen = "127.0.0.1:0";
	assert_null(api_create(world->loop, &options, &err));
	assert_non_null(strstr(err.msg, "locked"));
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_are_read_back_after_a_restart),
		cmocka_unit_test(a_watch_streams_and_ends_by_its_timeout),
		cmocka_unit_test(a_client_that_leaves_a_watch_is_forgotten),
		cmocka_unit_test(a_beginning_larger_than_the_queue_comes_whole),
		cmocka_unit_test(bodies_have_a_limit),
		cmocka_unit_test(without_credentials_there_is_only_health),
		cmocka_unit_test(answers_come_now_later_or_not),
		cmocka_unit_test(objects_are_ensured_from_inside),
		cmocka_unit_test(a_stop_ends_what_is_open),
		cmocka_unit_test(a_busy_address_is_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
