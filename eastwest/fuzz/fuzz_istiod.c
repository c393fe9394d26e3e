/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any responses (length in 2 bytes, big endian, then the bytes): after each that is taken there is
 * one answer, and what is routed makes a table and survives its disk copy.
 */
#include <assert.h>
#include <stdint.h>

#include "eastwest/mesh.h"
#include "uplink/istiod.h"
#include "uplink/mesh_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct ew_istiod *istiod)
{
	for (;;) {
		struct buf request CLEANUP(buf_fini) = {0};
		buf_init(&request, EW_ISTIOD_REQUEST_MAX);
		if (!ew_istiod_next(istiod, &request))
			return;
		assert(request.len > 0 && !buf_failed(&request));
	}
}

static void check_table(struct ew_burst *burst)
{
	struct err err;
	size_t left_out;
	struct addr none = {.port = 0};
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_mesh *mesh = ew_mesh_create(registry, &none);
	ew_mesh_take(mesh, burst);
	struct ew_mesh_parts parts = {.burst = burst};
	ew_table_unref(ew_mesh_table(mesh, &parts, &left_out, &err));
	ew_burst_destroy(burst);
	ew_mesh_destroy(mesh);
	ew_health_registry_destroy(registry);
}

static void check_copy(const struct ew_istiod *istiod)
{
	static char id[] = "gw";
	const struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY};
	struct ew_istiod_stats stats;
	struct buf text;
	struct err err;
	struct xds_delta_client *from = xds_delta_client_create(&node, ew_burst_check, NULL);
	struct xds_delta_client *to = xds_delta_client_create(&node, ew_burst_check, NULL);
	buf_init(&text, EW_MESH_COPY_MAX);
	ew_istiod_stats(istiod, &stats);
	ew_istiod_copy(istiod, from);
	assert(xds_delta_client_len(from, XDS_CLUSTER) == stats.routes);
	ew_mesh_copy_format(from, &text);
	assert(ew_mesh_copy_parse(buf_str(&text), "c", to, &err));
	buf_fini(&text);
	xds_delta_client_destroy(from);
	xds_delta_client_destroy(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct ew_istiod *istiod = ew_istiod_create(STR_LIT("node"), "c", 15443);
	ew_istiod_start(istiod);
	drain(istiod);
	while (size >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];
		len = len < size - 2 ? len : size - 2;
		if (ew_istiod_feed(istiod, str_make((const char *)data + 2, len), &err)) {
			struct ew_burst *burst = ew_istiod_take_burst(istiod);
			if (burst != NULL)
				check_table(burst);
		}
		drain(istiod);
		data += 2 + len;
		size -= 2 + len;
	}
	if (ew_istiod_is_complete(istiod))
		check_copy(istiod);
	ew_istiod_destroy(istiod);
	return 0;
}
