/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "path/doors.h"

static struct ew_listener_config listener_of(char *name, const char *addr)
{
	struct ew_listener_config listener = {.name = name};
	assert_true(addr_parse(str_from(addr), &listener.addr));
	return listener;
}

static void a_socket_serves_whoever_wants_its_address(void **state)
{
	static const struct {
		char name[4];
		const char *addr;
		size_t want;
	} cases[] = {
		{"a", "0.0.0.0:15443", 0},   {"new", "0.0.0.0:15443", 0}, {"a", "0.0.0.0:15444", 3},
		{"a", "127.0.0.1:15443", 3}, {"b", "127.0.0.1:0", 1},     {"c", "127.0.0.1:0", 3},
		{"c", "127.0.0.1:40000", 1}, {"b", "[::1]:0", 3},         {"c", "[::1]:15443", 2},
		{"a", "[::ffff:0:0]:0", 3},
	};
	char a[] = "a", b[] = "b", c[] = "c";
	const struct ew_listener_config have[] = {listener_of(a, "0.0.0.0:15443"),
	                                          listener_of(b, "127.0.0.1:0"),
	                                          listener_of(c, "[::1]:15443")};
	struct ew_doors *doors = ew_doors_create(have, N_ELEMS(have));
	(void)state;
	doors->rows[1].bound.port = 40000;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		char name[4];
		memcpy(name, cases[i].name, sizeof(name));
		struct ew_listener_config listener = listener_of(name, cases[i].addr);
		assert_int_equal(ew_doors_find(doors, &listener), cases[i].want);
	}
	ew_doors_unref(doors);
}

static void what_stays_is_a_copy_bound_as_before(void **state)
{
	static const bool stays[] = {false, true};
	char a[] = "a", b[] = "b";
	struct cidr range;
	assert_true(cidr_parse(STR_LIT("10.0.0.0/8"), &range));
	struct ew_listener_config have[] = {listener_of(a, "0.0.0.0:1"),
	                                    listener_of(b, "127.0.0.1:0")};
	have[1].allow = (struct ew_ranges){&range, 1};
	struct ew_doors *doors = ew_doors_create(have, N_ELEMS(have));
	(void)state;
	doors->rows[1].bound.port = 40000;
	struct ew_doors *some = ew_doors_some(doors, stays);
	ew_doors_unref(ew_doors_ref(doors));
	ew_doors_unref(doors);
	assert_int_equal(some->n, 1);
	assert_string_equal(some->rows[0].listener.name, "b");
	assert_int_equal(some->rows[0].bound.port, 40000);
	assert_true(ew_ranges_have(&some->rows[0].listener.allow, &range.ip));
	ew_doors_unref(some);
	ew_doors_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_serves_whoever_wants_its_address),
		cmocka_unit_test(what_stays_is_a_copy_bound_as_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
