/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc_frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"

void grpc_deframer_init(struct grpc_deframer *d, size_t message_max)
{
	d->message_max = message_max;
	buf_init(&d->held, GRPC_PREFIX_LEN + message_max);
}

void grpc_deframer_fini(struct grpc_deframer *d)
{
	buf_fini(&d->held);
}

static bool take(struct grpc_deframer *d, struct str *input, size_t want)
{
	size_t n = want - d->held.len;

	if (n > input->len)
		n = input->len;
	if (n > 0) {
		buf_add(&d->held, input->ptr, n);
		*input = str_make(input->ptr + n, input->len - n);
	}
	return d->held.len == want;
}

static size_t read_len(const struct buf *held)
{
	const uint8_t *p = (const uint8_t *)held->ptr;

	return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | (size_t)p[4];
}

static bool is_whole(const struct grpc_deframer *d)
{
	return d->held.len >= GRPC_PREFIX_LEN &&
	       d->held.len == GRPC_PREFIX_LEN + read_len(&d->held);
}

bool grpc_deframer_is_busy(const struct grpc_deframer *d)
{
	return d->held.len > 0 && !is_whole(d);
}

enum grpc_deframe grpc_deframe(struct grpc_deframer *d, struct str *input, struct str *ret_message,
                               struct err *err)
{
	size_t len;

	/* The message given out last time is done with now. */
	if (is_whole(d))
		buf_clear(&d->held);
	if (d->held.len < GRPC_PREFIX_LEN && !take(d, input, GRPC_PREFIX_LEN))
		return GRPC_DEFRAME_MORE;
	if (d->held.ptr[0] != 0) {
		err_set(err, ERR_NOT_ACCEPTABLE, "compressed messages are not supported");
		return GRPC_DEFRAME_BAD;
	}
	len = read_len(&d->held);
	if (len > d->message_max) {
		err_set(err, ERR_TOO_LARGE, "a message of %zu bytes, %zu at most", len,
		        d->message_max);
		return GRPC_DEFRAME_BAD;
	}
	if (!take(d, input, GRPC_PREFIX_LEN + len))
		return GRPC_DEFRAME_MORE;
	*ret_message = str_make(d->held.ptr + GRPC_PREFIX_LEN, len);
	return GRPC_DEFRAME_MESSAGE;
}

void grpc_format_prefix(uint8_t prefix[GRPC_PREFIX_LEN], size_t message_len)
{
	prefix[0] = 0;
	prefix[1] = (uint8_t)(message_len >> 24);
	prefix[2] = (uint8_t)(message_len >> 16);
	prefix[3] = (uint8_t)(message_len >> 8);
	prefix[4] = (uint8_t)message_len;
}

/* --- texts ------------------------------------------------------------------------------------ */

void grpc_format_message(struct buf *out, const char *message)
{
	size_t start = out->len;

	for (const char *c = message; *c != '\0'; c++) {
		if (out->len - start > GRPC_STATUS_MESSAGE_MAX - 3)
			return;
		if (*c >= 0x20 && *c <= 0x7e && *c != '%')
			buf_add_char(out, *c);
		else
			buf_printf(out, "%%%02X", (unsigned char)*c);
	}
}

char *grpc_parse_message(const char *text)
{
	struct buf out;
	struct str rest = str_from(text);

	buf_init(&out, rest.len);
	while (rest.len > 0) {
		size_t n = rest.ptr[0] == '%' && rest.len >= 3 ? 3 : 1;
		char *byte = n == 3 ? http_unescape(str_make(rest.ptr, 3), false) : NULL;

		if (byte == NULL)
			n = 1;
		buf_add_char(&out, byte != NULL ? byte[0] : rest.ptr[0]);
		free(byte);
		rest.ptr += n;
		rest.len -= n;
	}
	return out.ptr != NULL ? buf_take(&out) : xstrdup("");
}

