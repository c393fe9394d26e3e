/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ladder_io - runs one check on a socket of its own: name, connect, TLS with the probe's
 * certificate, identity of the answer, echo. Any number at a time. Loop thread.
 *
 * Expiry of the other side's certificate is an alarm in the result, not a failure.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/tls.h"
#include "probe/ladder.h"

struct probe_run;

/* result is borrowed for the call; the run is gone afterwards. */
typedef void (*probe_run_cb)(const struct probe_result *result, void *arg);

/* A client context for checks, made once for a certificate and shared by all of them. ERR_INVALID.
 * One reference, the caller's. */
MUST_CHECK
struct tls_ctx *probe_run_tls(struct str chain_pem, struct str key_pem, struct str roots_pem,
                              struct err *err);

/* Texts of check are copied, tls gets a reference. cb exactly once, in a later turn, at the latest
 * when the check's deadline has passed. */
struct probe_run *probe_run_start(struct loop *loop, const struct probe_check *check,
                                  struct tls_ctx *tls, probe_run_cb cb, void *arg);
/* No callback follows. NULL is harmless. */
void probe_run_cancel(struct probe_run *run);
