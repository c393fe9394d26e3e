/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pb.h"

#include <assert.h>
#include <string.h>

enum {
	FIELD_MAX = (1 << 29) - 1,
	VARINT_MAX = 10
};

/* --- reading ---------------------------------------------------------------------------------- */

void pb_reader_init(struct pb_reader *r, struct str message)
{
	r->next = (const uint8_t *)message.ptr;
	r->end = message.len > 0 ? r->next + message.len : r->next;
	r->bad = message.len > PB_MESSAGE_MAX ? "message too large" : NULL;
}

static bool bad(struct pb_reader *r, const char *why)
{
	r->bad = why;
	return false;
}

static bool take_varint(struct pb_reader *r, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (int i = 0; i < VARINT_MAX; i++) {
		uint8_t byte;

		if (r->next == r->end)
			return bad(r, "truncated varint");
		byte = *r->next++;
		/* Of the tenth byte one bit is left. */
		if (i == VARINT_MAX - 1 && byte > 1)
			return bad(r, "varint over 64 bits");
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*ret_value = value;
			return true;
		}
	}
	return bad(r, "varint over 10 bytes");
}

static bool take_fixed(struct pb_reader *r, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->next) < len)
		return bad(r, "truncated number");
	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)r->next[i] << (8 * i);
	r->next += len;
	*ret_value = value;
	return true;
}

static bool take_bytes(struct pb_reader *r, struct str *ret_bytes)
{
	uint64_t len;

	if (!take_varint(r, &len))
		return false;
	if (len > (size_t)(r->end - r->next))
		return bad(r, "length beyond the message");
	*ret_bytes = str_make((const char *)r->next, (size_t)len);
	r->next += len;
	return true;
}

bool pb_next(struct pb_reader *r, struct pb_field *ret_field)
{
	struct pb_field field = {.number = 0};
	uint64_t key;

	if (r->bad != NULL || r->next == r->end || !take_varint(r, &key))
		return false;
	if (key >> 3 == 0 || key >> 3 > FIELD_MAX)
		return bad(r, "field number out of range");
	field.number = (uint32_t)(key >> 3);
	switch (key & 7) {
	case PB_VARINT:
		field.wire = PB_VARINT;
		if (!take_varint(r, &field.value))
			return false;
		break;
	case PB_FIXED64:
		field.wire = PB_FIXED64;
		if (!take_fixed(r, 8, &field.value))
			return false;
		break;
	case PB_BYTES:
		field.wire = PB_BYTES;
		if (!take_bytes(r, &field.bytes))
			return false;
		break;
	case PB_FIXED32:
		field.wire = PB_FIXED32;
		if (!take_fixed(r, 4, &field.value))
			return false;
		break;
	default:
		return bad(r, "group or unknown wire type");
	}
	*ret_field = field;
	return true;
}

bool pb_reader_check(const struct pb_reader *r, struct err *err)
{
	if (r->bad != NULL)
		return err_set(err, ERR_BAD_REQUEST, "malformed protobuf: %s", r->bad);
	if (r->next != r->end)
		return err_set(err, ERR_BAD_REQUEST, "protobuf message not read to its end");
	return true;
}

double pb_double(const struct pb_field *field)
{
	double value;

	memcpy(&value, &field->value, sizeof(value));
	return value;
}

struct str pb_find(struct str message, uint32_t number)
{
	struct str found = STR_NULL;
	struct pb_reader reader;
	struct pb_field field;

	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		if (field.number == number && field.wire == PB_BYTES)
			found = field.bytes;
	}
	return reader.bad != NULL ? STR_NULL : found;
}

uint64_t pb_find_value(struct str message, uint32_t number, uint64_t dflt)
{
	uint64_t found = dflt;
	struct pb_reader reader;
	struct pb_field field;

	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		if (field.number == number && field.wire != PB_BYTES)
			found = field.value;
	}
	return reader.bad != NULL ? dflt : found;
}

bool pb_check(struct str message, const char *what, struct err *err)
{
	struct pb_reader reader;
	struct pb_field field;

	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field))
		continue;
	return reader.bad == NULL || err_set(err, ERR_BAD_REQUEST, "%s is malformed", what);
}

/* --- writing ---------------------------------------------------------------------------------- */

static size_t format_varint(uint8_t bytes[VARINT_MAX], uint64_t value)
{
	size_t n = 0;

	while (value >= 0x80) {
		bytes[n++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (uint8_t)value;
	return n;
}

static void put_raw_varint(struct buf *buf, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];

	buf_add(buf, bytes, format_varint(bytes, value));
}

static void put_key(struct buf *buf, uint32_t number, enum pb_wire wire)
{
	assert(number > 0 && number <= FIELD_MAX);
	put_raw_varint(buf, (uint64_t)number << 3 | wire);
}

void pb_put_varint(struct buf *buf, uint32_t number, uint64_t value)
{
	put_key(buf, number, PB_VARINT);
	put_raw_varint(buf, value);
}

void pb_put_bool(struct buf *buf, uint32_t number, bool value)
{
	pb_put_varint(buf, number, value);
}

void pb_put_fixed64(struct buf *buf, uint32_t number, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	put_key(buf, number, PB_FIXED64);
	buf_add(buf, bytes, sizeof(bytes));
}

void pb_put_double(struct buf *buf, uint32_t number, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	pb_put_fixed64(buf, number, bits);
}

void pb_put_bytes(struct buf *buf, uint32_t number, struct str bytes)
{
	put_key(buf, number, PB_BYTES);
	put_raw_varint(buf, bytes.len);
	buf_add_str(buf, bytes);
}

void pb_put_text(struct buf *buf, uint32_t number, const char *text)
{
	pb_put_bytes(buf, number, str_from(text));
}

size_t pb_begin(struct buf *buf, uint32_t number)
{
	put_key(buf, number, PB_BYTES);
	return buf->len;
}

/* The length is only known now, so the content moves to make room for it. */
void pb_end(struct buf *buf, size_t begun)
{
	uint8_t bytes[VARINT_MAX];
	size_t len, n;

	if (buf_failed(buf))
		return;
	len = buf->len - begun;
	n = format_varint(bytes, len);
	if (buf_reserve(buf, n) == NULL)
		return;
	memmove(buf->ptr + begun + n, buf->ptr + begun, len);
	memcpy(buf->ptr + begun, bytes, n);
	buf_commit(buf, n);
}
