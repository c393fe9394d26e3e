/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query - the part of a URL behind the path, percent-encoded. Pure.
 * Source: RFC 3986 2.1, 2.3, 3.4.
 */
#pragma once

#include "base/buf.h"

/* Appends "?key=value" or "&key=value" to a URL; nothing when value is NULL. */
void kube_query_add(struct buf *url, const char *key, const char *value);
void kube_query_add_int(struct buf *url, const char *key, int64_t value);
