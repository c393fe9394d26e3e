/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/macros.h"
#include "kube/status.h"

static void a_status_becomes_an_error(void **state)
{
	static const struct {
		const char *status;
		int http;
		enum err_code code;
		const char *message;
	} rows[] = {
		{"{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404,\"message\":\"pods "
	         "\\\"a\\\" not found\"}",
	         404, ERR_NOT_FOUND, "pods \"a\" not found"},
		{"{\"reason\":\"AlreadyExists\",\"message\":\"m\"}", 409, ERR_EXISTS, "m"},
		{"{\"reason\":\"Conflict\",\"message\":\"m\"}", 409, ERR_CONFLICT, "m"},
		{"{\"reason\":\"Gone\",\"code\":410,\"message\":\"old\"}", 0, ERR_EXPIRED, "old"},
		{"{\"reason\":\"Expired\",\"message\":\"old\"}", 200, ERR_EXPIRED, "old"},
		{"{\"code\":429,\"message\":\"slow\"}", 0, ERR_TOO_MANY, "slow"},
		{"{}", 503, ERR_UNAVAILABLE, "refused without a message (HTTP 503)"},
		{"{\"reason\":\"Invalid\",\"message\":\"x is invalid\",\"details\":{\"causes\":[{"
	         "\"field\":\"spec.a\",\"message\":\"Required value\"}]}}",
	         422, ERR_INVALID, "x is invalid; spec.a: Required value"},
		{"{\"reason\":\"Invalid\",\"message\":\"x: spec.a: Required value\",\"details\":{"
	         "\"causes\":[{\"field\":\"spec.a\",\"message\":\"Required value\"}]}}",
	         422, ERR_INVALID, "x: spec.a: Required value"},
		{"{\"reason\":\"Odd\",\"code\":418,\"message\":\"m\"}", 418, ERR_BAD_REQUEST, "m"},
		{"[]", 500, ERR_INTERNAL, "refused without a message (HTTP 500)"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		json_t *status CLEANUP(json_cleanup) = json_parse(str_from(rows[i].status), &err);

		assert_non_null(status);
		assert_false(kube_status_to_err(status, rows[i].http, &err));
		assert_int_equal(err.code, rows[i].code);
		assert_string_equal(err.msg, rows[i].message);
	}
}

static void an_error_becomes_a_status_and_comes_back(void **state)
{
	static const enum err_code codes[] = {
#define X(code, http, reason, retry) code,
		ERR_CODES(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(codes); i++) {
		struct err err;
		struct err back;

		err_set(&err, codes[i], "because");
		json_t *status CLEANUP(json_cleanup) = kube_status_create(&err, NULL);

		assert_true(kube_status_is_failure(status));
		assert_int_equal(json_int_at(status, "code", 0), err_http_status(codes[i]));
		assert_false(kube_status_to_err(status, 0, &back));
		assert_string_equal(err_reason(back.code), err_reason(codes[i]));
		assert_string_equal(back.msg, "because");
	}
}

static void details_are_written_when_given(void **state)
{
	json_t *causes CLEANUP(json_cleanup) = json_array();
	struct err err;
	struct kube_status_details details = {.name = "w1",
	                                      .group = "example.com",
	                                      .kind = "Widget",
	                                      .causes = causes,
	                                      .retry_after_s = 7};

	(void)state;
	kube_status_add_cause(causes, "FieldValueRequired", "spec.size", "Required value");
	err_set(&err, ERR_INVALID, "no");
	json_t *status CLEANUP(json_cleanup) = kube_status_create(&err, &details);

	assert_string_equal(json_str_at(status, "details.kind", ""), "Widget");
	assert_null(json_at(status, "details.uid"));
	assert_int_equal(kube_status_retry_after_s(status), 7);
	assert_true(kube_status_has_cause(status, "FieldValueRequired"));
	assert_false(kube_status_has_cause(status, "ResourceVersionTooLarge"));
}

static void a_message_cut_inside_a_character_still_is_json(void **state)
{
	struct err err = {.code = ERR_INTERNAL, .msg = "gr\xc3"};

	(void)state;
	json_t *status CLEANUP(json_cleanup) = kube_status_create(&err, NULL);

	assert_string_equal(json_str_at(status, "message", ""), "gr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_becomes_an_error),
		cmocka_unit_test(an_error_becomes_a_status_and_comes_back),
		cmocka_unit_test(details_are_written_when_given),
		cmocka_unit_test(a_message_cut_inside_a_character_still_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