int64_t grpc_parse_timeout(const char *text)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {{'H', 3600000000000}, {'M', 60000000000}, {'S', 1000000000},
	             {'m', 1000000},       {'u', 1000},        {'n', 1}};
	size_t len = strlen(text);
	uint64_t n;

	if (len < 2 || len > 9 || !str_to_u64(str_make(text, len - 1), 99999999, &n))
		return 0;
	for (size_t i = 0; i < N_ELEMS(units); i++) {
		if (units[i].unit != text[len - 1])
			continue;
		/* 99999999 hours in nanoseconds do not fit. */
		if (units[i].ns >= 1000000)
			return n == 0 ? 1 : (int64_t)n * (units[i].ns / 1000000);
		return (int64_t)n * units[i].ns / 1000000 + 1;
	}
	return 0;
}

void grpc_format_timeout(char text[16], int64_t ms)
{
	if (ms < 99999999)
		snprintf(text, 16, "%dm", (int)ms);
	else
		snprintf(text, 16, "%dS", (int)(ms / 1000 < 99999999 ? ms / 1000 : 99999999));
}

/* --- status ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum err_code err;
} statuses[] = {
	[GRPC_OK] = {"OK", ERR_INTERNAL},
	[GRPC_CANCELLED] = {"CANCELLED", ERR_UNAVAILABLE},
	[GRPC_UNKNOWN] = {"UNKNOWN", ERR_INTERNAL},
	[GRPC_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", ERR_INVALID},
	[GRPC_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", ERR_TIMEOUT},
	[GRPC_NOT_FOUND] = {"NOT_FOUND", ERR_NOT_FOUND},
	[GRPC_ALREADY_EXISTS] = {"ALREADY_EXISTS", ERR_EXISTS},
	[GRPC_PERMISSION_DENIED] = {"PERMISSION_DENIED", ERR_FORBIDDEN},
	[GRPC_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", ERR_TOO_MANY},
	[GRPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", ERR_CONFLICT},
	[GRPC_ABORTED] = {"ABORTED", ERR_CONFLICT},
	[GRPC_OUT_OF_RANGE] = {"OUT_OF_RANGE", ERR_INVALID},
	[GRPC_UNIMPLEMENTED] = {"UNIMPLEMENTED", ERR_METHOD},
	[GRPC_INTERNAL] = {"INTERNAL", ERR_INTERNAL},
	[GRPC_UNAVAILABLE] = {"UNAVAILABLE", ERR_UNAVAILABLE},
	[GRPC_DATA_LOSS] = {"DATA_LOSS", ERR_INTERNAL},
	[GRPC_UNAUTHENTICATED] = {"UNAUTHENTICATED", ERR_UNAUTHORIZED},
};

const char *grpc_status_name(int status)
{
	return status >= 0 && (size_t)status < N_ELEMS(statuses) ? statuses[status].name
	                                                         : "UNKNOWN";
}

enum err_code grpc_status_to_err(int status)
{
	return status >= 0 && (size_t)status < N_ELEMS(statuses) ? statuses[status].err
	                                                         : ERR_INTERNAL;
}

enum grpc_status grpc_status_of_err(enum err_code code)
{
	switch (code) {
	case ERR_BAD_REQUEST:
	case ERR_INVALID:
		return GRPC_INVALID_ARGUMENT;
	case ERR_UNAUTHORIZED:
		return GRPC_UNAUTHENTICATED;
	case ERR_FORBIDDEN:
		return GRPC_PERMISSION_DENIED;
	case ERR_NOT_FOUND:
		return GRPC_NOT_FOUND;
	case ERR_METHOD:
	case ERR_NOT_ACCEPTABLE:
	case ERR_MEDIA_TYPE:
		return GRPC_UNIMPLEMENTED;
	case ERR_EXISTS:
		return GRPC_ALREADY_EXISTS;
	case ERR_CONFLICT:
	case ERR_EXPIRED:
		return GRPC_FAILED_PRECONDITION;
	case ERR_TOO_LARGE:
	case ERR_TOO_MANY:
		return GRPC_RESOURCE_EXHAUSTED;
	case ERR_UNAVAILABLE:
	case ERR_IO:
		return GRPC_UNAVAILABLE;
	case ERR_TIMEOUT:
		return GRPC_DEADLINE_EXCEEDED;
	case ERR_INTERNAL:
	case ERR_PROTOCOL:
		return GRPC_INTERNAL;
	}
	return GRPC_INTERNAL;
}
