/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "xds/message.h"
#include "xds/node.h"
#include "xds/proto/discovery.pb-c.h"
#include "xds/proto/endpoint.pb-c.h"

static void many_empty_messages_do_not_become_gigabytes(void **state)
{
	(void)state;
	/* `endpoints` (field 2) of length 0, over and over: 2 bytes for some 100 */
	size_t len = 4 << 20;
	char *bytes = malloc(len);
	for (size_t i = 0; i < len; i += 2) {
		bytes[i] = 0x12;
		bytes[i + 1] = 0x00;
	}
	struct err err;
	assert_null(xds_message_unpack(&envoy__cluster_load_assignment__descriptor,
	                               str_make(bytes, len), &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	free(bytes);
}

static void unknown_fields_cost_no_more_than_the_ceiling(void **state)
{
	(void)state;
	size_t len = 1 << 20;
	char *bytes = malloc(len);
	for (size_t i = 0; i < len; i += 2) {
		bytes[i] = 0x7a; /* field 15, which nobody knows */
		bytes[i + 1] = 0x00;
	}
	struct err err;
	assert_null(xds_message_unpack(&envoy__delta_discovery_request__descriptor,
	                               str_make(bytes, len), &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	free(bytes);
}

static void refuses_a_message_over_the_maximum(void **state)
{
	(void)state;
	char *bytes = calloc(1, XDS_MESSAGE_MAX + 1);
	struct err err;
	assert_null(xds_message_unpack(&envoy__delta_discovery_request__descriptor,
	                               str_make(bytes, XDS_MESSAGE_MAX + 1), &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	free(bytes);
}

/* A Struct inside a Struct, a thousand deep: field 3 (metadata) of the node. */
static void nested_struct_does_not_eat_the_stack(void **state)
{
	(void)state;
	enum {
		DEPTH = 2000
	};
	char *inner = malloc(16);
	size_t len = 0;
	for (int i = 0; i < DEPTH; i++) {
		/* fields { key: "fedway.io" value { struct_value: inner } } */
		struct buf buf CLEANUP(buf_fini) = {0};
		struct buf value CLEANUP(buf_fini) = {0};
		struct buf field CLEANUP(buf_fini) = {0};
		buf_init(&value, 1 << 20);
		buf_init(&field, 1 << 20);
		buf_init(&buf, 1 << 20);
		char head[] = {0x2a, (char)((len & 0x7f) | 0x80), (char)((len >> 7 & 0x7f) | 0x80),
		               (char)(len >> 14)};
		buf_add(&value, head, sizeof(head));
		buf_add(&value, inner, len);
		buf_add(&field,
		        "\x0a\x09"
		        "fedway.io",
		        11);
		size_t n = value.len;
		char mid[] = {0x12, (char)((n & 0x7f) | 0x80), (char)((n >> 7 & 0x7f) | 0x80),
		              (char)(n >> 14)};
		buf_add(&field, mid, sizeof(mid));
		buf_add_str(&field, buf_str(&value));
		n = field.len;
		char top[] = {0x0a, (char)((n & 0x7f) | 0x80), (char)((n >> 7 & 0x7f) | 0x80),
		              (char)(n >> 14)};
		buf_add(&buf, top, sizeof(top));
		buf_add_str(&buf, buf_str(&field));
		free(inner);
		len = buf.len;
		inner = malloc(len);
		memcpy(inner, buf.ptr, len);
	}
	struct buf node CLEANUP(buf_fini) = {0};
	buf_init(&node, 1 << 20);
	char top[] = {0x1a, (char)((len & 0x7f) | 0x80), (char)((len >> 7 & 0x7f) | 0x80),
	              (char)(len >> 14)};
	buf_add(&node, top, sizeof(top));
	buf_add(&node, inner, len);
	free(inner);
	struct xds_node decoded;
	struct err err;
	/* over the limit of metadata; what is under it is read two levels deep and no further */
	assert_false(xds_node_decode(buf_str(&node), &decoded, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void node_comes_back_as_it_went(void **state)
{
	(void)state;
	char id[] = "gw-1/pod-7";
	char name[] = "gw-1";
	char version[] = "0.1.0";
	char region[] = "r";
	char zone[] = "z";
	struct xds_node node = {.id = id,
	                        .role = XDS_ROLE_GATEWAY,
	                        .name = name,
	                        .version = version,
	                        .mark = true,
	                        .region = region,
	                        .zone = zone};
	struct xds_node back;
	struct err err;
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, 4096);
	xds_node_encode(&node, &bytes);
	assert_true(xds_node_decode(buf_str(&bytes), &back, &err));
	assert_string_equal(back.id, id);
	assert_int_equal(back.role, XDS_ROLE_GATEWAY);
	assert_string_equal(back.name, name);
	assert_string_equal(back.version, version);
	assert_string_equal(back.region, region);
	assert_string_equal(back.zone, zone);
	assert_null(back.subzone);
	assert_true(back.mark);
	xds_node_fini(&back);
}

static void node_of_a_stock_envoy_is_an_ingress(void **state)
{
	(void)state;
	struct xds_node node;
	struct err err;
	/* id: "e", cluster: "c", and a metadata of another vendor */
	const char bytes[] = "\x0a\x01"
			     "e\x12\x01"
			     "c\x1a\x0c\x0a\x0a\x0a\x01"
			     "x\x12\x05\x1a\x03"
			     "abc";
	assert_true(xds_node_decode(str_make(bytes, sizeof(bytes) - 1), &node, &err));
	assert_int_equal(node.role, XDS_ROLE_INGRESS);
	assert_string_equal(node.id, "e");
	xds_node_fini(&node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_empty_messages_do_not_become_gigabytes),
		cmocka_unit_test(unknown_fields_cost_no_more_than_the_ceiling),
		cmocka_unit_test(refuses_a_message_over_the_maximum),
		cmocka_unit_test(nested_struct_does_not_eat_the_stack),
		cmocka_unit_test(node_comes_back_as_it_went),
		cmocka_unit_test(node_of_a_stock_envoy_is_an_ingress),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
