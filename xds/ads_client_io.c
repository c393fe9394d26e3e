/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/ads_client_io.h"

#include "ads_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
	RETRY_MIN_MS = 200,
	RETRY_MAX_MS = 10000
};

struct xds_ads_client {
	struct xds_ads_client_config config;
	struct xds_uplink_user user;
	struct grpc_stream *stream;
	struct loop_timer timer; /* until the next stream, while the uplink is up */
	struct buf unsent;       /* a request that found the queue full */
	int64_t retry_ms;
	bool pumping;
	bool whole; /* the next stream starts without versions */
	size_t resyncs;
};

/* Fills `unsent` unless something waits in it. False: nothing to send. */
static bool next(struct xds_ads_client *client)
{
	if (client->unsent.len == 0 &&
	    !xds_delta_client_next(client->config.client, &client->unsent))
		return false;
	if (!buf_failed(&client->unsent))
		return true;
	/* more is held than one request can name */
	log_warn("xds", "too much is held to name it, asking for everything");
	client->whole = true;
	buf_clear(&client->unsent);
	grpc_stream_finish(client->stream);
	return false;
}

/* What does not fit goes on with on_drain, which may come from inside the send. */
static void pump(struct xds_ads_client *client)
{
	if (client->pumping)
		return;
	client->pumping = true;
	while (client->stream != NULL && next(client)) {
		if (!grpc_stream_send(client->stream, buf_str(&client->unsent)))
			break;
		buf_clear(&client->unsent);
	}
	client->pumping = false;
}

static void tell_stream(const struct xds_ads_client *client, bool up, const struct err *why)
{
	if (client->config.on_stream != NULL)
		client->config.on_stream(up, why, client->config.arg);
}

static void open_later(struct xds_ads_client *client)
{
	loop_timer_set(&client->timer, client->retry_ms);
	client->retry_ms =
		client->retry_ms * 2 < RETRY_MAX_MS ? client->retry_ms * 2 : RETRY_MAX_MS;
}

/* Ends the stream from our side. */
static void drop(struct xds_ads_client *client, const struct err *why)
{
	grpc_stream_cancel(client->stream);
	client->stream = NULL;
	open_later(client);
	tell_stream(client, false, why);
}

static void on_message(struct grpc_stream *stream, struct str message, void *arg)
{
	struct xds_ads_client *client = arg;
	enum xds_client_event event;
	struct err err;
	(void)stream;
	if (!xds_delta_client_feed(client->config.client, message, &event, &err)) {
		drop(client, &err);
		return;
	}
	switch (event) {
	case XDS_CLIENT_NONE:
		break;
	case XDS_CLIENT_RESYNC:
		client->resyncs++;
		client->whole = true;
		err_set(&err, ERR_PROTOCOL, "counts differ from the server's");
		drop(client, &err);
		return;
	case XDS_CLIENT_APPLIED:
	case XDS_CLIENT_LEFT:
		client->retry_ms = RETRY_MIN_MS;
		client->config.on_event(event, client->config.arg);
		break;
	}
	if (client->stream != NULL)
		pump(client);
}

static void on_drain(struct grpc_stream *stream, void *arg)
{
	(void)stream;
	pump(arg);
}

static void on_close(struct grpc_stream *stream, int status, const char *message, void *arg)
{
	struct xds_ads_client *client = arg;
	struct err err;
	(void)stream;
	client->stream = NULL;
	err_set(&err, grpc_status_to_err(status), "%s: %s", grpc_status_name(status),
	        message != NULL ? message : "");
	open_later(client);
	tell_stream(client, false, &err);
}

static const struct grpc_stream_events stream_events = {on_message, on_drain, on_close};

static void open_stream(struct xds_ads_client *client, struct grpc_conn *conn)
{
	loop_timer_cancel(&client->timer);
	buf_clear(&client->unsent);
	xds_delta_client_start(client->config.client, !client->whole);
	client->whole = false;
	client->stream = grpc_stream_open(conn, ADS_DELTA_PATH, NULL, &stream_events, client);
	pump(client);
	tell_stream(client, true, NULL);
}

static void on_up(struct grpc_conn *conn, void *arg)
{
	struct xds_ads_client *client = arg;
	if (client->stream == NULL)
		open_stream(client, conn);
}

static void on_timer(void *arg)
{
	struct xds_ads_client *client = arg;
	struct grpc_conn *conn = xds_uplink_conn(client->config.uplink);
	if (conn != NULL && client->stream == NULL)
		open_stream(client, conn);
}

struct xds_ads_client *xds_ads_client_create(const struct xds_ads_client_config *config)
{
	struct xds_ads_client *client = xcalloc(1, sizeof(*client));
	client->config = *config;
	client->retry_ms = RETRY_MIN_MS;
	buf_init(&client->unsent, ADS_REQUEST_MAX);
	loop_timer_init(&client->timer, config->loop, on_timer, client);
	client->user = (struct xds_uplink_user){.on_up = on_up, .arg = client};
	xds_uplink_add(config->uplink, &client->user);
	return client;
}

void xds_ads_client_destroy(struct xds_ads_client *client)
{
	if (client == NULL)
		return;
	xds_uplink_remove(&client->user);
	grpc_stream_cancel(client->stream);
	loop_timer_fini(&client->timer);
	buf_fini(&client->unsent);
	free(client);
}

size_t xds_ads_client_resyncs(const struct xds_ads_client *client)
{
	return client->resyncs;
}

bool xds_ads_client_is_up(const struct xds_ads_client *client)
{
	return client->stream != NULL;
}
