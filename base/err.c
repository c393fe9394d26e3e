/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Here the functions themselves are meant. */
#undef err_set
#undef err_set_errno
#undef err_wrap

struct err_row {
	int http;
	const char *reason;
	bool retry;
};

static const struct err_row rows[] = {
#define X(code, http, reason, retry) [code] = {http, reason, retry},
	ERR_CODES(X)
#undef X
};

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	va_list args;

	/* By way of a copy, as the arguments may contain err->msg. */
	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	err->code = code;
	memcpy(err->msg, msg, sizeof(msg));
	return false;
}

bool err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	char text[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	return err_set(err, ERR_IO, "%s: %s", msg, strerror_r(errnum, text, sizeof(text)));
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
	char head[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(head, sizeof(head), fmt, args);
	va_end(args);
	return err_set(err, err->code, "%s: %s", head, err->msg);
}

int err_http_status(enum err_code code)
{
	return rows[code].http;
}

const char *err_reason(enum err_code code)
{
	return rows[code].reason;
}

bool err_is_retryable(enum err_code code)
{
	return rows[code].retry;
}
