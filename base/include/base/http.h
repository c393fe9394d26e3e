/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - HTTP server: HTTP/1.1 and HTTP/2 behind one exchange. The version follows from ALPN over
 * TLS, and from the first bytes when plain (h1, or h2c with prior knowledge).
 *
 * An exchange is one request and its answer. It belongs to the server; the handler may keep the
 * pointer until it has replied, ended or reset it, or until on_gone has returned, and no longer.
 * Loop thread only.
 * Source: RFC 9110, 9112, 9113. No upgrade, CONNECT, or 1xx but 100-continue.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/http_fields.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/tls.h"

struct http_server;
struct http_listener;
struct http_exchange;

enum {
	HTTP_CONNECTIONS_MAX = 4096,      /* defaults for the config's zeros */
	HTTP_STREAMS_MAX = 250,           /* concurrent, a connection */
	HTTP_HEADER_MS = 10000,           /* handshake, and from first byte to end of head */
	HTTP_IDLE_MS = 120000,            /* without any open exchange */
	HTTP_BODY_MS = 60000,             /* without progress of a body that is awaited */
	HTTP_QUEUE_MAX = 4 << 20,         /* unsent bytes of a streamed answer */
	HTTP_BODY_DISCARD_MAX = 256 << 10 /* body of a request that was answered without it */
};

struct http_request {
	struct str method;         /* "GET" */
	struct str path;           /* as sent, still escaped, begins with '/' */
	struct str query;          /* behind '?', may be empty */
	struct str authority;      /* Host or :authority, may be empty */
	struct http_fields fields; /* pseudo-header fields are not among them */
	int version;               /* 1 or 2 */
};

/* A head has arrived. The handler chooses, now or later: read the body, reply, begin. */
typedef void (*http_request_cb)(struct http_exchange *ex, void *arg);

/* Puts the body (and content type, a literal) of an answer that the server itself makes (400, 408,
 * 413, 431, 503 ...). Default: the message as text/plain. */
typedef void (*http_error_cb)(const struct err *err, struct buf *body, const char **content_type);

struct http_server_config {
	struct loop *loop; /* borrowed */
	const char *name;  /* component in log lines, a literal */
	http_request_cb on_request;
	http_error_cb on_error; /* may be NULL */
	void *arg;
	size_t connections_max;
	size_t streams_max;
	size_t queue_max;
	int64_t header_ms;
	int64_t idle_ms;
	int64_t body_ms;
};

struct http_server *http_server_create(const struct http_server_config *config);
/* Closes everything at once; on_gone is called for what is open. NULL is harmless. */
void http_server_destroy(struct http_server *server);

/* Takes the listening socket (net_listen, net_listen_text, a Unix one). tls NULL: plain; else a
 * reference is taken. The listener is owned by the server. */
struct http_listener *http_server_listen(struct http_server *server, int fd, struct tls_ctx *tls);
/* New connections use this context (may be NULL for a plain listener only). */
void http_listener_set_tls(struct http_listener *listener, struct tls_ctx *tls);

/* Takes over a connected socket, plain (socketpair of a client in the same process). tag: found by
 * http_exchange_tag(), says whose it is. */
void http_server_adopt(struct http_server *server, int fd, void *tag);

/* No more accepts; idle connections close; GOAWAY and `connection: close`; what is still open after
 * grace_ms is cut. Then on_stopped (may be NULL), once; destroy stays the caller's. */
void http_server_stop(struct http_server *server, int64_t grace_ms, void (*on_stopped)(void *arg),
                      void *arg);
size_t http_server_connections(const struct http_server *server);

/* --- the request ------------------------------------------------------------------------------ */

/* Borrowed, as long as the exchange. */
const struct http_request *http_exchange_request(const struct http_exchange *ex);
const struct addr *http_exchange_peer(const struct http_exchange *ex);
/* Verified certificates, leaf first; NULL: plain, or none shown. */
STACK_OF(X509) * http_exchange_peer_chain(const struct http_exchange *ex);
bool http_exchange_is_tls(const struct http_exchange *ex);
/* The tag of http_server_adopt(); NULL for accepted connections. */
void *http_exchange_tag(const struct http_exchange *ex);

/* The whole body, once, when it is there (perhaps within the call); borrowed for the callback.
 * Over max the server answers 413 and on_gone is called. */
typedef void (*http_body_cb)(struct http_exchange *ex, struct str body, void *arg);
void http_exchange_read_whole(struct http_exchange *ex, size_t max, http_body_cb cb, void *arg);

/* The body in pieces as they come; end with is_end true (data may be empty then). No deadline: the
 * handler's matter. */
typedef void (*http_data_cb)(struct http_exchange *ex, struct str data, bool is_end, void *arg);
void http_exchange_read_stream(struct http_exchange *ex, http_data_cb cb, void *arg);
/* Slows the sender of a streamed body down; a window's worth may still come. */
void http_exchange_set_paused(struct http_exchange *ex, bool paused);

/* --- the answer ------------------------------------------------------------------------------- */

/* The peer went away, was too slow (ERR_TOO_MANY: queue_max passed), or the server stops, before
 * the answer had ended. ex may still be read inside the callback. Every handler that keeps ex
 * beyond on_request sets one. */
typedef void (*http_gone_cb)(struct http_exchange *ex, const struct err *why, void *arg);
/* The queue has fallen under a quarter of queue_max after http_exchange_write(). */
typedef void (*http_drain_cb)(struct http_exchange *ex, void *arg);
void http_exchange_on_gone(struct http_exchange *ex, http_gone_cb cb, void *arg);
void http_exchange_on_drain(struct http_exchange *ex, http_drain_cb cb, void *arg);

/* A field of the answer, before it begins. Content-length, date, connection, transfer-encoding are
 * the server's. False: as http_fields_add. */
bool http_exchange_add_field(struct http_exchange *ex, const char *name, const char *value);

/* Whole answer: status, content type (NULL: none) and a copy of body; the exchange is over. */
void http_exchange_reply(struct http_exchange *ex, int status, const char *content_type,
                         struct str body);
/* Answers with err's HTTP status, by the server's http_error_cb; the exchange is over. */
void http_exchange_reply_err(struct http_exchange *ex, const struct err *err);

/* Streamed answer: begin, write any number of times, end. A HEAD request gets no body. */
void http_exchange_begin(struct http_exchange *ex, int status, const char *content_type);
/* Queues a copy and sends what fits. False: the queue would pass queue_max; nothing was taken, the
 * exchange stands, and the handler decides (usually http_exchange_reset). */
MUST_CHECK
bool http_exchange_write(struct http_exchange *ex, struct str data);
size_t http_exchange_queued(const struct http_exchange *ex);
/* trailers may be NULL. With empty output and trailers in HTTP/2 they go as the last frame. */
void http_exchange_end(struct http_exchange *ex, const struct http_fields *trailers);
/* Breaks the answer off (h1: closes the connection; h2: RST_STREAM). No on_gone. */
void http_exchange_reset(struct http_exchange *ex);

/* The handler's own pointer. */
void http_exchange_set_data(struct http_exchange *ex, void *data);
void *http_exchange_data(const struct http_exchange *ex);

/* The standard reason phrase, "" for an unknown status. */
const char *http_status_text(int status);
