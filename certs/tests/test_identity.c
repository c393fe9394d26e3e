/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "certs/identity.h"

static void reads_and_writes_the_four_forms(void **state)
{
	(void)state;
	const struct {
		const char *uri;
		struct cert_identity identity;
	} rows[] = {
		{"spiffe://cluster.local/fedway/control-plane",
	         {.kind = CERT_CONTROL_PLANE, .trust_domain = "cluster.local"}},
		{"spiffe://td/fedway/cluster/c1/gateway/gw-1",
	         {.kind = CERT_GATEWAY, .trust_domain = "td", .cluster = "c1", .name = "gw-1"}},
		{"spiffe://td/fedway/cluster/c1/probe/fedway-probe-5d.x",
	         {.kind = CERT_PROBE,
	          .trust_domain = "td",
	          .cluster = "c1",
	          .name = "fedway-probe-5d.x"}},
		{"spiffe://td/ns/sample/sa/sleep",
	         {.kind = CERT_WORKLOAD,
	          .trust_domain = "td",
	          .namespace_ = "sample",
	          .name = "sleep"}},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cert_identity identity;
		struct err err;
		char text[CERT_URI_MAX];
		assert_true(cert_identity_parse(str_from(rows[i].uri), &identity, &err));
		assert_true(cert_identity_eq(&identity, &rows[i].identity));
		assert_string_equal(cert_identity_format(&identity, text), rows[i].uri);
	}
}

static void refuses_whatever_is_not_exactly_one_of_them(void **state)
{
	(void)state;
	const char *rows[] = {
		"",
		"spiffe://",
		"http://td/ns/a/sa/b",
		"spiffe://td",
		"spiffe://td/",
		"spiffe://td/ns/a/sa/b/",
		"spiffe://td//ns/a/sa/b",
		"spiffe://td/ns/a/sa",
		"spiffe://td/ns//sa/b",
		"spiffe://td/ns/a/sa/",
		"spiffe://TD/ns/a/sa/b",
		"spiffe://td:80/ns/a/sa/b",
		"spiffe://user@td/ns/a/sa/b",
		"spiffe://td/ns/a/sa/b?x",
		"spiffe://td/ns/a/sa/b#x",
		"spiffe://td/ns/a/sa/%62",
		"spiffe://td/ns/a/sa/..",
		"spiffe://td/fedway/control-plane/x",
		"spiffe://td/fedway/cluster/c1/gateway",
		"spiffe://td/fedway/cluster/c1/gateway/g/x",
		"spiffe://td/fedway/cluster/C1/gateway/g",
		"spiffe://td/fedway/cluster//gateway/g",
		"spiffe://td/fedway/cluster/c1/other/g",
		"spiffe://td/fedway/other/c1/gateway/g",
		"spiffe://td/fedway/cluster/c1/gateway/a.b",
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cert_identity identity;
		struct err err;
		if (cert_identity_parse(str_from(rows[i]), &identity, &err))
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void refuses_a_nul_inside(void **state)
{
	(void)state;
	struct cert_identity identity;
	struct err err;
	struct str uri = STR_LIT("spiffe://td/ns/a/sa/b\0c");
	assert_false(cert_identity_parse(uri, &identity, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_the_four_forms),
		cmocka_unit_test(refuses_whatever_is_not_exactly_one_of_them),
		cmocka_unit_test(refuses_a_nul_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
