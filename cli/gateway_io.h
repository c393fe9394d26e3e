/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_io - the admin socket of a gateway on this machine, asked and waited for.
 */
#pragma once

#include "common.h"

#define GATEWAY_SOCKETS "/run/fedway" /* gateway NAME has NAME.sock there */

enum {
	GATEWAY_ASK_MS = 10000,
	GATEWAY_PATH_MAX = 108, /* of a socket */
	GATEWAY_LIST_MAX = 256  /* gateways of one machine */
};

struct gateway;

/* Where the gateway's socket is: socket if that is given, else by name, else the only one there
 * is. ERR_INVALID, ERR_NOT_FOUND: the message names the option that helps. */
MUST_CHECK
bool gateway_find(const char *name, const char *socket, char ret_path[GATEWAY_PATH_MAX],
                  struct err *err);
/* Names of all that have a socket, sorted; their number. Owned texts. */
size_t gateway_list(char *ret_names[GATEWAY_LIST_MAX]);

struct gateway *gateway_open(const char *path);
void gateway_close(struct gateway *gateway);
/* Owned; NULL with err: ERR_IO, ERR_TIMEOUT when it does not answer, else what it says. */
json_t *gateway_get(struct gateway *gateway, const char *path, struct err *err);
/* Does nothing for this long. */
void gateway_pause(struct gateway *gateway, int64_t ms);
