/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc - gRPC over HTTP/2, both sides, messages as bytes. Server methods hang in an http_server;
 * a client is one connection with any number of calls.
 *
 * Loop thread only. No compression (a compressed message is refused with UNIMPLEMENTED).
 * Source: "gRPC over HTTP2" of the gRPC project, RFC 9113.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/http.h"
#include "base/http_fields.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/tls.h"

enum {
	GRPC_MESSAGE_MAX = 4 << 20, /* one received message; default of the config's zeros */
	GRPC_QUEUE_MAX = 32 << 20,  /* unsent bytes of one call */
	GRPC_KEEPALIVE_MS = 30000,  /* silence before a PING */
	GRPC_PING_MS = 10000        /* for its answer */
};

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

/* "UNAVAILABLE"; "UNKNOWN" for a number outside the table. */
const char *grpc_status_name(int status);
enum grpc_status grpc_status_of_err(enum err_code code);
enum err_code grpc_status_to_err(int status);

/* --- server ----------------------------------------------------------------------------------- */

struct grpc_server;
struct grpc_call;

/*
 * One method. Unary: on_call alone. Streaming: on_open (may be NULL), on_message, on_half_close,
 * on_gone, on_drain (may be NULL). The pointer stays good until grpc_call_reply or grpc_call_end,
 * or until on_gone has returned.
 */
struct grpc_method {
	const char *path; /* "/pkg.Service/Method", borrowed */
	size_t message_max;
	size_t queue_max;
	void *arg;
	/* Unary: the one request message, borrowed for the call. */
	void (*on_call)(struct grpc_call *call, struct str request, void *arg);
	void (*on_open)(struct grpc_call *call, void *arg);
	void (*on_message)(struct grpc_call *call, struct str message, void *arg);
	/* The client will send no more; end the call when done. */
	void (*on_half_close)(struct grpc_call *call, void *arg);
	/* The queue has fallen low again (a quarter of the http_server's queue_max). */
	void (*on_drain)(struct grpc_call *call, void *arg);
	/* The client is gone, broke the protocol or the limits, or its deadline passed. For unary
	 * calls too, if set. */
	void (*on_gone)(struct grpc_call *call, const struct err *why, void *arg);
};

struct grpc_server *grpc_server_create(struct loop *loop);
/* After the http_server that feeds it. */
void grpc_server_destroy(struct grpc_server *server);
/* method is borrowed and outlives the server. */
void grpc_server_add(struct grpc_server *server, const struct grpc_method *method);
/* An http_request_cb with the grpc_server as arg. For a server that has other paths too, call it
 * for requests whose content-type begins with "application/grpc". */
void grpc_server_on_request(struct http_exchange *ex, void *grpc_server);
bool grpc_is_request(const struct http_request *request);

/* Metadata ("authorization", "clusterid") is in http_exchange_request(..)->fields; certificates by
 * http_exchange_peer_chain(). */
struct http_exchange *grpc_call_exchange(const struct grpc_call *call);
const char *grpc_call_metadata(const struct grpc_call *call, const char *name);

/* Queues a message. False: over queue_max, nothing was taken, the call stands. */
MUST_CHECK
bool grpc_call_send(struct grpc_call *call, struct str message);
/* Unsent bytes. */
size_t grpc_call_queued(const struct grpc_call *call);
/* Stops taking messages of a streaming call while set. */
void grpc_call_set_paused(struct grpc_call *call, bool paused);
/* One message and OK. The call is over. */
void grpc_call_reply(struct grpc_call *call, struct str message);
/* Status and message (NULL: none, at most 1 KiB goes out) in trailers. The call is over. */
void grpc_call_end(struct grpc_call *call, enum grpc_status status, const char *message);
void grpc_call_set_data(struct grpc_call *call, void *data);
void *grpc_call_data(const struct grpc_call *call);

/* --- client ----------------------------------------------------------------------------------- */

struct grpc_conn;
struct grpc_stream;

struct grpc_conn_config {
	struct loop *loop; /* borrowed */
	struct addr addr;
	struct tls_ctx *tls;     /* NULL: plain; a reference is taken. Its alpn must have "h2" */
	const char *server_name; /* SNI and :authority; NULL: the address */
	bool check_name;         /* the certificate must carry server_name */
	size_t message_max;
	size_t queue_max;
	int64_t open_ms;      /* connect, handshake, SETTINGS; default 10 s */
	int64_t keepalive_ms; /* default GRPC_KEEPALIVE_MS */
	int64_t ping_ms;      /* default GRPC_PING_MS */
	void (*on_open)(struct grpc_conn *conn, void *arg);
	/* Exactly once, unless closed by the caller; every stream has had its on_close before. Then
	 * the conn is gone; connecting again is the caller's business. why: as wire on_close, or
	 * ERR_TIMEOUT (PING), ERR_UNAVAILABLE (GOAWAY), ERR_PROTOCOL. */
	void (*on_close)(struct grpc_conn *conn, const struct err *why, void *arg);
	void *arg;
};

/* Calls may be started at once; they wait for the connection. NULL: ERR_IO. */
MUST_CHECK
struct grpc_conn *grpc_conn_open(const struct grpc_conn_config *config, struct err *err);
/* Streams get on_close with CANCELLED, the conn no callback. NULL is harmless. */
void grpc_conn_close(struct grpc_conn *conn);
/* The peer's verified chain; NULL before on_open or when plain. */
STACK_OF(X509) * grpc_conn_peer_chain(const struct grpc_conn *conn);

struct grpc_stream_events {
	void (*on_message)(struct grpc_stream *stream, struct str message, void *arg);
	void (*on_drain)(struct grpc_stream *stream, void *arg); /* may be NULL */
	/* The end of the call, exactly once, unless cancelled by the caller; the pointer dies
	 * after. status OK: the server ended it well. UNAVAILABLE: the connection broke or never
	 * came. */
	void (*on_close)(struct grpc_stream *stream, int status, const char *message, void *arg);
};

/* path and metadata are copied; metadata may be NULL. No deadline. Never NULL: what fails
 * at once (conn closing) is told by on_close in a later turn. */
struct grpc_stream *grpc_stream_open(struct grpc_conn *conn, const char *path,
                                     const struct http_fields *metadata,
                                     const struct grpc_stream_events *events, void *arg);
/* False: over queue_max or half-closed; nothing was taken. */
MUST_CHECK
bool grpc_stream_send(struct grpc_stream *stream, struct str message);
size_t grpc_stream_queued(const struct grpc_stream *stream);
/* Half-close: no more messages from us. */
void grpc_stream_finish(struct grpc_stream *stream);
void grpc_stream_set_deadline(struct grpc_stream *stream, int64_t in_ms);
void grpc_stream_set_paused(struct grpc_stream *stream, bool paused);
/* RST_STREAM(CANCEL); no callback follows. NULL is harmless. */
void grpc_stream_cancel(struct grpc_stream *stream);

/* A unary call: cb exactly once, unless cancelled; reply is borrowed and empty unless OK. The
 * result is only for grpc_stream_cancel() before cb. */
typedef void (*grpc_reply_cb)(int status, const char *message, struct str reply, void *arg);
struct grpc_unary {
	const char *path;
	const struct http_fields *metadata; /* may be NULL */
	struct str request;
	int64_t deadline_ms; /* from now; 0: 30 s */
	grpc_reply_cb cb;
	void *arg;
};
struct grpc_stream *grpc_unary_start(struct grpc_conn *conn, const struct grpc_unary *unary);
