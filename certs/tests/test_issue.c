/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "certs/issue.h"

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	(void)arg;
	return strcmp(cluster, "c1") == 0 && strcmp(name, "gw-1") == 0;
}

static const struct cert_issue_context context = {
	.trust_domain = "td", .cluster = "c1", .gateway_exists = gateway_exists};

static const char *const fedway[] = {"fedway"};
static const char *const istio[] = {"istio-ca"};
static const char *const both[] = {"istio-ca", "fedway"};
static const char *const other[] = {"https://kubernetes.default.svc"};

#define SA "system:serviceaccount:"

static void token_decides_as_the_table_says(void **state)
{
	(void)state;
	const struct {
		const char *what;
		struct cert_token_review review;
		const char *uri; /* NULL: refused */
		enum err_code code;
	} rows[] = {
		{"gateway",
	         {true, fedway, 1, SA "fedway-system:fedway-gateway-gw-1", NULL, NULL},
	         "spiffe://td/fedway/cluster/c1/gateway/gw-1",
	         0},
		{"gateway nobody declared",
	         {true, fedway, 1, SA "fedway-system:fedway-gateway-gw-2", NULL, NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"gateway without name",
	         {true, fedway, 1, SA "fedway-system:fedway-gateway-", NULL, NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"gateway account of another namespace",
	         {true, fedway, 1, SA "evil:fedway-gateway-gw-1", NULL, NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"probe",
	         {true, fedway, 1, SA "fedway-system:fedway-probe", "fedway-probe-0", NULL},
	         "spiffe://td/fedway/cluster/c1/probe/fedway-probe-0",
	         0},
		{"probe whose token is bound to no pod",
	         {true, fedway, 1, SA "fedway-system:fedway-probe", NULL, NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"workload",
	         {true, istio, 1, SA "sample:sleep", "sleep-1", NULL},
	         "spiffe://td/ns/sample/sa/sleep",
	         0},
		{"workload with our audience",
	         {true, fedway, 1, SA "sample:sleep", "sleep-1", NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"our account with Istio's audience is a workload",
	         {true, istio, 1, SA "fedway-system:fedway-gateway-gw-1", NULL, NULL},
	         "spiffe://td/ns/fedway-system/sa/fedway-gateway-gw-1",
	         0},
		{"component rows come first",
	         {true, both, 2, SA "fedway-system:fedway-gateway-gw-1", NULL, NULL},
	         "spiffe://td/fedway/cluster/c1/gateway/gw-1",
	         0},
		{"foreign audience",
	         {true, other, 1, SA "sample:sleep", NULL, NULL},
	         NULL,
	         ERR_UNAUTHORIZED},
		{"no audience",
	         {true, NULL, 0, SA "sample:sleep", NULL, NULL},
	         NULL,
	         ERR_UNAUTHORIZED},
		{"not authenticated",
	         {false, istio, 1, SA "sample:sleep", NULL, "expired"},
	         NULL,
	         ERR_UNAUTHORIZED},
		{"a person", {true, istio, 1, "alice", NULL, NULL}, NULL, ERR_UNAUTHORIZED},
		{"no user", {true, istio, 1, NULL, NULL, NULL}, NULL, ERR_UNAUTHORIZED},
		{"half an account",
	         {true, istio, 1, SA "sample", NULL, NULL},
	         NULL,
	         ERR_UNAUTHORIZED},
		{"an account that would change the path",
	         {true, istio, 1, SA "sample:a/../b", NULL, NULL},
	         NULL,
	         ERR_FORBIDDEN},
		{"a pod that would change the path",
	         {true, fedway, 1, SA "fedway-system:fedway-probe", "x/y", NULL},
	         NULL,
	         ERR_FORBIDDEN},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cert_identity identity;
		struct err err;
		char text[CERT_URI_MAX];
		bool ok = cert_issue_by_token(&context, &rows[i].review, &identity, &err);
		if (ok != (rows[i].uri != NULL))
			fail_msg("%s", rows[i].what);
		if (ok)
			assert_string_equal(cert_identity_format(&identity, text), rows[i].uri);
		else if (err.code != rows[i].code)
			fail_msg("%s: %s", rows[i].what, err.msg);
	}
}

static void certificate_renews_only_itself(void **state)
{
	(void)state;
	const struct {
		const char *uri;
		bool good;
	} rows[] = {
		{"spiffe://td/fedway/cluster/c1/gateway/gw-1", true},
		{"spiffe://td/fedway/cluster/c1/gateway/gone", false},
		{"spiffe://td/fedway/cluster/c2/gateway/gw-1", false},
		{"spiffe://other/fedway/cluster/c1/gateway/gw-1", false},
		{"spiffe://td/fedway/cluster/c1/probe/p-0", true},
		{"spiffe://td/fedway/cluster/c2/probe/p-0", false},
		{"spiffe://td/fedway/control-plane", false},
		{"spiffe://td/ns/a/sa/b", false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cert_identity current;
		struct cert_identity got;
		struct err err;
		assert_true(cert_identity_parse(str_from(rows[i].uri), &current, &err));
		bool ok = cert_issue_by_identity(&context, &current, &got, &err);
		if (ok != rows[i].good)
			fail_msg("%s", rows[i].uri);
		if (ok)
			assert_true(cert_identity_eq(&current, &got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_decides_as_the_table_says),
		cmocka_unit_test(certificate_renews_only_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
