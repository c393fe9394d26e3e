/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_net - the network of the lab, made by `ip` and `nft` from inside the lab's namespaces.
 */
#pragma once

#include "base/err.h"

MUST_CHECK
bool lab_net_build(struct err *err);
MUST_CHECK
bool lab_net_cut(const char *a, const char *b, struct err *err);
MUST_CHECK
bool lab_net_heal(const char *a, const char *b, struct err *err);
