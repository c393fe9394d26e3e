/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/ads_client_io.h"

#include "ads_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "xds/delta_stream_io.h"

enum {
	RETRY_MIN_MS = 200,
	RETRY_MAX_MS = 10000
};

struct xds_ads_client {
	struct xds_ads_client_config config;
	struct xds_delta_stream *stream;
	bool whole; /* the next stream starts without versions */
	size_t resyncs;
};

static void start(struct http_fields *fields, void *arg)
{
	struct xds_ads_client *client = arg;
	(void)fields;
	xds_delta_client_start(client->config.client, !client->whole);
	client->whole = false;
}

static bool next(struct buf *out, void *arg)
{
	struct xds_ads_client *client = arg;
	if (!xds_delta_client_next(client->config.client, out))
		return false;
	if (buf_failed(out)) {
		/* more is held than one request can name */
		log_warn("xds", "too much is held to name it, asking for everything");
		client->whole = true;
	}
	return true;
}

static bool feed(struct str message, struct err *err, void *arg)
{
	struct xds_ads_client *client = arg;
	enum xds_client_event event;
	if (!xds_delta_client_feed(client->config.client, message, &event, err))
		return false;
	switch (event) {
	case XDS_CLIENT_NONE:
		break;
	case XDS_CLIENT_RESYNC:
		client->resyncs++;
		client->whole = true;
		return err_set(err, ERR_PROTOCOL, "counts differ from the server's");
	case XDS_CLIENT_APPLIED:
	case XDS_CLIENT_LEFT:
		xds_delta_stream_settled(client->stream);
		client->config.on_event(event, client->config.arg);
		break;
	}
	return true;
}

static void on_stream(bool up, const struct err *why, void *arg)
{
	const struct xds_ads_client *client = arg;
	if (client->config.on_stream != NULL)
		client->config.on_stream(up, why, client->config.arg);
}

static const struct xds_speaker speaker = {start, next, feed, on_stream};

struct xds_ads_client *xds_ads_client_create(const struct xds_ads_client_config *config)
{
	struct xds_ads_client *client = xcalloc(1, sizeof(*client));
	const struct xds_delta_stream_config on = {
		.loop = config->loop,
		.uplink = config->uplink,
		.speaker = &speaker,
		.arg = client,
		.request_max = ADS_REQUEST_MAX,
		.retry_min_ms = RETRY_MIN_MS,
		.retry_max_ms = RETRY_MAX_MS,
	};
	client->config = *config;
	client->stream = xds_delta_stream_create(&on);
	return client;
}

void xds_ads_client_destroy(struct xds_ads_client *client)
{
	if (client == NULL)
		return;
	xds_delta_stream_destroy(client->stream);
	free(client);
}

size_t xds_ads_client_resyncs(const struct xds_ads_client *client)
{
	return client->resyncs;
}

bool xds_ads_client_is_up(const struct xds_ads_client *client)
{
	return xds_delta_stream_is_up(client->stream);
}
