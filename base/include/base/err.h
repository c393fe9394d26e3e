/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - why something failed: a code from a closed table and a sentence.
 *
 * Lies on the caller's stack and is the last parameter of whatever can fail. A function that
 * returns false has filled it; one that returns true has not touched it. Whoever returns an error
 * does not log it: the end of the chain logs once.
 *
 * Messages are lower case, without a final stop, user data in single quotes.
 * Source of the reasons: Kubernetes API conventions, "Response Status Kind".
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

/*        code               HTTP  Kubernetes reason        worth a retry */
#define ERR_CODES(X)                                                                               \
	X(ERR_INTERNAL, 500, "InternalError", false)                                               \
	X(ERR_BAD_REQUEST, 400, "BadRequest", false)                                               \
	X(ERR_UNAUTHORIZED, 401, "Unauthorized", false)                                            \
	X(ERR_FORBIDDEN, 403, "Forbidden", false)                                                  \
	X(ERR_NOT_FOUND, 404, "NotFound", false)                                                   \
	X(ERR_METHOD, 405, "MethodNotAllowed", false)                                              \
	X(ERR_NOT_ACCEPTABLE, 406, "NotAcceptable", false)                                         \
	X(ERR_EXISTS, 409, "AlreadyExists", false)                                                 \
	X(ERR_CONFLICT, 409, "Conflict", true)                                                     \
	X(ERR_EXPIRED, 410, "Expired", false)                                                      \
	X(ERR_TOO_LARGE, 413, "RequestEntityTooLarge", false)                                      \
	X(ERR_MEDIA_TYPE, 415, "UnsupportedMediaType", false)                                      \
	X(ERR_INVALID, 422, "Invalid", false)                                                      \
	X(ERR_TOO_MANY, 429, "TooManyRequests", true)                                              \
	X(ERR_UNAVAILABLE, 503, "ServiceUnavailable", true)                                        \
	X(ERR_TIMEOUT, 504, "Timeout", true)                                                       \
	X(ERR_PROTOCOL, 502, "InternalError", false)                                               \
	X(ERR_IO, 500, "InternalError", true)

enum err_code {
#define X(code, http, reason, retry) code,
	ERR_CODES(X)
#undef X
};

enum {
	ERR_MSG_MAX = 512
};

struct err {
	enum err_code code;
	char msg[ERR_MSG_MAX];
};

/* Fill err. Always return false, so that `return err_set(...)` reads as one line. A message that
 * does not fit is cut. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set with ERR_IO, followed by ": " and the text of the errno value. */
bool err_set_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<text>: " before the message and keeps the code. Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Lets the compiler see the false as well, so that it knows which out parameters were not set. */
static inline bool err_false(bool always_false)
{
	(void)always_false;
	return false;
}
#define err_set(...)       err_false(err_set(__VA_ARGS__))
#define err_set_errno(...) err_false(err_set_errno(__VA_ARGS__))
#define err_wrap(...)      err_false(err_wrap(__VA_ARGS__))

int err_http_status(enum err_code code);
const char *err_reason(enum err_code code);
bool err_is_retryable(enum err_code code);
