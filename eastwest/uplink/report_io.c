/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/report_io.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "xds/message.h"
#include "xds/proto/report.pb-c.h"

enum {
	INTERVAL_MS = 1000, /* until the control plane says another one */
	INTERVAL_MIN_MS = 200,
	INTERVAL_MAX_MS = 60000,
	AGAIN_MS = 5000, /* after a stream that ended alone */
	REPORT_MAX = 1 << 20
};

struct ew_reporter {
	struct xds_uplink *uplink;
	struct xds_uplink_user user;
	void (*fill)(struct buf *out, void *arg);
	void *arg;
	struct grpc_stream *stream;
	struct loop_timer timer; /* next report, or next stream */
	int64_t interval_ms;
};

static void on_message(struct grpc_stream *stream, struct str message, void *arg)
{
	struct ew_reporter *reporter = arg;
	struct err err;
	(void)stream;
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__report__v1__ack__descriptor, message, &err);
	if (base == NULL)
		return;
	const Fedway__Report__V1__Ack *ack = (const void *)base;
	if (ack->has_interval_ms && ack->interval_ms >= INTERVAL_MIN_MS &&
	    ack->interval_ms <= INTERVAL_MAX_MS)
		reporter->interval_ms = ack->interval_ms;
	xds_message_free(base);
}

static void on_close(struct grpc_stream *stream, int status, const char *message, void *arg)
{
	struct ew_reporter *reporter = arg;
	(void)stream;
	reporter->stream = NULL;
	log_debug("eastwest", "reports ended: %s %s", grpc_status_name(status),
	          message != NULL ? message : "");
	loop_timer_set(&reporter->timer, AGAIN_MS);
}

static const struct grpc_stream_events events = {.on_message = on_message, .on_close = on_close};

static void send_report(struct ew_reporter *reporter)
{
	struct buf report CLEANUP(buf_fini) = {0};
	buf_init(&report, REPORT_MAX);
	reporter->fill(&report, reporter->arg);
	/* a full queue or an overlong report: the next one will say it */
	if (!buf_failed(&report))
		IGNORE(grpc_stream_send(reporter->stream, buf_str(&report)));
	loop_timer_set(&reporter->timer, reporter->interval_ms);
}

static void open_stream(struct ew_reporter *reporter, struct grpc_conn *conn)
{
	reporter->stream =
		grpc_stream_open(conn, "/fedway.report.v1.Reports/Stream", NULL, &events, reporter);
	loop_timer_set(&reporter->timer, 0);
}

static void on_up(struct grpc_conn *conn, void *arg)
{
	struct ew_reporter *reporter = arg;
	if (reporter->stream == NULL)
		open_stream(reporter, conn);
}

static void on_timer(void *arg)
{
	struct ew_reporter *reporter = arg;
	struct grpc_conn *conn = xds_uplink_conn(reporter->uplink);
	if (reporter->stream != NULL)
		send_report(reporter);
	else if (conn != NULL)
		open_stream(reporter, conn);
}

struct ew_reporter *ew_reporter_create(struct loop *loop, struct xds_uplink *uplink,
                                       void (*fill)(struct buf *out, void *arg), void *arg)
{
	struct ew_reporter *reporter = xcalloc(1, sizeof(*reporter));
	reporter->uplink = uplink;
	reporter->fill = fill;
	reporter->arg = arg;
	reporter->interval_ms = INTERVAL_MS;
	loop_timer_init(&reporter->timer, loop, on_timer, reporter);
	reporter->user = (struct xds_uplink_user){.on_up = on_up, .arg = reporter};
	xds_uplink_add(uplink, &reporter->user);
	return reporter;
}

void ew_reporter_destroy(struct ew_reporter *reporter)
{
	if (reporter == NULL)
		return;
	xds_uplink_remove(&reporter->user);
	grpc_stream_cancel(reporter->stream);
	loop_timer_fini(&reporter->timer);
	free(reporter);
}
