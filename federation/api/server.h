/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - HTTP exchanges in front of the core: bodies in, replies out when they are on disk,
 * watches as streams.
 */
#pragma once

#include "core.h"

#include "base/err.h"
#include "base/tls.h"

struct api_server;
struct loop;

struct api_server_options {
	struct loop *loop;
	struct api_core *core;
	int fd;              /* listening; taken over */
	struct tls_ctx *tls; /* a reference is taken */
};

struct api_server *api_server_create(const struct api_server_options *options);
void api_server_destroy(struct api_server *server);

/* New connections use it; a reference is taken. */
void api_server_set_tls(struct api_server *server, struct tls_ctx *tls);
/* Replies that waited for the disk, then watchers. */
void api_server_on_durable(struct api_server *server, uint64_t rev);
/* The disk refuses: what waits for it is told so. */
void api_server_on_failing(struct api_server *server);
/* The core was changed by someone else: chores may be due. */
void api_server_kick(struct api_server *server);
