/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - the answering side of a check: TLS on port 15020 that gives back every byte. Only probes
 * of the mesh get in. Loop thread.
 *
 * Limits: PROBE_SERVER_CONNS_MAX connections, the oldest going first; PROBE_SERVER_BYTES_MAX bytes
 * and PROBE_SERVER_LIFE_MS a connection.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

enum {
	PROBE_SERVER_CONNS_MAX = 1024,
	PROBE_SERVER_BYTES_MAX = 1 << 20,
	PROBE_SERVER_LIFE_MS = 60000
};

struct probe_server;

/* Listens; connections are closed until there is a certificate. ERR_IO. */
MUST_CHECK
struct probe_server *probe_server_create(struct loop *loop, const struct addr *addr,
                                         struct err *err);
void probe_server_destroy(struct probe_server *server);
struct addr probe_server_addr(const struct probe_server *server);
/* For connections from now on. ERR_INVALID: the one before stays. */
MUST_CHECK
bool probe_server_set_certificate(struct probe_server *server, struct str chain_pem,
                                  struct str key_pem, struct str roots_pem, struct err *err);
/* Handshakes that ended well, since start. */
size_t probe_server_accepted(const struct probe_server *server);
