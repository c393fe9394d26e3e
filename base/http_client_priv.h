/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client_priv - what the files of the HTTP client share. Private to base.
 *
 * http_client_io.c owns curl's multi handle, sockets and timer; http_call_open_io.c sets a call up;
 * http_call.c takes what comes in and ends it.
 */
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "base/http_client.h"
#include "base/list.h"

enum {
	HTTP_CALL_ERROR_BODY_MAX = 1 << 20 /* of a streamed call whose status is not 2xx */
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct list calls;   /* http_call.link */
	struct list sockets; /* socket_watch.link */
	struct loop_timer timer;
	struct loop_timer start; /* calls that wait to be handed to curl */
	struct buf roots_pem;
	struct buf cert_pem;
	struct buf key_pem;
	char *bearer_token;
	char *server_name;
	char *proxy_url;
	bool insecure;
	int (*dial)(void *arg);
	void *dial_arg;
	size_t n_running; /* calls that curl has */
	int depth;        /* inside curl */
	bool destroyed;
};

struct socket_watch {
	struct http_client *client;
	struct list link;
	struct loop_io io;
};

enum call_state {
	CALL_NEW, /* not yet given to curl */
	CALL_RUNNING,
	CALL_FAILED,   /* by us, err is set */
	CALL_FINISHED, /* by curl */
	CALL_CANCELLED,
};

struct http_call {
	struct http_client *client;
	struct list link;
	enum call_state state;
	bool given; /* to curl */
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct http_call_config config;
	struct buf request_body;
	struct http_response response;
	struct buf body;
	struct loop_timer idle;
	struct err err;
	bool failed; /* err is ours, not curl's */
	bool head_told;
	int64_t took_ms;
	CURLcode result;
	char error_text[CURL_ERROR_SIZE];
	int stand_in_fd; /* config.dial: what curl connects, and ... */
	int dialled_fd;  /* ... what takes its place, -1: none */
};

/* --- http_call.c ------------------------------------------------------------------------------ */

/* Failed, finished or cancelled: waits to be reaped. */
bool http_call_is_over(const struct http_call *call);
/* Takes the call from curl and frees it at the end of the turn. Outside curl only. */
void http_call_release(struct http_call *call);
/* Releases, and tells the owner unless it has cancelled. */
void http_call_finish(struct http_call *call);

/* curl's callbacks for the head and the body; the idle timer's. */
size_t http_call_on_header(char *data, size_t size, size_t n, void *call);
size_t http_call_on_body(char *data, size_t size, size_t n, void *call);
void http_call_on_idle(void *call);

/* --- http_client_io.c ------------------------------------------------------------------------- */

/* Curl has one call more (1) or less (-1). */
void http_client_count(struct http_client *client, int change);
/* Ends what is to end, now that we are outside curl. Handlers may start, cancel, destroy. */
void http_client_settle(struct http_client *client);
