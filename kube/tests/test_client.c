/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "kube/client.h"

struct rig {
	struct api api;
	struct kube_client *client;
	size_t n_done;
	json_t *answer; /* the last one */
	bool failed;
	struct err err;
};

static void done(json_t *answer, const struct err *err, void *arg)
{
	struct rig *rig = arg;

	json_decref(rig->answer);
	rig->answer = json_incref(answer);
	rig->failed = err != NULL;
	if (err != NULL)
		rig->err = *err;
	assert_int_equal(answer == NULL, err != NULL);
	rig->n_done++;
}

static struct kubeconfig config_of(struct rig *rig, const char *token)
{
	return (struct kubeconfig){.server = rig->api.url, .token = (char *)(uintptr_t)token};
}

static void rig_init(struct rig *rig, struct kube_client_options options)
{
	struct err err;

	*rig = (struct rig){0};
	api_init(&rig->api);
	struct kubeconfig config = config_of(rig, "tok");

	options.loop = rig->api.loop;
	rig->client = kube_client_create(&config, &options, &err);
	assert_non_null(rig->client);
}

static void rig_fini(struct rig *rig)
{
	kube_client_destroy(rig->client);
	json_decref(rig->answer);
	api_fini(&rig->api);
}

static void wait_done(struct rig *rig, size_t n)
{
	if (!api_wait(&rig->api, &rig->n_done, n))
		fail_msg("only %zu calls ended", rig->n_done);
}

static const struct kube_ref POD = {&KUBE_PODS, "shop", "web", NULL};
static const struct kube_ref PODS = {&KUBE_PODS, "shop", NULL, NULL};

static void every_verb_becomes_the_request_that_kubernetes_knows(void **state)
{
	static const struct kube_ref status = {&KUBE_PODS, "shop", "web", "status"};
	static const struct kube_ref token = {&KUBE_SERVICE_ACCOUNTS, "shop", "web", "token"};
	static const struct kube_ref review = {&KUBE_TOKEN_REVIEWS, NULL, NULL, NULL};
	static const struct kube_delete_options only = {
		.uid = "u1", .resource_version = "7", .propagation = "Background"};
	static const char *const expected[] = {
		"GET /prefix/api/v1/namespaces/shop/pods/web",
		"POST /prefix/api/v1/namespaces/shop/pods {\"a\":1}",
		"PUT /prefix/api/v1/namespaces/shop/pods/web {\"a\":1}",
		"PATCH /prefix/api/v1/namespaces/shop/pods/web/status {\"a\":1}",
		"DELETE /prefix/api/v1/namespaces/shop/pods/web",
		"DELETE /prefix/api/v1/namespaces/shop/pods/web {\"kind\":\"DeleteOptions\","
		"\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"7\"}"
		","
		"\"propagationPolicy\":\"Background\"}",
		"POST /prefix/api/v1/namespaces/shop/serviceaccounts/web/token {\"a\":1}",
		"POST /prefix/apis/authentication.k8s.io/v1/tokenreviews {\"a\":1}",
		"GET /prefix/version?x=1",
	};
	json_t *obj CLEANUP(json_cleanup) = json_pack("{s:i}", "a", 1);
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){.user_agent = "me/1", .in_flight = 1});
	for (size_t i = 0; i < N_ELEMS(expected); i++)
		api_add(&rig.api, 200, "{\"kind\":\"Pod\"}");
	kube_client_get(rig.client, &POD, done, &rig);
	kube_client_create_object(rig.client, &POD, obj, done, &rig);
	kube_client_update(rig.client, &POD, obj, done, &rig);
	kube_client_patch(rig.client, &status, obj, done, &rig);
	kube_client_delete(rig.client, &POD, NULL, done, &rig);
	kube_client_delete(rig.client, &POD, &only, done, &rig);
	kube_client_create_object(rig.client, &token, obj, done, &rig);
	kube_client_create_object(rig.client, &review, obj, done, &rig);
	kube_client_get_path(rig.client, "/version?x=1", done, &rig);
	assert_int_equal(rig.n_done, 0);
	wait_done(&rig, N_ELEMS(expected));
	assert_false(rig.failed);
	for (size_t i = 0; i < N_ELEMS(expected); i++)
		assert_string_equal(rig.api.requests[i], expected[i]);
	assert_string_equal(rig.api.authorization, "Bearer tok");
	assert_string_equal(rig.api.user_agent, "me/1");
	rig_fini(&rig);
}

