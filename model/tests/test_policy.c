/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "model/policy.h"
#include "tests/check.h"

static struct policy *decode(const char *spec)
{
	struct err err = {0};
	char *text = xasprintf("{metadata: {namespace: sample, name: r, creationTimestamp:"
	                       " \"2026-01-01T00:00:10Z\"}, spec: %s}",
	                       spec);
	json_t *obj = yaml_parse(str_from(text), "t", &err);
	struct policy *policy = obj != NULL ? policy_decode(obj, &err) : NULL;

	if (obj == NULL)
		fail_msg("%s", err.msg);
	json_decref(obj);
	free(text);
	return policy;
}

static bool has_note(const struct policy *p, const char *part)
{
	for (size_t i = 0; i < p->n_notes; i++) {
		if (strstr(p->notes[i], part) != NULL)
			return true;
	}
	return false;
}

static void reads_all_that_has_a_meaning(void **state)
{
	const char *field;
	struct policy *p = decode(
		"{host: Hello, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST,"
		" localityLbSetting: {failover: [{from: r1, to: r2}], failoverPriority:"
		" [a, \"b=c\"]}}, outlierDetection: {interval: 1s, maxEjectionPercent: 100,"
		" minHealthPercent: 20}, connectionPool: {tcp: {maxConnections: 7,"
		" connectTimeout: 250ms}, http: {}}},"
		" subsets: [{name: V2, labels: {version: v2}}, {name: v1, labels: {version: v1},"
		"  trafficPolicy: {loadBalancer: {simple: RANDOM}}}]}");
	struct traffic_policy t = policy_effective(p, 80, "", &field);

	(void)state;
	assert_string_equal(p->host, "hello");
	assert_int_equal(p->created_s, 1767225610);
	assert_int_equal(t.lb, LB_LEAST_REQUEST);
	assert_string_equal(field, "spec.trafficPolicy.loadBalancer.localityLbSetting");
	assert_int_equal(t.locality.n_failover, 1);
	assert_int_equal(t.locality.n_priority, 2);
	assert_null(t.locality.priority[0].value);
	assert_string_equal(t.locality.priority[1].value, "c");
	assert_int_equal(t.outlier.consecutive, 5);
	assert_int_equal(t.outlier.interval_ms, 1000);
	assert_int_equal(t.outlier.base_ejection_ms, 30000);
	assert_int_equal(t.outlier.min_health_percent, 20);
	assert_int_equal(t.tcp.max_connections, 7);
	assert_int_equal(t.tcp.connect_timeout_ms, 250);
	assert_true(has_note(p, "connectionPool.http"));
	assert_string_equal(p->subsets[0].name, "v1");
	assert_string_equal(p->subsets[1].name, "v2");
	t = policy_effective(p, 80, "v1", &field);
	assert_int_equal(t.lb, LB_RANDOM);
	assert_false(t.locality.present);
	assert_string_equal(field, "");
	assert_true(t.outlier.present);
	t = policy_effective(p, 80, "v2", &field);
	assert_int_equal(t.locality.n_failover, 1);
	policy_unref(p);
}

static void failed_connects_count_as_envoy_counts_them(void **state)
{
	static const struct {
		const char *outlier;
		uint32_t want;
		bool note;
	} rows[] = {
		{"{}", 5, false},
		{"{consecutive5xxErrors: 3}", 3, false},
		{"{consecutive5xxErrors: 3, consecutiveGatewayErrors: 2}", 2, false},
		{"{consecutiveGatewayErrors: 9}", 5, false},
		{"{consecutive5xxErrors: 0, consecutiveGatewayErrors: 9}", 9, false},
		{"{consecutive5xxErrors: 0}", 0, false},
		{"{consecutiveLocalOriginFailures: 2}", 5, true},
		{"{splitExternalLocalOriginErrors: true, consecutive5xxErrors: 1}", 5, false},
		{"{splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2}", 2,
	         false},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *text = xasprintf("{host: h, trafficPolicy: {outlierDetection: %s}}",
		                       rows[i].outlier);
		struct policy *p = decode(text);

		assert_int_equal(p->policy.outlier.consecutive, rows[i].want);
		assert_int_equal(has_note(p, "consecutiveLocalOriginFailures"), rows[i].note);
		policy_unref(p);
		free(text);
	}
}

static void times_stay_within_a_day(void **state)
{
	struct policy *p =
		decode("{host: h, trafficPolicy: {outlierDetection: {interval: 0s,"
	               " baseEjectionTime: 48h}, connectionPool: {tcp: {idleTimeout: 0s}}}}");

	(void)state;
	assert_int_equal(p->policy.outlier.interval_ms, 10000);
	assert_int_equal(p->policy.outlier.base_ejection_ms, POLICY_TIME_MAX_MS);
	assert_int_equal(p->policy.tcp.idle_timeout_ms, POLICY_TIME_MAX_MS);
	assert_true(has_note(p, "interval: 0"));
	assert_true(has_note(p, "longer than a day"));
	policy_unref(p);
}

