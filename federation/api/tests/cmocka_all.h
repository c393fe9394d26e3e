/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmocka.h with the headers that it needs before it, in an order that no formatter changes.
 */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
