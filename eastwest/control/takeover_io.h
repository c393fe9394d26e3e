/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takeover_io - an upgrade on one host without losing a connection.
 *
 *   successor                        predecessor
 *   connect ─▶ dataDir/takeover.sock
 *           ◀─ every listening socket ─
 *   serves from them, then says so ─▶ stops accepting, drains, ends
 *
 * What waits at an address that the successor does not want is accepted by the predecessor before
 * it lets go of it. A successor that ends before it serves changes nothing. Both must run as the
 * same user. Control loop only.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "control/takeover.h"

/* Asks for the sockets of a gateway that runs on the same dataDir; waits at most 2 s. True with
 * ret_taken->peer < 0: there is none. False: there is one, and it cannot be taken over from. */
MUST_CHECK
bool ew_takeover_ask(const char *data_dir, struct ew_taken *ret_taken, struct err *err);
/* We serve: the predecessor may go. */
void ew_takeover_done(struct ew_taken *taken);

struct ew_takeover;

struct ew_takeover_options {
	struct loop *loop;
	const char *data_dir;
	/* Fills in what there is to hand over: the descriptors stay with the owner. Freed by the
	 * caller. */
	struct ew_taken (*list)(void *arg);
	void (*on_taken)(const struct ew_left *left, void *arg); /* a successor serves */
	void *arg;
};

/* Waits for a successor. NULL: err says why; the gateway works, but cannot be taken over from. */
struct ew_takeover *ew_takeover_create(const struct ew_takeover_options *options, struct err *err);
void ew_takeover_destroy(struct ew_takeover *takeover);
