/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tcp.h"

#include <openssl/ssl.h>

/*
 * http - a kept HTTP/1.1 connection to a Kubernetes API over TLS, with a client certificate. One
 * request at a time, blocking; whoever answers is believed. What fails ends the program: it would
 * be no measurement.
 */

#define HTTP_DEADLINE_S 30

struct http {
	int fd;
	SSL *ssl;
	size_t at, end; /* what is read and not used yet, in `bytes` */
	char bytes[65536];
};

/* A TLS client with this certificate chain and key (PEM files). */
SSL_CTX *http_ctx(const char *cert, const char *key);

/* Free it by http_close. */
struct http *http_open(const struct addr *to, SSL_CTX *ctx);
void http_close(struct http *http);

struct request {
	const char *method, *path;
	const char *type; /* of the body; NULL: application/json */
	const char *body; /* NULL: none */
};

/* Sends it and takes the whole answer; returns the status. ret_size, unless NULL, is the size of
 * the answer's body, which is thrown away. */
int http_ask(struct http *http, const struct request *request, size_t *ret_size);

/* The two halves of http_ask. */
void http_send(struct http *http, const struct request *request);
int http_take(struct http *http, size_t *ret_size);

/* Takes the head of an answer, such as that of a watch, whose body is read as it comes. */
int http_take_head(struct http *http);
/* How often `word` (up to 64 bytes) is in what has come by now, counted once; waits for nothing. */
size_t http_count(struct http *http, const char *word);
