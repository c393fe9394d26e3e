/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void sets_code_and_sentence(void **state)
{
	struct err err;

	(void)state;
	assert_false(err_set(&err, ERR_NOT_FOUND, "service '%s' does not exist", "a"));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "service 'a' does not exist");
}

static void wraps_and_keeps_the_code(void **state)
{
	struct err err;

	(void)state;
	err_set_errno(&err, ENOENT, "cannot open '%s'", "f");
	assert_int_equal(err.code, ERR_IO);
	assert_string_equal(err.msg, "cannot open 'f': No such file or directory");
	err_set(&err, ERR_INVALID, "bad port");
	assert_false(err_wrap(&err, "gateway '%s'", "gw"));
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, "gateway 'gw': bad port");
}

static void may_be_set_from_its_own_message(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_IO, "inner");
	err_set(&err, ERR_INVALID, "outer (%s)", err.msg);
	assert_string_equal(err.msg, "outer (inner)");
}

static void cuts_what_does_not_fit(void **state)
{
	struct err err;
	char big[2 * ERR_MSG_MAX];

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&err, ERR_IO, "%s", big);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
	err_wrap(&err, "%s", big);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
}

static void knows_status_reason_and_retry(void **state)
{
	(void)state;
	assert_int_equal(err_http_status(ERR_CONFLICT), 409);
	assert_string_equal(err_reason(ERR_EXPIRED), "Expired");
	assert_true(err_is_retryable(ERR_UNAVAILABLE));
	assert_false(err_is_retryable(ERR_INVALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_sentence),
		cmocka_unit_test(wraps_and_keeps_the_code),
		cmocka_unit_test(may_be_set_from_its_own_message),
		cmocka_unit_test(cuts_what_does_not_fit),
		cmocka_unit_test(knows_status_reason_and_retry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