static void a_merge_patch_is_named_as_such(void **state)
{
	json_t *obj CLEANUP(json_cleanup) = json_object();
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){0});
	api_add(&rig.api, 200, "{}");
	kube_client_patch(rig.client, &POD, obj, done, &rig);
	wait_done(&rig, 1);
	assert_string_equal(rig.api.content_type, "application/merge-patch+json");
	rig_fini(&rig);
}

static void a_list_is_gathered_from_its_pages(void **state)
{
	static const struct kube_list_options options = {.label_selector = "a in (b,c)",
	                                                 .field_selector = "status.phase!=Failed",
	                                                 .limit = 2};
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){0});
	api_add(&rig.api, 200,
	        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"t+/"
	        "=\"},"
	        "\"items\":[{\"n\":1},{\"n\":2}]}");
	api_add(&rig.api, 200, "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"n\":3}]}");
	kube_client_list(rig.client, &PODS, &options, done, &rig);
	wait_done(&rig, 1);
	assert_false(rig.failed);
	assert_int_equal(json_array_size(json_object_get(rig.answer, "items")), 3);
	assert_null(json_at(rig.answer, "metadata.continue"));
	assert_string_equal(
		rig.api.requests[0],
		"GET /prefix/api/v1/namespaces/shop/pods?limit=2&labelSelector=a%20in%20"
		"%28b%2Cc%29&fieldSelector=status.phase%21%3DFailed");
	assert_non_null(strstr(rig.api.requests[1], "&continue=t%2B%2F%3D"));

	api_add(&rig.api, 200, "{\"kind\":\"Pod\"}");
	kube_client_list(rig.client, &PODS, NULL, done, &rig);
	wait_done(&rig, 2);
	assert_int_equal(rig.err.code, ERR_PROTOCOL);
	rig_fini(&rig);
}

static void failures_say_what_was_asked_and_why_not(void **state)
{
	static const struct kube_ref bad = {&KUBE_PODS, NULL, "web", NULL};
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){0});
	api_add(&rig.api, 403,
	        "{\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\",\"code\":403}");
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 1);
	assert_int_equal(rig.err.code, ERR_FORBIDDEN);
	assert_string_equal(rig.err.msg, "GET /api/v1/namespaces/shop/pods/web: pods is forbidden");
	kube_client_get(rig.client, &bad, done, &rig);
	wait_done(&rig, 2);
	assert_int_equal(rig.err.code, ERR_INVALID);
	assert_non_null(strstr(rig.err.msg, "needs a namespace"));
	http_server_destroy(rig.api.server);
	rig.api.server = NULL;
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 3);
	assert_int_equal(rig.err.code, ERR_IO);
	assert_int_equal(kube_client_counts(rig.client).failed, 3);
	rig_fini(&rig);
}

static void retry_after_is_honoured_within_the_deadline(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){.timeout_ms = 5000});
	rig.api.answers[rig.api.n_answers++] =
		(struct api_answer){429, "retry-after", "1", "{\"message\":\"slow down\"}"};
	api_add(&rig.api, 200, "{\"ok\":true}");
	int64_t begun_ms = loop_now_ms(rig.api.loop);

	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 1);
	assert_false(rig.failed);
	assert_true(loop_now_ms(rig.api.loop) - begun_ms >= 1000);
	assert_int_equal(kube_client_counts(rig.client).retried, 1);
	/* longer than the deadline: told at once */
	rig.api.answers[rig.api.n_answers++] = (struct api_answer){
		503, "retry-after", "60", "{\"reason\":\"ServiceUnavailable\",\"message\":\"x\"}"};
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 2);
	assert_int_equal(rig.err.code, ERR_UNAVAILABLE);
	rig_fini(&rig);
}

static void an_answer_that_does_not_come_is_a_timeout(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){.timeout_ms = 200, .in_flight = 1});
	api_add(&rig.api, API_HOLD, "");
	kube_client_get(rig.client, &POD, done, &rig);
	kube_client_get(rig.client, &POD, done, &rig); /* waits for the first */
	wait_done(&rig, 2);
	assert_int_equal(rig.err.code, ERR_TIMEOUT);
	assert_int_equal(kube_client_counts(rig.client).in_flight, 0);
	assert_int_equal(kube_client_counts(rig.client).waiting, 0);
	rig_fini(&rig);
}

