/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - the parts of fedway-probe put together: certificate, uplink, worker, answering side.
 */
#pragma once

#include "config.h"

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

struct probe_daemon;

/* config is borrowed for the call. ERR_IO: the listener or the data directory; ERR_INVALID. */
MUST_CHECK
struct probe_daemon *probe_daemon_create(struct loop *loop, const struct probe_config *config,
                                         struct err *err);
void probe_daemon_destroy(struct probe_daemon *daemon);
struct addr probe_daemon_addr(const struct probe_daemon *daemon);
