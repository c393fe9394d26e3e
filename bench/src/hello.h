/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * hello - a ClientHello as a sidecar of the mesh sends it, built by hand, with the load's command
 * to the upstream in its session id: so no TLS arithmetic hides what a proxy costs, no round trip
 * is added, and every proxy sees an ordinary hello.
 * Source: RFC 8446 4.1.2, RFC 6066 3, RFC 7301 3.1.
 */

#define HELLO_MAX     512
#define HELLO_COMMAND 32
/* Record header, handshake header, version, random, length of the session id, session id. */
#define HELLO_HEAD (5 + 4 + 2 + 32 + 1 + HELLO_COMMAND)
#define HELLO_NAME "outbound_.5000_._.helloworld.sample.svc.cluster.local"
/* Behind the first flight the client may send a second one of this size... */
#define HELLO_FLIGHT2 1500
/* ...which is answered by so much. */
#define HELLO_REPLY2 1000

/* What the upstream shall do once the hello is whole. */
struct command {
	uint64_t take;  /* bytes to take behind the hello before anything is sent */
	uint64_t reply; /* bytes to send */
	bool again;     /* then take HELLO_FLIGHT2 bytes and send HELLO_REPLY2 */
};

/* Writes the hello for sni (<= 253 bytes); returns its length. */
size_t hello_build(uint8_t out[HELLO_MAX], const char *sni, struct command command);

/* Reads the command from the first HELLO_HEAD bytes; false if they are not one of our hellos.
 * ret_length is the length of the whole record. */
bool hello_read(const uint8_t head[HELLO_HEAD], struct command *ret_command, size_t *ret_length);
