/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod_wire.h"

enum {
	VARINT_MAX = 10,
	KIND_VARINT = 0,
	KIND_FIXED64 = 1,
	KIND_BYTES = 2,
	KIND_FIXED32 = 5
};

static bool fail(struct ew_wire *wire)
{
	wire->bad = true;
	wire->rest = STR_NULL;
	return false;
}

static bool cut(struct ew_wire *wire, uint64_t n, struct str *ret_part)
{
	if (n > wire->rest.len)
		return fail(wire);
	*ret_part = str_make(wire->rest.ptr, (size_t)n);
	wire->rest = str_make(wire->rest.ptr + n, wire->rest.len - (size_t)n);
	return true;
}

static bool read_varint(struct ew_wire *wire, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (size_t i = 0; i < VARINT_MAX && i < wire->rest.len; i++) {
		unsigned char byte = (unsigned char)wire->rest.ptr[i];
		if (i == VARINT_MAX - 1 && byte > 1)
			break; /* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if ((byte & 0x80) != 0)
			continue;
		*ret_value = value;
		wire->rest = str_make(wire->rest.ptr + i + 1, wire->rest.len - i - 1);
		return true;
	}
	return fail(wire);
}

static bool read_fixed(struct ew_wire *wire, size_t n, uint64_t *ret_value)
{
	struct str part;
	uint64_t value = 0;
	if (!cut(wire, n, &part))
		return false;
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)(unsigned char)part.ptr[i] << 8 * i;
	*ret_value = value;
	return true;
}

bool ew_wire_next(struct ew_wire *wire, struct ew_wire_field *ret_field)
{
	struct ew_wire_field field = {0};
	uint64_t tag;
	uint64_t len;
	if (wire->rest.len == 0 || !read_varint(wire, &tag))
		return false;
	if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return fail(wire);
	field.number = (uint32_t)(tag >> 3);
	bool ok = false;
	switch (tag & 7) {
	case KIND_VARINT:
		ok = read_varint(wire, &field.value);
		break;
	case KIND_FIXED64:
		ok = read_fixed(wire, 8, &field.value);
		break;
	case KIND_FIXED32:
		ok = read_fixed(wire, 4, &field.value);
		break;
	case KIND_BYTES:
		field.is_bytes = true;
		ok = read_varint(wire, &len) && cut(wire, len, &field.bytes);
		break;
	default: /* groups: gone from protobuf long ago */
		return fail(wire);
	}
	if (ok)
		*ret_field = field;
	return ok;
}

struct str ew_wire_find(struct str bytes, uint32_t number)
{
	struct ew_wire wire = ew_wire_open(bytes);
	struct ew_wire_field field;
	struct str found = STR_NULL;
	while (ew_wire_next(&wire, &field)) {
		if (field.number == number && field.is_bytes)
			found = field.bytes;
	}
	return wire.bad ? STR_NULL : found;
}

uint64_t ew_wire_find_value(struct str bytes, uint32_t number, uint64_t dflt)
{
	struct ew_wire wire = ew_wire_open(bytes);
	struct ew_wire_field field;
	uint64_t found = dflt;
	while (ew_wire_next(&wire, &field)) {
		if (field.number == number && !field.is_bytes)
			found = field.value;
	}
	return wire.bad ? dflt : found;
}

bool ew_wire_check(struct str bytes, const char *what, struct err *err)
{
	struct ew_wire wire = ew_wire_open(bytes);
	struct ew_wire_field field;
	while (ew_wire_next(&wire, &field))
		continue;
	return !wire.bad || err_set(err, ERR_BAD_REQUEST, "%s is malformed", what);
}
