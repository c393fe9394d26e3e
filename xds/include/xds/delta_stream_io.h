/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_stream - keeps one delta ADS stream open on an uplink: opens it when the connection stands,
 * sends what its speaker has to say as far as the queue takes it, and opens another one, later each
 * time, when it ends. Loop thread.
 */
#pragma once

#include "base/buf.h"
#include "base/http_fields.h"
#include "base/loop.h"
#include "xds/uplink_io.h"

struct xds_delta_stream;

/* Who speaks on it; called with arg. */
struct xds_speaker {
	/* A stream begins: from here on it is the speaker's first request that is asked for.
	 * Metadata may be added to fields. */
	void (*start)(struct http_fields *fields, void *arg);
	/* Adds the next request to out, which is empty. False: there is none. If out has failed,
	 * more was to be said than fits: the stream ends. */
	bool (*next)(struct buf *out, void *arg);
	/* Takes a response. False: the stream ends, err says why. */
	bool (*feed)(struct str message, struct err *err, void *arg);
	/* The stream began (up) or ended (why). */
	void (*on_stream)(bool up, const struct err *why, void *arg);
};

struct xds_delta_stream_config {
	struct loop *loop;                 /* borrowed */
	struct xds_uplink *uplink;         /* borrowed; outlives the stream */
	const struct xds_speaker *speaker; /* static */
	void *arg;
	size_t request_max;
	int64_t retry_min_ms; /* from the end of a stream to the next one, less up to half of it */
	int64_t retry_max_ms; /* what it grows to, twice as long each time */
};

struct xds_delta_stream *xds_delta_stream_create(const struct xds_delta_stream_config *config);
/* NULL is harmless. */
void xds_delta_stream_destroy(struct xds_delta_stream *stream);
bool xds_delta_stream_is_up(const struct xds_delta_stream *stream);
/* It has come to something: the next one after it may come soon. */
void xds_delta_stream_settled(struct xds_delta_stream *stream);
