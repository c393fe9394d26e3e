/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_inside - going into the lab from outside: for a program, for a piece of work.
 */
#pragma once

#include "lab.h"

#include <stdint.h>
#include <sys/types.h>

/* Runs a program inside a host (NULL: the wan's own namespace), in this process' working folder or
 * in folder, and waits; it inherits what this process has open, so a listener opened before serves
 * the host's network from inside. SIGTERM and SIGHUP are passed on to it. ret_status: its exit
 * status; 128 plus the number of the signal that ended it. */
MUST_CHECK
bool lab_exec(const char *dir, const struct lab_host *host, const char *folder, char *const argv[],
              int *ret_status, struct err *err);

/* Does act in a child that is inside, on the wan; waits. What it prints goes where ours goes. */
MUST_CHECK
bool lab_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                struct err *err);

/* For act: moves this process to a host's network (NULL: back to the wan). */
MUST_CHECK
bool lab_enter_host(const struct lab_host *host, struct err *err);
