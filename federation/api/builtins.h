/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builtins - the table of built-in kinds (builtins.yaml, embedded).
 */
#pragma once

#include "kinds.h"

/* Defines every built-in kind; ret_object_meta gets the schema of metadata, owned by the caller. */
MUST_CHECK
bool api_builtins_load(struct api_kinds *kinds, struct schema **ret_object_meta, struct err *err);
