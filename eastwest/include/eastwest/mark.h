/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark - the first bytes between two of our gateways: "answer with your own network or refuse".
 *
 * A PROXY protocol v2 header, command LOCAL, family UNSPEC, one TLV of type E5: the byte 01 and
 * then the name of the cluster meant, which may be empty. The same reader takes the header that a
 * load balancer in front puts before the stream. Pure, no allocation, split anywhere.
 * Source: PROXY protocol specification 2.2; contracts of the mark: architecture, "Routing".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

enum {
	EW_MARK_CLUSTER_MAX = 63,
	EW_MARK_MAX =
		16 + 3 + 1 + EW_MARK_CLUSTER_MAX, /* bytes that ew_mark_encode writes at most */
	EW_PROXY_HEADER_MAX = 16 + 1024           /* longer headers are refused */
};

enum ew_mark_result {
	EW_MARK_MORE,  /* the beginning of a header */
	EW_MARK_NONE,  /* another kind of stream */
	EW_MARK_FOUND, /* our mark */
	EW_MARK_PROXY, /* somebody else's header: LOCAL, or an address in ret */
	EW_MARK_BAD    /* a broken or over-long header */
};

struct ew_mark {
	char cluster[EW_MARK_CLUSTER_MAX + 1]; /* FOUND: "" for any */
	bool has_source;                       /* PROXY: source is the client that was meant */
	struct addr source;
	uint32_t len; /* FOUND and PROXY: bytes of the header */
};

/* data: the first bytes of the stream, all that came so far. */
enum ew_mark_result ew_mark_read(const uint8_t *data, size_t len, struct ew_mark *ret_mark);

/* Writes the mark and returns its length. cluster longer than EW_MARK_CLUSTER_MAX: as if empty. */
size_t ew_mark_encode(struct str cluster, uint8_t out[EW_MARK_MAX]);
