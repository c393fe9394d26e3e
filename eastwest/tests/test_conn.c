/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "eastwest/conn.h"

static void every_state_that_waits_has_a_deadline(void **state)
{
	(void)state;
	for (int s = EW_CONN_HELLO; s < EW_CONN_CLOSED; s++)
		assert_true(ew_conn_state_deadline_ms((enum ew_conn_state)s) > 0);
	assert_int_equal(ew_conn_state_deadline_ms(EW_CONN_CLOSED), 0);
}

static void moves_along_the_diagram(void **state)
{
	enum ew_conn_state s = EW_CONN_HELLO;
	static const enum ew_conn_state path[] = {EW_CONN_DIAL,  EW_CONN_DIAL,   EW_CONN_ANSWER,
	                                          EW_CONN_DIAL,  EW_CONN_ANSWER, EW_CONN_RELAY,
	                                          EW_CONN_CLOSED};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(path); i++) {
		ew_conn_move(&s, path[i]);
		assert_int_equal(s, path[i]);
	}
}

static void close_reasons_are_distinct_and_carry_the_alerts_of_the_contract(void **state)
{
	static const struct {
		enum ew_close_reason reason;
		uint8_t alert;
	} cases[] = {
		{EW_CLOSE_NO_SNI, 112},      {EW_CLOSE_UNKNOWN_NAME, 112},
		{EW_CLOSE_NOT_EXPOSED, 112}, {EW_CLOSE_UNKNOWN_SUBSET, 112},
		{EW_CLOSE_NO_ALPN, 120},     {EW_CLOSE_NO_ENDPOINT, 80},
		{EW_CLOSE_BAD_HELLO, 50},    {EW_CLOSE_NO_OWN_ENDPOINT, 80},
		{EW_CLOSE_NOT_TLS, 0},       {EW_CLOSE_CONNECT_FAILED, 80},
		{EW_CLOSE_DONE, 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_int_equal(ew_close_alert(cases[i].reason), cases[i].alert);
	for (int a = 0; a < N_EW_CLOSE_REASONS; a++) {
		for (int b = 0; b < a; b++)
			assert_string_not_equal(ew_close_name((enum ew_close_reason)a),
			                        ew_close_name((enum ew_close_reason)b));
		assert_true(strlen(ew_close_sentence((enum ew_close_reason)a)) > 10);
	}
	assert_false(ew_close_is_error(EW_CLOSE_DONE));
	assert_true(ew_close_is_error(EW_CLOSE_NO_ENDPOINT));
	assert_string_equal(ew_close_flags(EW_CLOSE_NO_ENDPOINT), "UH");
}

static void what_is_not_tls_has_a_name_where_it_is_known(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum ew_close_reason reason;
	} rows[] = {
		{"GET / HTTP/1.1\r\n", 16, EW_CLOSE_PLAIN_HTTP},
		{"G", 1, EW_CLOSE_PLAIN_HTTP},
		{"PRI * HTTP/2.0\r\n", 16, EW_CLOSE_PLAIN_HTTP},
		{"GETS", 4, EW_CLOSE_NOT_TLS},
		{"SSH-2.0-", 8, EW_CLOSE_NOT_TLS},
		{"\x80\x2e\x01\x03\x01", 5, EW_CLOSE_SSL2},
		{"\x80\x2e\x02", 3, EW_CLOSE_NOT_TLS},
		{"\x80", 1, EW_CLOSE_NOT_TLS},
		{"\x15\x03\x03\x00\x02", 5, EW_CLOSE_NOT_TLS},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_int_equal(ew_conn_not_tls((const uint8_t *)rows[i].bytes, rows[i].len),
		                 rows[i].reason);
}

static void decides_what_a_door_routes(void **state)
{
	static const struct {
		enum ew_door door;
		const char *sni;
		bool mesh;
		int want; /* -1: routed */
	} cases[] = {
		{EW_DOOR_INGRESS, "outbound_.80_._.web", true, -1},
		{EW_DOOR_INGRESS, "outbound_.80_._.web", false, EW_CLOSE_NO_ALPN},
		{EW_DOOR_INGRESS, "", true, EW_CLOSE_NO_SNI},
		{EW_DOOR_INGRESS, "", false, EW_CLOSE_NO_SNI},
		{EW_DOOR_INGRESS, "nobody", true, EW_CLOSE_UNKNOWN_NAME},
		{EW_DOOR_INGRESS, "outbound_.80_.v1_.web", true, EW_CLOSE_UNKNOWN_SUBSET},
		{EW_DOOR_INGRESS, "hidden", true, EW_CLOSE_NOT_EXPOSED},
		{EW_DOOR_EGRESS, "hidden", true, -1},
		{EW_DOOR_EGRESS, "hidden", false, EW_CLOSE_NO_ALPN},
	};
	struct err err;
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct ew_route_spec web = {.sni = STR_LIT("outbound_.80_._.web"), .exposed = true};
	struct ew_route_spec hidden = {.sni = STR_LIT("hidden")};
	(void)state;
	assert_true(ew_table_builder_set_route(builder, &web, &err));
	assert_true(ew_table_builder_set_route(builder, &hidden, &err));
	struct ew_table *table = ew_table_builder_finish(builder);
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_hello hello = {.sni_len = (uint8_t)strlen(cases[i].sni),
		                         .mesh_alpn = cases[i].mesh};
		enum ew_close_reason reason;
		memcpy(hello.sni, cases[i].sni, hello.sni_len);
		const struct ew_route *route = ew_conn_route(table, cases[i].door, &hello, &reason);
		if (cases[i].want < 0) {
			assert_non_null(route);
			continue;
		}
		assert_null(route);
		assert_int_equal(reason, cases[i].want);
	}
	ew_table_unref(table);
	ew_health_registry_destroy(registry);
}

static void knows_a_refusal_by_the_first_record(void **state)
{
	static const uint8_t refused[] = {21, 3, 3, 0, 2, 2, 112};
	static const struct {
		const char *bytes;
		size_t len;
		enum ew_answer want;
	} cases[] = {
		{"\x15\x03\x03\x00\x02\x02\x70", 7, EW_ANSWER_REFUSED},
		{"\x15\x03\x01\x00\x02\x02\x50", 7, EW_ANSWER_REFUSED},
		{"\x15\x03\x03\x00\x02\x02\x28", 7, EW_ANSWER_PASS}, /* a workload's own alert */
		{"\x15\x03\x03\x00\x02\x01\x00", 7, EW_ANSWER_PASS}, /* a warning */
		{"\x15\x03\x03\x00\x13\x02\x70", 7, EW_ANSWER_PASS}, /* an encrypted one */
		{"\x16\x03\x03\x00\x7a", 5, EW_ANSWER_PASS},
		{"\x16", 1, EW_ANSWER_PASS},
	};
	uint8_t alert[EW_ALERT_LEN];
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_int_equal(ew_conn_answer((const uint8_t *)cases[i].bytes, cases[i].len),
		                 cases[i].want);
	for (size_t len = 0; len < sizeof(refused); len++)
		assert_int_equal(ew_conn_answer(refused, len), EW_ANSWER_MORE);
	ew_conn_alert(112, alert);
	assert_memory_equal(alert, refused, sizeof(refused));
}

static void tells_a_dead_host_from_a_reset(void **state)
{
	(void)state;
	assert_int_equal(ew_conn_failure(true, ECONNRESET), EW_CLOSE_CLIENT_RESET);
	assert_int_equal(ew_conn_failure(true, ETIMEDOUT), EW_CLOSE_CLIENT_DEAD);
	assert_int_equal(ew_conn_failure(false, EPIPE), EW_CLOSE_UPSTREAM_RESET);
	assert_int_equal(ew_conn_failure(false, EHOSTUNREACH), EW_CLOSE_UPSTREAM_DEAD);
}

static void asks_at_the_door(void **state)
{
	struct cidr range;
	struct cidr elsewhere;
	struct ip in;
	struct ip out;
	(void)state;
	assert_true(cidr_parse(STR_LIT("10.0.0.0/16"), &range));
	assert_true(cidr_parse(STR_LIT("192.0.2.0/24"), &elsewhere));
	assert_true(ip_parse(STR_LIT("10.0.3.4"), &in));
	assert_true(ip_parse(STR_LIT("10.1.3.4"), &out));
	struct ew_listener_config open = {.door = EW_DOOR_INGRESS};
	struct ew_listener_config shut = {.door = EW_DOOR_EGRESS};
	struct ew_listener_config ranged = {.door = EW_DOOR_EGRESS, .allow = {&range, 1}};
	struct ew_listener_config both = {.door = EW_DOOR_INGRESS, .allow = {&range, 1}};
	struct ew_ranges any = {NULL, 0};
	struct ew_ranges mesh = {&range, 1};
	struct ew_ranges other = {&elsewhere, 1};
	const struct {
		const struct ew_listener_config *door;
		const struct ew_ranges *mesh;
		const struct ip *client;
		bool allowed;
	} cases[] = {
		{&open, &any, &out, true},    {&open, &mesh, &in, true},
		{&open, &mesh, &out, false},  {&shut, &any, &in, false},
		{&ranged, &any, &in, true},   {&ranged, &any, &out, false},
		{&ranged, &other, &in, true}, /* the Snapshot is about ingress doors */
		{&both, &any, &in, true},     {&both, &any, &out, false},
		{&both, &mesh, &in, true},    {&both, &other, &in, false},
	};
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_int_equal(ew_conn_is_allowed(cases[i].door, cases[i].mesh, cases[i].client),
		                 cases[i].allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_that_waits_has_a_deadline),
		cmocka_unit_test(moves_along_the_diagram),
		cmocka_unit_test(close_reasons_are_distinct_and_carry_the_alerts_of_the_contract),
		cmocka_unit_test(what_is_not_tls_has_a_name_where_it_is_known),
		cmocka_unit_test(decides_what_a_door_routes),
		cmocka_unit_test(knows_a_refusal_by_the_first_record),
		cmocka_unit_test(tells_a_dead_host_from_a_reset),
		cmocka_unit_test(asks_at_the_door),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
