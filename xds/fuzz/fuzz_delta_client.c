/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses of a server: each is 2 bytes of length, then so many bytes. Whatever they are, the
 * number of changes told must explain the number of resources held.
 */
#include <stdint.h>
#include <stdlib.h>

#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/delta_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(const struct xds_resource *resource, void *arg, struct err *err)
{
	struct xds_cluster cluster;
	struct xds_assignment assignment;
	(void)arg;
	if (resource->type == XDS_CLUSTER) {
		if (!xds_cluster_decode(resource->bytes, &cluster, err))
			return false;
		xds_cluster_fini(&cluster);
	}
	if (resource->type == XDS_ASSIGNMENT) {
		if (!xds_assignment_decode(resource->bytes, &assignment, err))
			return false;
		xds_assignment_fini(&assignment);
	}
	return true;
}

static void send_all(struct xds_delta_client *client)
{
	for (;;) {
		struct buf out CLEANUP(buf_fini) = {0};
		buf_init(&out, 16 << 20);
		if (!xds_delta_client_next(client, &out))
			return;
		if (buf_failed(&out) || out.len == 0)
			abort();
	}
}

static size_t held(const struct xds_delta_client *client)
{
	size_t n = 0;
	for (size_t type = 0; type < N_XDS_TYPES; type++)
		n += xds_delta_client_len(client, (enum xds_type)type);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xds_node node = {.role = XDS_ROLE_GATEWAY};
	struct xds_delta_client *client = xds_delta_client_create(&node, check, NULL);
	xds_delta_client_start(client, true);
	send_all(client);
	while (size >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];
		len = len < size - 2 ? len : size - 2;
		enum xds_client_event event = XDS_CLIENT_NONE;
		struct err err;
		size_t before = held(client);
		size_t n = 0;
		if (!xds_delta_client_feed(client, str_make((const char *)data + 2, len), &event,
		                           &err) ||
		    event == XDS_CLIENT_RESYNC)
			xds_delta_client_start(client, event != XDS_CLIENT_RESYNC);
		xds_delta_client_changes(client, &n);
		size_t after = held(client);
		if (event == XDS_CLIENT_APPLIED &&
		    (after > before ? after - before : before - after) > n)
			abort();
		send_all(client);
		data += 2 + len;
		size -= 2 + len;
	}
	xds_delta_client_destroy(client);
	return 0;
}
