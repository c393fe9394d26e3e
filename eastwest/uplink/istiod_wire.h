/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod_wire - walks the fields of a protobuf message where it lies: no copy, no memory, no
 * recursion. A reader goes down only where it names a field, so what may nest without end (a
 * Struct, the config of a filter) is passed over as bytes, and a listener of any size costs nothing
 * but its names. Pure; any thread.
 * Source: protobuf encoding; field numbers are Envoy's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

struct ew_wire {
	struct str rest;
	bool bad; /* what was read so far is all there is to be had */
};

struct ew_wire_field {
	uint32_t number;
	bool is_bytes;
	struct str bytes; /* is_bytes: a text, bytes or a message; borrowed */
	uint64_t value;   /* else */
};

static inline struct ew_wire ew_wire_open(struct str bytes)
{
	return (struct ew_wire){bytes, false};
}

/* False at the end, and when the message is malformed (then wire->bad). */
bool ew_wire_next(struct ew_wire *wire, struct ew_wire_field *ret_field);

/* The last bytes field of this number, as protobuf takes it; {NULL, 0}: none, or malformed. */
struct str ew_wire_find(struct str bytes, uint32_t number);
/* The last number field; dflt: none, or malformed. */
uint64_t ew_wire_find_value(struct str bytes, uint32_t number, uint64_t dflt);

/* Is the whole message well-formed at this level? ERR_BAD_REQUEST names it by what. */
MUST_CHECK
bool ew_wire_check(struct str bytes, const char *what, struct err *err);
