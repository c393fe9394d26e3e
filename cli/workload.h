/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload - the two programs of the lab that talk to each other over mesh TLS: `helloworld`
 * answers, `sleep` asks. Both speak TLS 1.3 with ALPN `istio` and their own certificate, and
 * accept exactly one SPIFFE identity on the other side.
 *
 * On a connection each line "hello" is answered by a line with the version of the server, so one
 * connection may carry one call or stay for long.
 *
 * What happened goes to stdout as one JSON object a line, times in milliseconds of the monotonic
 * clock, which all processes of a machine share:
 *
 *   {"call": 12, "start": 81234, "took": 3.2, "answer": "vc2"}
 *   {"call": 13, "start": 81244, "took": 2000.1, "error": "closed by the peer"}
 *   {"held": 3, "at": 81300, "error": "connection reset"}       a held connection was cut
 *   {"summary": {"calls": 300, "failed": 1, "cut": 0, "answers": {"vc1": 299}}}
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/err.h"

enum {
	WORKLOAD_LINE_MAX = 256,
	WORKLOAD_CALL_MS = 5000 /* a call without an answer has failed */
};

struct workload_identity {
	const char *cert_file; /* chain, leaf first */
	const char *key_file;
	const char *roots_file;
	const char *peer; /* SPIFFE ID that the other side must have */
};

struct workload_server {
	struct workload_identity identity;
	const char *listen;  /* ADDR:PORT or fd:N */
	const char *version; /* the answer: "vc1" */
};

struct workload_client {
	struct workload_identity identity;
	struct addr via;   /* where to connect: a gateway's door, or the server itself */
	const char *sni;   /* NULL: none */
	uint64_t calls;    /* 0: until the end of the time */
	uint64_t every_ms; /* between the starts of two calls; 0: the next when one has ended */
	uint64_t time_ms;  /* 0: until all calls are done, or SIGTERM */
	uint64_t hold;     /* connections to keep open besides, with one call each 200 ms */
	FILE *out;
};

/* Until SIGTERM or SIGINT. False: could not start. */
MUST_CHECK
bool workload_serve(const struct workload_server *server, struct err *err);

/* ret_failed: failed calls and cut connections. False: could not start. */
MUST_CHECK
bool workload_ask(const struct workload_client *client, uint64_t *ret_failed, struct err *err);
