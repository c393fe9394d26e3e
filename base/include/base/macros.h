/* SPDX-License-Identifier: Apache-2.0 */
/*
 * macros - the few language helpers that every file may use.
 */
#pragma once

#include <stddef.h>

/* The result must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Drops a MUST_CHECK result that truly does not matter; say why beside it. */
#define IGNORE(call)                                                                               \
	do {                                                                                       \
		if (call) {                                                                        \
		}                                                                                  \
	} while (0)

/* Runs fn(&variable) when the variable goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define N_ELEMS(array) (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Marks code that no input can reach. Ends the process, with the reason. */
#define UNREACHABLE(why) fed_unreachable(why, __FILE__, __LINE__)

_Noreturn void fed_unreachable(const char *why, const char *file, int line);
