/* SPDX-License-Identifier: Apache-2.0 */

#include "base/macros.h"
#include "model/sni.h"
#include "tests/check.h"

static const struct {
	const char *text;
	bool ok;
	enum sni_kind kind;
	uint16_t port;
	const char *subset, *host;
} names[] = {
	{"outbound_.80_._.a.ns.svc.cluster.local", true, SNI_SERVICE, 80, "",
         "a.ns.svc.cluster.local"},
	{"OUTBOUND_.80_.V1_.A.ns.svc.cluster.local.", true, SNI_SERVICE, 80, "v1",
         "a.ns.svc.cluster.local"},
	{"outbound_.65535_.v-1.x_.h", true, SNI_SERVICE, 65535, "v-1.x", "h"},
	{"outbound_.0_._.h", false, 0, 0, "", ""},
	{"outbound_.65536_._.h", false, 0, 0, "", ""},
	{"outbound_.80x_._.h", false, 0, 0, "", ""},
	{"outbound_.80_._.", false, 0, 0, "", ""},
	{"outbound_.80_.h", false, 0, 0, "", ""},
	{"outbound_.80_._.h..", false, 0, 0, "", ""},
	{"outbound_.80_._..h", false, 0, 0, "", ""},
	{"outbound_.80_._.a_.b", false, 0, 0, "", ""},
	{"outbound_.80_.a__.b", true, SNI_SERVICE, 80, "a_", "b"},
	{"outbound|80||h", false, 0, 0, "", ""},
	{"inbound_.80_._.h", false, 0, 0, "", ""},
	{"_canary.network-c1.fedway.internal", true, SNI_CANARY, 0, "", "network-c1"},
	{"_probe.c1.fedway.internal", true, SNI_PROBE, 0, "", "c1"},
	{"_probe..fedway.internal", false, 0, 0, "", ""},
	{"_probe.fedway.internal", false, 0, 0, "", ""},
	{"_probe.a.b.fedway.internal", false, 0, 0, "", ""},
	{"_other.c1.fedway.internal", false, 0, 0, "", ""},
	{"outbound_.1_._.refused.fedway.internal", true, SNI_SERVICE, 1, "",
         "refused.fedway.internal"},
	{"www.example.com", false, 0, 0, "", ""},
};

static void takes_names_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		char folded[SNI_MAX + 1];
		struct sni sni;

		print_message("%s\n", names[i].text);
		assert_true(sni_fold(str_from(names[i].text), folded));
		assert_int_equal(sni_parse(str_from(folded), &sni), names[i].ok);
		if (!names[i].ok)
			continue;
		assert_int_equal(sni.kind, names[i].kind);
		assert_int_equal(sni.port, names[i].port);
		assert_true(str_is(sni.subset, names[i].subset));
		assert_true(str_is(sni.host, names[i].host));
	}
}

static void builds_what_it_parses(void **state)
{
	char name[SNI_MAX + 1];

	(void)state;
	assert_true(sni_format(5000, STR_LIT(""), STR_LIT("helloworld.sample.svc.cluster.local"),
	                       name));
	assert_string_equal(name, "outbound_.5000_._.helloworld.sample.svc.cluster.local");
	assert_true(sni_format(80, STR_LIT("V2"), STR_LIT("A.b"), name));
	assert_string_equal(name, "outbound_.80_.v2_.a.b");
	assert_true(sni_format_canary(STR_LIT("n1"), name));
	assert_string_equal(name, "_canary.n1.fedway.internal");
	assert_true(sni_format_probe(STR_LIT("c1"), name));
	assert_string_equal(name, "_probe.c1.fedway.internal");
}

static void refuses_names_that_are_too_long_or_not_text(void **state)
{
	char longest[SNI_MAX + 2], name[SNI_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(sni_fold(str_make(longest, SNI_MAX), name));
	assert_false(sni_fold(str_make(longest, SNI_MAX + 1), name));
	longest[SNI_MAX] = '.';
	assert_true(sni_fold(str_make(longest, SNI_MAX + 1), name));
	assert_false(sni_fold(STR_LIT(""), name));
	assert_false(sni_fold(STR_LIT("."), name));
	assert_false(sni_fold(STR_LIT("a b"), name));
	assert_false(sni_fold(STR_LIT("a\0b"), name));
	assert_false(sni_fold(STR_LIT("\xc3\xa4"), name));
	assert_false(sni_format(80, STR_LIT(""), str_make(longest, SNI_MAX - 10), name));
}

static void knows_the_reserved_domain_and_service_hosts(void **state)
{
	struct str ns, name, domain;

	(void)state;
	assert_true(sni_is_refused_host(STR_LIT("fedway.internal")));
	assert_true(sni_is_refused_host(STR_LIT("refused.fedway.internal")));
	assert_false(sni_is_refused_host(STR_LIT("xfedway.internal")));
	assert_true(sni_split_host(STR_LIT("a.b.svc.cluster.local"), &ns, &name, &domain));
	assert_true(str_is(ns, "b") && str_is(name, "a") && str_is(domain, "cluster.local"));
	assert_false(sni_split_host(STR_LIT("a.b.cluster.local"), &ns, &name, &domain));
	assert_false(sni_split_host(STR_LIT("a.b.svc"), &ns, &name, &domain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_apart),
		cmocka_unit_test(builds_what_it_parses),
		cmocka_unit_test(refuses_names_that_are_too_long_or_not_text),
		cmocka_unit_test(knows_the_reserved_domain_and_service_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