static void calls_are_paced_and_limited(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){.qps = 20, .burst = 2, .in_flight = 2});
	for (int i = 0; i < 6; i++)
		api_add(&rig.api, 200, "{}");
	int64_t begun_ms = loop_now_ms(rig.api.loop);

	for (int i = 0; i < 6; i++)
		kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 6);
	/* two at once, then one each 50 ms */
	assert_true(loop_now_ms(rig.api.loop) - begun_ms >= 190);
	for (int i = 0; i < 3; i++)
		api_add(&rig.api, API_HOLD, "");
	struct kube_call *calls[3];

	for (int i = 0; i < 3; i++)
		calls[i] = kube_client_get(rig.client, &POD, done, &rig);
	assert_true(api_wait(&rig.api, &rig.api.n_requests, 8));
	loop_run_once(rig.api.loop, 100);
	assert_int_equal(kube_client_counts(rig.client).in_flight, 2);
	assert_int_equal(kube_client_counts(rig.client).waiting, 1);
	for (int i = 0; i < 3; i++)
		kube_call_cancel(calls[i]);
	assert_int_equal(kube_client_counts(rig.client).in_flight, 0);
	assert_int_equal(rig.n_done, 6);
	rig_fini(&rig);
}

static void destroy_in_callback(json_t *answer, const struct err *err, void *arg)
{
	struct rig *rig = arg;

	(void)answer;
	(void)err;
	kube_client_destroy(rig->client);
	rig->client = NULL;
	rig->n_done++;
}

static void a_callback_may_destroy_the_client(void **state)
{
	static const struct kube_ref bad = {&KUBE_PODS, NULL, "web", NULL};
	static const struct kube_ref *const refs[] = {&POD, &bad};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(refs); i++) {
		struct rig rig;

		rig_init(&rig, (struct kube_client_options){0});
		api_add(&rig.api, 200, "{}");
		kube_client_get(rig.client, refs[i], destroy_in_callback, &rig);
		kube_client_get(rig.client, &POD, done, &rig);
		wait_done(&rig, 1);
		loop_run_once(rig.api.loop, 20);
		assert_int_equal(rig.n_done, 1);
		rig_fini(&rig);
	}
}

static void calls_that_fail_together_may_be_dropped_by_the_first(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, (struct kube_client_options){0});
	http_server_destroy(rig.api.server);
	rig.api.server = NULL;
	for (int i = 0; i < 4; i++)
		kube_client_get(rig.client, &POD, destroy_in_callback, &rig);
	wait_done(&rig, 1);
	loop_run_once(rig.api.loop, 20);
	assert_int_equal(rig.n_done, 1);
	rig_fini(&rig);
}

static int dial(void *arg)
{
	struct api *api = arg;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
	                 0);
	http_server_adopt(api->server, pair[0], NULL);
	return pair[1];
}

static void a_server_in_this_process_needs_no_address(void **state)
{
	struct kubeconfig config = {.server = (char *)(uintptr_t) "http://hosted"};
	struct api api;
	struct rig rig = {0};
	struct err err;

	(void)state;
	api_init(&api);
	struct kube_client_options options = {.loop = api.loop, .dial = dial, .dial_arg = &api};

	rig.client = kube_client_create(&config, &options, &err);
	assert_non_null(rig.client);
	for (int i = 0; i < 20; i++) {
		api_add(&api, 200, "{}");
		kube_client_get(rig.client, &POD, done, &rig);
	}
	assert_true(api_wait(&api, &rig.n_done, 20));
	assert_false(rig.failed);
	assert_true(http_server_connections(api.server) > 0);
	kube_client_destroy(rig.client);
	json_decref(rig.answer);
	api_fini(&api);
}

static void new_credentials_hold_for_later_requests(void **state)
{
	struct rig rig;
	struct err err;

	(void)state;
	rig_init(&rig, (struct kube_client_options){0});
	struct kubeconfig other = config_of(&rig, "other");
	struct kubeconfig broken = config_of(&rig, "other");

	api_add(&rig.api, 200, "{}");
	api_add(&rig.api, 200, "{}");
	kube_client_get(rig.client, &POD, done, &rig);
	assert_true(api_wait(&rig.api, &rig.api.n_requests, 1));
	assert_true(kube_client_set_config(rig.client, &other, &err));
	wait_done(&rig, 1);
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 2);
	assert_string_equal(rig.api.authorization, "Bearer other");
	broken.ca_pem = (char *)(uintptr_t) "no PEM";
	assert_false(kube_client_set_config(rig.client, &broken, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(kube_client_server(rig.client), rig.api.url);
	rig_fini(&rig);
}

static void a_refused_token_is_read_again_from_its_file(void **state)
{
	char path[] = "/tmp/fedway-token-XXXXXX";
	int fd = mkstemp(path);
	struct rig rig;
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	rig_init(&rig, (struct kube_client_options){0});
	struct kubeconfig config = config_of(&rig, "old");

	config.token_file = path;
	assert_true(kube_client_set_config(rig.client, &config, &err));
	assert_true(file_save(path, STR_LIT("new\n"), 0600, &err));
	api_add(&rig.api, 401, "{\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\"}");
	api_add(&rig.api, 200, "{}");
	api_add(&rig.api, 401, "{\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\"}");
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 1);
	assert_false(rig.failed);
	assert_string_equal(rig.api.authorization, "Bearer new");
	/* nothing new in the file: the refusal stands */
	kube_client_get(rig.client, &POD, done, &rig);
	wait_done(&rig, 2);
	assert_int_equal(rig.err.code, ERR_UNAUTHORIZED);
	assert_int_equal(rig.api.n_requests, 3);
	rig_fini(&rig);
	unlink(path);
}

