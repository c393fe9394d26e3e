/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_frame - length-prefixed messages out of bytes and into bytes, and the small texts of gRPC
 * (status, percent-encoded message, timeout). Pure; private to base.
 * Source: "gRPC over HTTP2", Length-Prefixed-Message, Status-Message, Timeout.
 */
#pragma once

#include "outq.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/grpc.h"
#include "base/str.h"

enum {
	GRPC_PREFIX_LEN = 5,
	GRPC_STATUS_MESSAGE_MAX = 1024
};

struct grpc_deframer {
	size_t message_max;
	struct buf held; /* prefix and message, as far as they came */
};

enum grpc_deframe {
	GRPC_DEFRAME_MORE,
	GRPC_DEFRAME_MESSAGE,
	GRPC_DEFRAME_BAD,
};

void grpc_deframer_init(struct grpc_deframer *deframer, size_t message_max);
void grpc_deframer_fini(struct grpc_deframer *deframer);
/* Takes bytes from the front of *input up to the end of a message. MESSAGE: *ret_message is
 * borrowed until the next call. BAD: ERR_TOO_LARGE, ERR_NOT_ACCEPTABLE (compressed). */
enum grpc_deframe grpc_deframe(struct grpc_deframer *deframer, struct str *input,
                               struct str *ret_message, struct err *err);
/* In the middle of a message? */
bool grpc_deframer_is_busy(const struct grpc_deframer *deframer);

void grpc_format_prefix(uint8_t prefix[GRPC_PREFIX_LEN], size_t message_len);

/* Percent-encodes at most GRPC_STATUS_MESSAGE_MAX bytes. */
void grpc_format_message(struct buf *out, const char *message);
/* Decodes; what is no escape stays. Heap, the caller's. */
char *grpc_parse_message(const char *text);

/* "100m" in milliseconds, at least 1; 0: not a timeout. */
int64_t grpc_parse_timeout(const char *text);
void grpc_format_timeout(char text[16], int64_t ms);
