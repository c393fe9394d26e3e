/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - protobuf-c messages to and from bytes, with a ceiling on the memory that decoding may
 * take: a message of a few megabytes can ask for gigabytes of empty sub-messages.
 *
 * Pure; any thread. The generated structs are in "xds/proto/NAME.pb-c.h". Recursive fields (Struct)
 * are bytes there and never decoded by protobuf-c.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	XDS_MESSAGE_MAX = 16 << 20, /* bytes of one message */
	XDS_UNPACK_FACTOR = 32,     /* memory for decoding: this many times the bytes ... */
	XDS_UNPACK_BASE = 64 << 10  /* ... plus this */
};

/* Owned by the caller, freed with xds_message_free(). NULL: ERR_BAD_REQUEST (malformed),
 * ERR_TOO_LARGE (over XDS_MESSAGE_MAX, or over the memory ceiling). */
MUST_CHECK
ProtobufCMessage *xds_message_unpack(const ProtobufCMessageDescriptor *type, struct str bytes,
                                     struct err *err);
/* NULL is harmless. */
void xds_message_free(ProtobufCMessage *message);

/* Appends; a full buf fails sticky. message: &x.base of an initialised struct. */
void xds_message_pack(const ProtobufCMessage *message, struct buf *out);
