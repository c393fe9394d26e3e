/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_io - what a gateway gives up, for ever and for all its threads.
 *
 * A system call outside the list fails with EPERM, and the kernel logs it (`journalctl -k`, type
 * 1326, with its number): whoever got into the process gets no further, and a call that a library
 * makes for the first time after an update costs that call and not every open connection.
 */
#pragma once

#include "base/err.h"

/* Before anything else: no program that is run from here gets more rights (no_new_privs), and what
 * OpenSSL knows of private keys lies in pages that are in no core dump; what it frees is wiped.
 * Core dumps and debuggers stay possible, as they would not with PR_SET_DUMPABLE. */
void sandbox_begin(void);
/* Once everything is set up: the filter. ERR_UNAVAILABLE, ERR_IO. */
MUST_CHECK
bool sandbox_enter(struct err *err);
