/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - cmocka with what it needs in front of it.
 */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
