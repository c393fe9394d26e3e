/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/message.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

/* What one unpack may still allocate. protobuf-c gives up cleanly when its allocator returns NULL.
 */
struct budget {
	size_t left;
	bool exhausted;
};

static void *budget_alloc(void *data, size_t size)
{
	struct budget *budget = data;
	if (size > budget->left) {
		budget->exhausted = true;
		return NULL;
	}
	budget->left -= size;
	return xmalloc(size);
}

static void budget_free(void *data, void *ptr)
{
	(void)data;
	free(ptr);
}

ProtobufCMessage *xds_message_unpack(const ProtobufCMessageDescriptor *type, struct str bytes,
                                     struct err *err)
{
	if (bytes.len > XDS_MESSAGE_MAX) {
		err_set(err, ERR_TOO_LARGE, "%s of %zu bytes, at most %d are taken",
		        type->short_name, bytes.len, XDS_MESSAGE_MAX);
		return NULL;
	}
	struct budget budget = {.left = XDS_UNPACK_BASE + bytes.len * XDS_UNPACK_FACTOR};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
	const uint8_t *data = bytes.len > 0 ? (const uint8_t *)bytes.ptr : (const uint8_t *)"";
	ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, data);
	if (message == NULL && budget.exhausted)
		err_set(err, ERR_TOO_LARGE, "%s of %zu bytes would take too much memory to decode",
		        type->short_name, bytes.len);
	else if (message == NULL)
		err_set(err, ERR_BAD_REQUEST, "malformed %s of %zu bytes", type->short_name,
		        bytes.len);
	return message;
}

void xds_message_free(ProtobufCMessage *message)
{
	/* the default allocator frees with free(), as ours does */
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}

void xds_message_pack(const ProtobufCMessage *message, struct buf *out)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	char *room = buf_reserve(out, size);
	if (room == NULL)
		return;
	protobuf_c_message_pack(message, (uint8_t *)room);
	buf_commit(out, size);
}
