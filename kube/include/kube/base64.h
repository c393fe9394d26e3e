/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 - RFC 4648 section 4, as Secrets and kubeconfigs carry it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* Appends the decoded bytes. White space between characters is skipped; padding must be right.
 * False: another character, bad length, or out's maximum passed. */
bool kube_base64_decode(struct str text, struct buf *out);
void kube_base64_encode(struct str data, struct buf *out);
