/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client - HTTP requests to one far end with its own connections, certificates and limits, so
 * that a dead end costs no other end anything. HTTP/1.1 with kept connections, one for each request
 * under way; nothing is followed, nothing is taken from the environment. libcurl multi in our loop.
 *
 * Loop thread only. Every request ends with exactly one on_done, in a later turn than
 * http_client_send(), unless it was cancelled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http_fields.h"
#include "base/loop.h"
#include "base/str.h"

struct http_client;
struct http_call;

enum {
	HTTP_CLIENT_BODY_MAX = 64 << 20, /* defaults for zeros */
	HTTP_CLIENT_TIMEOUT_MS = 30000,
	HTTP_CLIENT_CONNECT_MS = 10000,
	HTTP_CLIENT_IDLE_MS = 150000, /* streams: silence that means a dead path */
	HTTP_CLIENT_CONNECTIONS_MAX = 256
};

struct http_client_config {
	struct loop *loop;    /* borrowed */
	struct str roots_pem; /* CAs of the server; empty: the system's */
	struct str cert_pem;  /* client certificate and key; empty: none */
	struct str key_pem;
	const char *bearer_token; /* NULL: none; see http_client_set_token() */
	const char *server_name;  /* SNI and expected name when it differs from the URL's host */
	const char *proxy_url;    /* NULL: no proxy, whatever the environment says */
	bool insecure;            /* the server's certificate is not verified */
	size_t connections_max;
	/* A connected socket instead of dialling: one end of a socketpair whose other end an
	 * http_server has adopted; called whenever another connection is needed. NULL: dial.
	 * Returns -1: cannot. The client closes it. The URL is http:// with any host. */
	int (*dial)(void *arg);
	void *dial_arg;
};

/* Everything is copied. ERR_INVALID: PEM that holds nothing, or a certificate without its key. */
MUST_CHECK
struct http_client *http_client_create(const struct http_client_config *config, struct err *err);
/* Open calls are cancelled. NULL is harmless. */
void http_client_destroy(struct http_client *client);
/* For later requests (token files are refreshed), without white space at its ends. NULL, or one
 * that no header could carry: none. */
void http_client_set_token(struct http_client *client, const char *bearer_token);

struct http_response {
	int status;
	struct http_fields fields; /* at most HTTP_FIELDS_BYTES_MAX */
	struct str body;           /* empty for a streamed answer with status 2xx */
};

struct http_call_config {
	const char *method;
	const char *url;                  /* http:// or https:// */
	const struct http_fields *fields; /* may be NULL; copied */
	struct str body;                  /* copied; sent when not empty, or for POST, PUT, PATCH */
	int64_t timeout_ms;               /* whole requests; default HTTP_CLIENT_TIMEOUT_MS */
	int64_t idle_ms;                  /* streamed ones; default HTTP_CLIENT_IDLE_MS */
	size_t body_max;
	/* Streamed when set: pieces of a 2xx body as they come, borrowed for the call. Other
	 * statuses are collected (at most 1 MiB) and come whole with on_done. */
	void (*on_data)(struct http_call *call, struct str data, void *arg);
	/* The status and fields of a streamed answer, before its first piece. May be NULL. */
	void (*on_head)(struct http_call *call, const struct http_response *response, void *arg);
	/* response: NULL when there was none, or it broke off; then err says why: ERR_TIMEOUT,
	 * ERR_IO (refused, reset, name not found), ERR_FORBIDDEN (their certificate is not
	 * accepted), ERR_TOO_LARGE, ERR_PROTOCOL. Borrowed for the call. Any HTTP status is a
	 * response. */
	void (*on_done)(struct http_call *call, const struct http_response *response,
	                const struct err *err, void *arg);
	void *arg;
};

/* Never NULL. The call is freed after on_done or by http_call_cancel(). */
struct http_call *http_client_send(struct http_client *client,
                                   const struct http_call_config *config);
/* No callback follows. Allowed inside on_data and on_head. NULL is harmless. */
void http_call_cancel(struct http_call *call);
/* Milliseconds to the first byte, and whole, of a finished call. For inside on_done. */
int64_t http_call_took_ms(const struct http_call *call);
