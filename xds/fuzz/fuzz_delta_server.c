/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a peer: each is 2 bytes of length, then so many bytes. Between them the set changes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xds/delta_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct xds_set *set, enum xds_type type, const char *name, const char *content)
{
	struct err err;
	struct xds_resource *resource =
		xds_resource_create(type, str_from(name), str_from(content), &err);
	if (resource == NULL)
		abort();
	xds_set_put(set, resource, false);
	xds_resource_unref(resource);
}

static void listen_all(struct xds_delta_server *server)
{
	for (;;) {
		struct buf out CLEANUP(buf_fini) = {0};
		buf_init(&out, 16 << 20);
		if (!xds_delta_server_next(server, &out))
			return;
		if (buf_failed(&out) || out.len == 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xds_delta_server *server = xds_delta_server_create();
	struct xds_set *set = xds_set_create();
	put(set, XDS_CLUSTER, "a", "1");
	put(set, XDS_ASSIGNMENT, "a", "1");
	put(set, XDS_NETWORK, "n", "1");
	bool ok = true;
	for (unsigned turn = 0; ok && size >= 2; turn++) {
		size_t len = (size_t)data[0] << 8 | data[1];
		len = len < size - 2 ? len : size - 2;
		struct xds_request_info info;
		struct err err;
		ok = xds_delta_server_feed(server, str_make((const char *)data + 2, len), &info,
		                           &err);
		if (ok && info.node != NULL)
			xds_delta_server_set_set(server, set);
		listen_all(server);
		put(set, XDS_ASSIGNMENT, "a", turn % 2 == 0 ? "2" : "1");
		xds_set_set_complete(set, turn % 3 != 1);
		listen_all(server);
		data += 2 + len;
		size -= 2 + len;
	}
	xds_delta_server_destroy(server);
	xds_set_unref(set);
	return 0;
}
