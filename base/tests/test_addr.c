/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/addr.h"
#include "base/macros.h"

static void reads_and_writes_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *back; /* NULL: refused */
	} rows[] = {
		{"10.0.0.1:80", "10.0.0.1:80"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"[::1]:65535", "[::1]:65535"},
		{"[2001:DB8:0::1]:1", "[2001:db8::1]:1"},
		{"[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
		{"10.0.0.1", NULL},
		{"10.0.0.1:", NULL},
		{"10.0.0.1:65536", NULL},
		{"10.0.0.1:-1", NULL},
		{"10.0.0:80", NULL},
		{"010.0.0.1:80", NULL},
		{"::1:80", NULL},
		{"[::1]", NULL},
		{"[::1:80", NULL},
		{"[10.0.0.1]:80", NULL},
		{"localhost:80", NULL},
		{":80", NULL},
		{"", NULL},
		{"[]:80", NULL},
		{"[fe80::1%eth0]:80", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct addr addr;
		char text[ADDR_TEXT_MAX];
		bool ok = addr_parse(str_from(rows[i].text), &addr);
		assert_row(rows[i].text, ok == (rows[i].back != NULL));
		if (ok)
			assert_string_equal(addr_format(&addr, text), rows[i].back);
	}
}

static void tells_which_addresses_are_in_a_range(void **state)
{
	static const struct {
		const char *cidr;
		const char *ip;
		bool has;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.1.2.3/8", "10.9.9.9", true},
		{"10.0.0.4/30", "10.0.0.7", true},
		{"10.0.0.4/30", "10.0.0.8", false},
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"0.0.0.0/0", "192.0.2.1", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"::/0", "10.0.0.1", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::ffff:10.0.0.0/104", "10.1.1.1", true},
		{"::1", "::1", true},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cidr cidr;
		struct ip ip;
		assert_true(cidr_parse(str_from(rows[i].cidr), &cidr));
		assert_true(ip_parse(str_from(rows[i].ip), &ip));
		assert_row(rows[i].cidr, cidr_has(&cidr, &ip) == rows[i].has);
	}
}

static void refuses_what_is_no_range(void **state)
{
	static const char *const rows[] = {
		"",       "/8",           "10.0.0.0/", "10.0.0.0/33",
		"::/129", "10.0.0.0/8/8", "a/8",       "10.0.0.0/-1",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cidr cidr;
		assert_row(rows[i], !cidr_parse(str_from(rows[i]), &cidr));
	}
}

static void writes_ranges_with_their_prefix(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::/0", "::/0"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cidr cidr;
		char text[CIDR_TEXT_MAX];
		assert_true(cidr_parse(str_from(rows[i].in), &cidr));
		assert_string_equal(cidr_format(&cidr, text), rows[i].out);
	}
}

static void passes_through_a_sockaddr(void **state)
{
	static const char *const rows[] = {"10.0.0.1:80", "[2001:db8::1]:443"};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct sockaddr_storage sa;
		struct addr addr;
		struct addr back;
		assert_true(addr_parse(str_from(rows[i]), &addr));
		socklen_t len = addr_to_sockaddr(&addr, &sa);
		assert_int_equal(len, sa.ss_family == AF_INET ? sizeof(struct sockaddr_in)
		                                              : sizeof(struct sockaddr_in6));
		addr_from_sockaddr(&sa, &back);
		assert_true(addr_eq(&addr, &back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_addresses),
		cmocka_unit_test(tells_which_addresses_are_in_a_range),
		cmocka_unit_test(refuses_what_is_no_range),
		cmocka_unit_test(writes_ranges_with_their_prefix),
		cmocka_unit_test(passes_through_a_sockaddr),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