static void port_settings_replace_the_whole(void **state)
{
	const char *field;
	struct policy *p = decode("{host: h, trafficPolicy: {outlierDetection: {},"
	                          " portLevelSettings: [{port: {number: 80}, loadBalancer:"
	                          " {localityLbSetting: {enabled: false}}}, {port: {}}]}}");
	struct traffic_policy t = policy_effective(p, 80, "", &field);

	(void)state;
	assert_false(t.outlier.present);
	assert_true(t.locality.present);
	assert_false(t.locality.enabled);
	assert_string_equal(field, "spec.trafficPolicy.portLevelSettings");
	t = policy_effective(p, 81, "", &field);
	assert_true(t.outlier.present);
	assert_true(has_note(p, "portLevelSettings[1]"));
	t = policy_effective(NULL, 1, "", &field);
	assert_false(t.outlier.present || t.has_lb);
	policy_unref(p);
}

static void broken_rules_become_notes(void **state)
{
	static const struct {
		const char *locality, *note;
		size_t distribute, failover;
	} rows[] = {
		{"{distribute: [{from: r/z/*, to: {r/z/*: 80, r/y/*: 20}}]}", NULL, 1, 0},
		{"{distribute: [{from: r/z, to: {r/z: 80}}]}", "100", 0, 0},
		{"{distribute: [{from: 'a*', to: {r/z: 100}}]}", "no rule", 0, 0},
		{"{distribute: [{from: r, to: {r: 100}}], failover: [{from: a, to: b}]}", "exclude",
	         1, 0},
		{"{failover: [{from: a, to: a}, {from: a, to: b}]}", "two different", 0, 1},
		{"{failoverPriority: [1]}", "no label", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *spec = xasprintf("{host: h, trafficPolicy: {loadBalancer:"
		                       " {localityLbSetting: %s}}}",
		                       rows[i].locality);
		struct policy *p = decode(spec);
		struct locality_setting copy;

		print_message("%s\n", rows[i].locality);
		assert_int_equal(p->policy.locality.n_distribute, rows[i].distribute);
		assert_int_equal(p->policy.locality.n_failover, rows[i].failover);
		assert_true(rows[i].note == NULL ? p->n_notes == 0 : has_note(p, rows[i].note));
		locality_setting_copy(&copy, &p->policy.locality);
		assert_true(locality_setting_eq(&copy, &p->policy.locality));
		locality_setting_fini(&copy);
		assert_false(locality_setting_eq(&copy, &p->policy.locality));
		policy_unref(p);
		free(spec);
	}
}

static void subsets_must_fit_into_a_name(void **state)
{
	struct policy *p =
		decode("{host: h, subsets: [{name: \"a_.b\"}, {name: ok, labels: {a: 1}},"
	               " {name: A}, {name: a}, {}]}");

	(void)state;
	assert_int_equal(p->n_subsets, 1);
	assert_string_equal(p->subsets[0].name, "a");
	assert_int_equal(p->n_notes, 4);
	policy_unref(p);
}

static void hosts_are_completed_and_matched(void **state)
{
	static const struct {
		const char *rule, *service;
		bool match;
	} rows[] = {
		{"a.b.svc.cluster.local", "a.b.svc.cluster.local", true},
		{"*.b.svc.cluster.local", "a.b.svc.cluster.local", true},
		{"*.local", "a.b.svc.cluster.local", true},
		{"*", "a.b.svc.cluster.local", true},
		{"*.c.svc.cluster.local", "a.b.svc.cluster.local", false},
		{"a.b.svc.cluster.local", "x.a.b.svc.cluster.local", false},
	};
	struct policy *p = decode("{host: h}");
	char *host = policy_full_host(p, "my.domain");

	(void)state;
	assert_string_equal(host, "h.sample.svc.my.domain");
	free(host);
	policy_unref(p);
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		assert_int_equal(policy_host_matches(rows[i].rule, rows[i].service), rows[i].match);
	assert_null(decode("{}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_that_has_a_meaning),
		cmocka_unit_test(failed_connects_count_as_envoy_counts_them),
		cmocka_unit_test(times_stay_within_a_day),
		cmocka_unit_test(port_settings_replace_the_whole),
		cmocka_unit_test(broken_rules_become_notes),
		cmocka_unit_test(subsets_must_fit_into_a_name),
		cmocka_unit_test(hosts_are_completed_and_matched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
