/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"

struct row {
	int status;
	const char *field; /* name, or NULL */
	const char *value;
	const char *body;
	bool plain;
	bool good;
	enum err_code code;
	const char *says;
	int64_t retry_after_ms;
};

static const struct row ROWS[] = {
	{200, NULL, NULL, "{\"kind\":\"Pod\"}", false, true, 0, NULL, 0},
	{201, NULL, NULL, " {} ", false, true, 0, NULL, 0},
	{200, NULL, NULL, "ok", true, true, 0, NULL, 0},
	{200, NULL, NULL, "", true, true, 0, NULL, 0},
	{200, NULL, NULL, "ok", false, false, ERR_PROTOCOL, "'ok'", 0},
	{200, NULL, NULL, "", false, false, ERR_PROTOCOL, "without a body", 0},
	{200, NULL, NULL, "[1]", false, false, ERR_PROTOCOL, "'[1]'", 0},
	{200, NULL, NULL, "<html>", true, false, ERR_PROTOCOL, "HTML", 0},
	{200, "content-type", "text/html; charset=utf-8", "x", true, false, ERR_PROTOCOL, "HTML",
         0},
	{302, "location", "https://login.example.com/", "", false, false, ERR_PROTOCOL,
         "redirected to 'https://login.example.com/'", 0},
	{404, NULL, NULL, "404 page not found\n", false, false, ERR_NOT_FOUND,
         "'404 page not found'", 0},
	{502, NULL, NULL, "<html>bad gateway", false, false, ERR_UNAVAILABLE, "proxy", 0},
	{409, NULL, NULL,
         "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"pods \\\"a\\\" already "
         "exists\"}",
         false, false, ERR_EXISTS, "already exists", 0},
	{403, NULL, NULL, "{\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\"}", false,
         false, ERR_FORBIDDEN, "pods is forbidden", 0},
	{429, "retry-after", "3", "{\"reason\":\"TooManyRequests\",\"message\":\"slow\"}", false,
         false, ERR_TOO_MANY, "slow", 3000},
	{503, "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", "\x01\x02", false, false,
         ERR_UNAVAILABLE, "not from a Kubernetes API", 0},
	{500, "retry-after", "999999999", "{\"x\":1}", false, false, ERR_INTERNAL, "{\"x\":1}", 0},
};

static void answers_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(ROWS); i++) {
		const struct row *row = &ROWS[i];
		struct http_response response = {.status = row->status,
		                                 .body = str_from(row->body)};
		json_t *answer CLEANUP(json_cleanup) = NULL;
		struct kube_failure failure;

		if (row->field != NULL)
			http_fields_add_text(&response.fields, row->field, row->value);
		bool good = kube_answer_read(&response, row->plain, &answer, &failure);

		http_fields_fini(&response.fields);
		assert_int_equal(good, row->good);
		assert_int_equal(failure.retry_after_ms, row->retry_after_ms);
		if (good)
			continue;
		assert_null(answer);
		if (failure.err.code != row->code || strstr(failure.err.msg, row->says) == NULL)
			fail_msg("row %zu: %d %s", i, failure.err.code, failure.err.msg);
	}
}

static void a_version_from_the_future_is_recognized(void **state)
{
	struct http_response response = {
		.status = 504,
		.body = STR_LIT("{\"kind\":\"Status\",\"message\":\"Too large resource version\","
	                        "\"reason\":\"Timeout\",\"details\":{\"causes\":[{\"reason\":"
	                        "\"ResourceVersionTooLarge\",\"message\":\"Too large resource "
	                        "version\"}],\"retryAfterSeconds\":1},\"code\":504}")};
	json_t *answer = NULL;
	struct kube_failure failure;

	(void)state;
	assert_false(kube_answer_read(&response, false, &answer, &failure));
	assert_true(failure.rv_too_large);
	assert_int_equal(failure.err.code, ERR_TIMEOUT);
}

static void a_patch_says_only_what_differs(void **state)
{
	static const struct {
		const char *desired;
		const char *actual;
		const char *patch; /* NULL: nothing to do */
	} rows[] = {
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", NULL},
		{"{\"a\":1}", "{\"a\":2,\"b\":2}", "{\"a\":1}"},
		{"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":1,\"y\":3,\"z\":4}}",
	         "{\"a\":{\"y\":2}}"},
		{"{\"a\":{\"x\":1}}", "{}", "{\"a\":{\"x\":1}}"},
		{"{\"a\":{}}", "{}", NULL},
		{"{\"a\":[]}", "{}", NULL},
		{"{\"a\":null}", "{}", NULL},
		{"{\"a\":null}", "{\"a\":1}", "{\"a\":null}"},
		{"{\"a\":[{\"port\":80}]}", "{\"a\":[{\"port\":80,\"protocol\":\"TCP\"}]}", NULL},
		{"{\"a\":[{\"port\":81}]}", "{\"a\":[{\"port\":80}]}", "{\"a\":[{\"port\":81}]}"},
		{"{\"a\":[1]}", "{\"a\":[1,2]}", "{\"a\":[1]}"},
		{"{\"a\":[]}", "{\"a\":[1]}", "{\"a\":[]}"},
		{"{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", "{\"a\":\"x\"}"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"n\",\"uid\":\"1\","
	         "\"labels\":{\"l\":\"v\"}},\"status\":{\"a\":1}}",
	         "{\"metadata\":{\"name\":\"n\"}}", "{\"metadata\":{\"labels\":{\"l\":\"v\"}}}"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		json_t *desired CLEANUP(json_cleanup) = json_parse(str_from(rows[i].desired), &err);
		json_t *actual CLEANUP(json_cleanup) = json_parse(str_from(rows[i].actual), &err);
		json_t *patch CLEANUP(json_cleanup) = kube_apply_diff(desired, actual);

		assert_int_equal(patch != NULL, rows[i].patch != NULL);
		if (patch == NULL)
			continue;
		json_t *expected CLEANUP(json_cleanup) = json_parse(str_from(rows[i].patch), &err);

		if (!json_equal(patch, expected))
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(a_version_from_the_future_is_recognized),
		cmocka_unit_test(a_patch_says_only_what_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
