/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes as a Struct encodes again, and the second time to the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "base/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct str message)
{
	struct pb_reader reader;
	struct pb_field field;
	struct err err;

	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		if (field.wire == PB_BYTES && field.bytes.len > message.len)
			abort();
	}
	IGNORE(pb_reader_check(&reader, &err)); /* either will do */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = {(const char *)data, size};
	struct buf first, second;
	struct err err;
	json_t *object, *again;

	read_all(message);
	object = pb_struct_decode(message, &err);
	if (object == NULL)
		return 0;
	buf_init(&first, PB_STRUCT_BYTES_MAX);
	buf_init(&second, PB_STRUCT_BYTES_MAX);
	if (pb_struct_encode(object, &first, &err)) {
		again = pb_struct_decode(buf_str(&first), &err);
		if (again == NULL || !json_equal(object, again) ||
		    !pb_struct_encode(again, &second, &err) ||
		    !str_eq(buf_str(&first), buf_str(&second)))
			abort();
		json_decref(again);
	}
	buf_fini(&first);
	buf_fini(&second);
	json_decref(object);
	return 0;
}
