/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb - the protobuf wire format, read field by field without recursion, and written into a buf.
 * Also google.protobuf.Struct to and from JSON, with its own limits (protobuf-c would recurse as
 * deep as the peer likes).
 *
 * Pure; any thread.
 * Source: Protocol Buffers "Encoding"; struct.proto.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/str.h"

enum {
	PB_STRUCT_DEPTH_MAX = 16,     /* objects and lists inside each other */
	PB_STRUCT_VALUES_MAX = 10000, /* values in one Struct */
	PB_STRUCT_BYTES_MAX = 1 << 20,
	PB_MESSAGE_MAX = 64 << 20
};

enum pb_wire {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_BYTES = 2,
	PB_FIXED32 = 5,
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire;
	uint64_t value;   /* PB_VARINT, PB_FIXED64, PB_FIXED32 (little endian taken apart) */
	struct str bytes; /* PB_BYTES: borrowed from the message */
};

struct pb_reader {
	const uint8_t *next;
	const uint8_t *end;
	const char *bad; /* why reading stopped early; NULL: it did not */
};

void pb_reader_init(struct pb_reader *reader, struct str message);
/* The next field. False at the end and when the message is malformed (truncated, varint over 10
 * bytes, number 0 or over 2^29-1, groups, over PB_MESSAGE_MAX): pb_reader_check() tells which. */
bool pb_next(struct pb_reader *reader, struct pb_field *ret_field);
/* True: the whole message was read. Else ERR_BAD_REQUEST. */
MUST_CHECK
bool pb_reader_check(const struct pb_reader *reader, struct err *err);
double pb_double(const struct pb_field *field);

/* For messages of which a few fields are read where they lie: what nests below a field that is not
 * named is passed over as bytes. The last field of the number that is PB_BYTES, as protobuf takes
 * it (borrowed; {NULL, 0}: none, or the message is malformed). */
struct str pb_find(struct str message, uint32_t number);
/* The last that is a number; dflt: none, or the message is malformed. */
uint64_t pb_find_value(struct str message, uint32_t number, uint64_t dflt);
/* Is the message well-formed at this level? Else ERR_BAD_REQUEST, which names it by what. */
MUST_CHECK
bool pb_check(struct str message, const char *what, struct err *err);

/* Writers append; a buf that is full fails sticky (buf_failed). Zero values are written too. */
void pb_put_varint(struct buf *buf, uint32_t number, uint64_t value);
void pb_put_bool(struct buf *buf, uint32_t number, bool value);
void pb_put_fixed64(struct buf *buf, uint32_t number, uint64_t value);
void pb_put_double(struct buf *buf, uint32_t number, double value);
void pb_put_bytes(struct buf *buf, uint32_t number, struct str bytes);
void pb_put_text(struct buf *buf, uint32_t number, const char *text);
/* A message inside: fields put between begin and end belong to it. Nests. */
size_t pb_begin(struct buf *buf, uint32_t number);
void pb_end(struct buf *buf, size_t begun);

/* A google.protobuf.Struct as a JSON object: numbers that are whole and below 2^53 become integers.
 * Owned. ERR_BAD_REQUEST: malformed, bad UTF-8, a key twice; ERR_TOO_LARGE: a limit above. */
MUST_CHECK
json_t *pb_struct_decode(struct str message, struct err *err);
/* The fields of a Struct appended to out, keys sorted (the same object gives the same bytes).
 * ERR_INVALID: not an object; ERR_TOO_LARGE. */
MUST_CHECK
bool pb_struct_encode(const json_t *object, struct buf *out, struct err *err);
