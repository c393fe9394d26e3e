/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any file: a copy that is taken makes a table, and one that is not leaves no trace. The checksum
 * is put right first, so that what is behind it is reached.
 */
#include <assert.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>

#include "eastwest/mesh.h"
#include "uplink/mesh_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_head(struct buf *text, const uint8_t *data, size_t size)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256(data, size, digest);
	buf_printf(text, "fedway-gateway-mesh %d ", EW_MESH_COPY_FORMAT);
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(text, "%02x", digest[i]);
	buf_add_char(text, '\n');
}

static void check(const struct xds_delta_client *client)
{
	struct err err;
	size_t left_out;
	struct addr canary = {.port = 1};
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_mesh *mesh = ew_mesh_create(registry, &canary);
	struct ew_burst *burst = ew_burst_create(client, true);
	ew_mesh_take(mesh, burst);
	struct ew_mesh_parts parts = {.burst = burst};
	ew_table_unref(ew_mesh_table(mesh, &parts, &left_out, &err));
	ew_burst_destroy(burst);
	ew_mesh_destroy(mesh);
	ew_health_registry_destroy(registry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct buf text;
	static char id[] = "gw/host";
	const struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY, .name = id};
	struct xds_delta_client *client = xds_delta_client_create(&node, ew_burst_check, NULL);
	buf_init(&text, EW_MESH_COPY_MAX);
	add_head(&text, data, size);
	buf_add(&text, data, size);
	if (ew_mesh_copy_parse(buf_str(&text), "c1", client, &err))
		check(client);
	else
		assert(xds_delta_client_snapshot(client) == NULL);
	buf_fini(&text);
	xds_delta_client_destroy(client);
	return 0;
}
