/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers - ACKs and NACKs of one delta stream that wait to be sent, in the order of the responses.
 * Zeroed at first. Source: Envoy, "xDS REST and gRPC protocol", "How the client specifies what
 * resources to return", "ACK/NACK and resource type instance version".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/resource.h"

enum {
	XDS_ANSWERS_MAX = 64
};

struct xds_answers {
	size_t n;
	struct xds_answer {
		enum xds_type type;
		char *nonce; /* owned */
		char *nack;  /* owned, why it is refused; NULL: an ACK */
	} list[XDS_ANSWERS_MAX];
};

/* Forgets them: the stream is gone. */
void xds_answers_clear(struct xds_answers *answers);
/* To be asked before a response is taken. False: ERR_TOO_MANY, the server does not read. */
MUST_CHECK
bool xds_answers_have_room(const struct xds_answers *answers, struct err *err);
/* nack: NULL for an ACK; copied. There must be room. */
void xds_answers_add(struct xds_answers *answers, enum xds_type type, struct str nonce,
                     const char *nack);
/* Adds the first one to out as a request, and forgets it. False: there is none. */
bool xds_answers_next(struct xds_answers *answers, struct buf *out);
