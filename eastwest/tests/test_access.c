/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "path/access_ring.h"

#define SNI "outbound_.80_._.web.shop.svc.cluster.local"

static struct ew_access make(const char *sni)
{
	struct ew_access access = {
		.wall_ms = 1764043506789,
		.begun_us = 1000,
		.hello_us = 1250,
		.connected_us = 2001,
		.first_us = 3000,
		.ended_us = 1235567,
		.received = 1893,
		.sent = 517,
		.reason = EW_CLOSE_DONE,
		.routed = true,
		.sni_len = (uint8_t)strlen(sni),
		.way = {.attempts = 1, .whys = 1u << EW_WHY_FIRST, .cluster = "c1"},
	};
	memcpy(access.sni, sni, access.sni_len);
	assert_true(addr_parse(STR_LIT("192.0.2.9:51844"), &access.client));
	assert_true(addr_parse(STR_LIT("10.1.0.7:8080"), &access.way.upstream));
	return access;
}

static const char *format(const struct ew_access *access, bool json, char room[EW_LINE_MAX + 1])
{
	struct ew_line line = {.second = 0};
	room[ew_access_format(access, json, &line, room)] = '\0';
	return room;
}

static void a_line_tells_all_of_a_connection(void **state)
{
	char room[EW_LINE_MAX + 1];
	struct ew_access access = make(SNI);
	(void)state;
	assert_string_equal(format(&access, true, room),
	                    "{\"start_time\":\"2025-11-25T04:05:06.789Z\",\"door\":\"ingress\","
	                    "\"downstream_remote_address\":\"192.0.2.9:51844\","
	                    "\"requested_server_name\":\"" SNI "\",\"route_name\":\"" SNI "\","
	                    "\"destination_service\":\"web.shop.svc.cluster.local\","
	                    "\"upstream_host\":\"10.1.0.7:8080\",\"destination_cluster\":\"c1\","
	                    "\"locality\":\"\",\"priority\":0,\"why\":\"first\",\"attempts\":1,"
	                    "\"bytes_received\":1893,\"bytes_sent\":517,\"hello_ms\":0.250,"
	                    "\"connect_ms\":1.001,\"first_byte_ms\":2.000,\"duration\":1234.567,"
	                    "\"reason\":\"done\",\"response_flags\":\"-\"}\n");
	assert_string_equal(
		format(&access, false, room),
		"start_time=2025-11-25T04:05:06.789Z door=ingress "
		"downstream_remote_address=192.0.2.9:51844 requested_server_name=" SNI
		" route_name=" SNI " destination_service=web.shop.svc.cluster.local "
		"upstream_host=10.1.0.7:8080 destination_cluster=c1 locality=\"\" priority=0 "
		"why=first attempts=1 bytes_received=1893 bytes_sent=517 hello_ms=0.250 "
		"connect_ms=1.001 first_byte_ms=2.000 duration=1234.567 reason=done "
		"response_flags=-\n");
}

static void a_refused_one_has_no_way(void **state)
{
	char room[EW_LINE_MAX + 1];
	struct ew_access access = make("nobody.example");
	(void)state;
	access.routed = false;
	access.way.upstream.port = 0;
	access.connected_us = access.first_us = 0;
	access.reason = EW_CLOSE_UNKNOWN_NAME;
	access.alert = 112;
	access.detail = "a detail";
	assert_string_equal(format(&access, false, room),
	                    "start_time=2025-11-25T04:05:06.789Z door=ingress "
	                    "downstream_remote_address=192.0.2.9:51844 "
	                    "requested_server_name=nobody.example bytes_received=1893 "
	                    "bytes_sent=517 hello_ms=0.250 duration=1234.567 "
	                    "reason=unknown_name response_flags=NR alert=112 "
	                    "detail=\"a detail\"\n");
}

static void bytes_of_a_peer_begin_no_line(void **state)
{
	char room[EW_LINE_MAX + 1];
	struct err err;
	struct ew_access access = make("a\"b\\c\n\x1b[1m \x7f\xff=x");
	(void)state;
	const char *text = format(&access, false, room);
	assert_non_null(strstr(text, "name=\"a\\\"b\\\\c\\x0a\\x1b[1m \\x7f\\xff=x\" "));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	text = format(&access, true, room);
	json_t *json = json_parse(str_from(text), &err);
	assert_non_null(json);
	assert_string_equal(json_str_at(json, "requested_server_name", ""),
	                    "a\"b\\c\n\x1b[1m \x7f\xc3\xbf=x");
	json_decref(json);
}

static void the_longest_line_fits(void **state)
{
	char room[EW_LINE_MAX + 1];
	struct err err;
	struct ew_access access = make("");
	(void)state;
	memset(access.sni, '\n', sizeof(access.sni));
	access.sni_len = (uint8_t)sizeof(access.sni);
	memset(access.way.cluster, 1, EW_WAY_NAME_MAX);
	memset(access.way.locality, 1, EW_WAY_NAME_MAX);
	access.way.whys = UINT8_MAX;
	json_t *json = json_parse(str_from(format(&access, true, room)), &err);
	assert_non_null(json);
	assert_string_equal(json_str_at(json, "reason", ""), "done");
	assert_int_equal(strlen(json_str_at(json, "route_name", "")), sizeof(access.sni));
	json_decref(json);
}

static void a_full_ring_takes_nothing(void **state)
{
	struct ew_access_ring *ring = xcalloc(1, sizeof(*ring));
	struct ew_access access = make(SNI);
	(void)state;
	assert_null(ew_access_ring_peek(ring));
	for (uint64_t i = 0; i < EW_ACCESS_RING; i++) {
		access.sent = i;
		assert_true(ew_access_ring_put(ring, &access));
	}
	assert_false(ew_access_ring_put(ring, &access));
	for (uint64_t i = 0; i < EW_ACCESS_RING; i++) {
		assert_int_equal(ew_access_ring_peek(ring)->sent, i);
		ew_access_ring_drop(ring);
		assert_true(ew_access_ring_put(ring, &access));
	}
	assert_int_equal(ew_access_ring_peek(ring)->sent, EW_ACCESS_RING - 1);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_tells_all_of_a_connection),
		cmocka_unit_test(a_refused_one_has_no_way),
		cmocka_unit_test(bytes_of_a_peer_begin_no_line),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(a_full_ring_takes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