#define NOT_FOUND "{\"reason\":\"NotFound\",\"message\":\"not found\",\"code\":404}"
#define EXISTS    "{\"reason\":\"AlreadyExists\",\"message\":\"exists\",\"code\":409}"

struct apply_row {
	struct api_answer answers[6];
	size_t n_requests;
	const char *last; /* request */
	bool fails;
	enum kube_apply_outcome outcome;
};

static void apply_creates_or_patches_or_leaves_alone(void **state)
{
	static const struct apply_row rows[] = {
		{{{404, NULL, NULL, NOT_FOUND}, {201, NULL, NULL, "{\"made\":1}"}},
	         2,
	         "POST /prefix/api/v1/namespaces/shop/pods "
	         "{\"metadata\":{\"name\":\"web\"},\"a\":1}",
	         false,
	         KUBE_APPLY_CREATED},
		{{{200, NULL, NULL, "{\"a\":1,\"b\":2}"}},
	         1,
	         "GET /prefix/api/v1/namespaces/shop/pods/web",
	         false,
	         KUBE_APPLY_UNCHANGED},
		{{{200, NULL, NULL, "{\"a\":0,\"b\":2}"}, {200, NULL, NULL, "{}"}},
	         2,
	         "PATCH /prefix/api/v1/namespaces/shop/pods/web {\"a\":1}",
	         false,
	         KUBE_APPLY_PATCHED},
		/* made by somebody else meanwhile */
		{{{404, NULL, NULL, NOT_FOUND},
	          {409, NULL, NULL, EXISTS},
	          {200, NULL, NULL, "{\"a\":1}"}},
	         3,
	         "GET /prefix/api/v1/namespaces/shop/pods/web",
	         false,
	         KUBE_APPLY_UNCHANGED},
		/* the namespace is missing: no second try helps */
		{{{404, NULL, NULL, NOT_FOUND}, {404, NULL, NULL, NOT_FOUND}},
	         2,
	         "POST /prefix/api/v1/namespaces/shop/pods "
	         "{\"metadata\":{\"name\":\"web\"},\"a\":1}",
	         true,
	         0},
		{{{500, NULL, NULL, "{}"}},
	         1,
	         "GET /prefix/api/v1/namespaces/shop/pods/web",
	         true,
	         0},
	};
	json_t *desired CLEANUP(json_cleanup) =
		json_pack("{s:{s:s}, s:i, s:{}}", "metadata", "name", "web", "a", 1, "status");

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct rig rig;

		rig_init(&rig, (struct kube_client_options){0});
		for (size_t k = 0; rows[i].answers[k].status != 0; k++)
			rig.api.answers[rig.api.n_answers++] = rows[i].answers[k];
		kube_client_apply(rig.client, &POD, desired, done, &rig);
		wait_done(&rig, 1);
		assert_int_equal(rig.failed, rows[i].fails);
		assert_int_equal(rig.api.n_requests, rows[i].n_requests);
		assert_string_equal(rig.api.requests[rig.api.n_requests - 1], rows[i].last);
		if (!rig.failed)
			assert_int_equal(kube_client_apply_outcome(rig.client), rows[i].outcome);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_becomes_the_request_that_kubernetes_knows),
		cmocka_unit_test(a_merge_patch_is_named_as_such),
		cmocka_unit_test(a_list_is_gathered_from_its_pages),
		cmocka_unit_test(failures_say_what_was_asked_and_why_not),
		cmocka_unit_test(retry_after_is_honoured_within_the_deadline),
		cmocka_unit_test(an_answer_that_does_not_come_is_a_timeout),
		cmocka_unit_test(calls_are_paced_and_limited),
		cmocka_unit_test(a_callback_may_destroy_the_client),
		cmocka_unit_test(calls_that_fail_together_may_be_dropped_by_the_first),
		cmocka_unit_test(a_server_in_this_process_needs_no_address),
		cmocka_unit_test(new_credentials_hold_for_later_requests),
		cmocka_unit_test(a_refused_token_is_read_again_from_its_file),
		cmocka_unit_test(apply_creates_or_patches_or_leaves_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
