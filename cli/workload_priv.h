/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "workload.h"

#include "base/buf.h"
#include "base/tls.h"

/* What serves and what asks loads alike: files, and who the peer must be. */
struct workload_tls {
	struct buf cert;
	struct buf key;
	struct buf roots;
	const char *peer; /* borrowed */
	struct tls_ctx *ctx;
};

/* tls stays where it is until workload_tls_fini(). */
MUST_CHECK
bool workload_tls_init(struct workload_tls *tls, const struct workload_identity *identity,
                       bool is_server, struct err *err);
void workload_tls_fini(struct workload_tls *tls);

/* The next whole line of in without its end, consumed by the caller with *ret_used. False: none
 * yet. */
bool workload_next_line(const struct buf *in, struct str *ret_line, size_t *ret_used);
