/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pbc - small helps for protobuf-c structs. They have no const: what is packed is only read.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/str.h"
#include "xds/proto/google.pb-c.h"

static inline ProtobufCBinaryData pbc_bytes(struct str s)
{
	return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.ptr};
}

static inline struct str pbc_str(ProtobufCBinaryData bytes)
{
	return str_make((const char *)bytes.data, bytes.len);
}

/* NULL for an absent or empty text. */
static inline char *pbc_dup(const char *text)
{
	return text != NULL && text[0] != '\0' ? xstrdup(text) : NULL;
}

static inline Google__UInt32Value pbc_u32(uint32_t value)
{
	Google__UInt32Value msg = GOOGLE__UINT32_VALUE__INIT;
	msg.has_value = true;
	msg.value = value;
	return msg;
}

static inline Google__Duration pbc_duration(uint32_t ms)
{
	Google__Duration msg = GOOGLE__DURATION__INIT;
	msg.has_seconds = ms >= 1000;
	msg.seconds = ms / 1000;
	msg.has_nanos = ms % 1000 != 0;
	msg.nanos = (int32_t)(ms % 1000) * 1000000;
	return msg;
}

/* Milliseconds, 0 for none or a negative one, at most UINT32_MAX. */
static inline uint32_t pbc_ms(const Google__Duration *duration)
{
	if (duration == NULL || duration->seconds < 0 || duration->nanos < 0)
		return 0;
	if (duration->seconds > UINT32_MAX / 1000 - 1)
		return UINT32_MAX;
	return (uint32_t)duration->seconds * 1000 + (uint32_t)duration->nanos / 1000000;
}
