/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox - which system calls a gateway that runs still needs, and a filter (seccomp) for them.
 * Pure but for the number of the own process.
 *
 * Written here: what libseccomp would add is a compiler for rules over all architectures, and this
 * is one list, read from top to bottom.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SANDBOX_FILTER_MAX = 1024 /* instructions */
};

/* Returns the number of instructions; 0: not for this processor. */
size_t sandbox_filter(uint32_t pid, struct sock_filter ret_filter[SANDBOX_FILTER_MAX]);
