/* SPDX-License-Identifier: Apache-2.0 */
#include "model/causes.h"
#include "model/explain.h"
#include "tests/check.h"
#include "tests/world.h"

static json_t *explain(struct world *w, const char *cluster, const char *locality,
                       const char *service)
{
	const struct mesh_cluster *c = mesh_find_cluster(world_mesh(w), cluster);
	struct view_key key = {c->network, cluster, locality_parse(str_from(locality)),
	                       VIEW_GATEWAY};
	struct view *view = view_create(w->mesh, &key);
	struct explain_request request;
	struct err err = {0};
	json_t *answer = NULL;

	if (!explain_parse_service(str_from(service), &request, &err))
		fail_msg("%s", err.msg);
	answer = explain_route(view, &request, "18231", "2026-01-01T00:00:00Z", &err);
	view_unref(view);
	if (answer == NULL)
		fail_msg("%s", err.msg);
	return answer;
}

static double total_share(const json_t *answer)
{
	const json_t *candidates = json_object_get(answer, "candidates");
	double sum = 0;

	for (size_t i = 0; i < json_array_size(candidates); i++)
		sum += json_number_value(json_object_get(json_array_get(candidates, i), "share"));
	return sum;
}

/* Sum of shares of candidates whose field has this value; n gets how many there are. */
static double share_of(const json_t *answer, const char *field, const char *value, size_t *n)
{
	const json_t *candidates = json_object_get(answer, "candidates");
	double sum = 0;

	*n = 0;
	for (size_t i = 0; i < json_array_size(candidates); i++) {
		const json_t *c = json_array_get(candidates, i);

		if (strcmp(json_str_at(c, field, ""), value) != 0)
			continue;
		(*n)++;
		sum += json_number_value(json_object_get(c, "share"));
	}
	return sum;
}

static bool near(double a, double b)
{
	return a - b < 0.0001 && b - a < 0.0001;
}

static void says_where_calls_go_and_why(void **state)
{
	struct world w;
	size_t n;

	(void)state;
	world_demo(&w);
	world_settings(&w, "{localityLbSetting: {}}");
	world_service(&w, "c1", "sample/hello", "http:5000",
	              "10.0.0.1@node 10.0.0.2@node- 10.0.0.3@node! 10.0.0.4@node~", "");
	world_network(&w, "n2", true, "gw2@c2:192.0.2.2 gw2b@c2:192.0.2.22 -gw2c@c2:192.0.2.23");
	json_t *a = explain(&w, "c1", "region1/zone1/subzone1", "sample/hello:5000");

	assert_string_equal(json_str_at(a, "kind", ""), "RouteExplanation");
	assert_string_equal(json_str_at(a, "service.sni", ""),
	                    "outbound_.5000_._.hello.sample.svc.cluster.local");
	assert_string_equal(json_str_at(a, "from.network", ""), "n1");
	assert_string_equal(json_str_at(a, "revision", ""), "18231");
	assert_string_equal(json_str_at(a, "policy.source", ""), "Mesh default");
	assert_string_equal(json_str_at(a, "policy.mode", ""), "locality");
	const json_t *p0 = json_array_get(json_object_get(a, "priorities"), 0);

	assert_int_equal(json_int_at(p0, "healthPercent", 0), 70);
	assert_int_equal(json_int_at(p0, "loadPercent", 0), 70);
	assert_true(near(total_share(a), 1));
	assert_true(near(share_of(a, "address", "10.0.0.1", &n), 0.7));
	assert_true(near(share_of(a, "address", "192.0.2.2", &n), 0.15));
	assert_true(near(share_of(a, "address", "192.0.2.23", &n), 0));
	assert_int_equal(n, 1);
	assert_true(near(share_of(a, "cluster", "c3", &n), 0));
	share_of(a, "code", "FED-212", &n);
	assert_int_equal(n, 1);
	share_of(a, "code", "FED-103", &n);
	assert_int_equal(n, 1);
	share_of(a, "because", "it is terminating", &n);
	assert_int_equal(n, 1);
	share_of(a, "health", "NotReady", &n);
	assert_int_equal(n, 2);
	json_decref(a);
	world_fini(&w);
}

static void every_share_sums_up_and_every_code_is_known(void **state)
{
	static const char *const settings[] = {
		"{}",
		"{localityLbSetting: {}}",
		"{localityLbSetting: {distribute: [{from: region1/*, to: {region1/zone1/*: 70,"
		" region2/*: 30}}]}}",
		"{localityLbSetting: {failover: [{from: region1, to: region2}]}}",
		"{localityLbSetting: {failoverPriority: [topology.istio.io/network]}}",
		"{failover: OutlierDetection, localityLbSetting: {}}"};
	static const char *const gateways[] = {"", "-gw@c2:192.0.2.2", "gw@c2:192.0.2.2"};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(settings); i++) {
		for (size_t k = 0; k < N_ELEMS(gateways); k++) {
			struct world w;

			world_demo(&w);
			world_settings(&w, settings[i]);
			world_network(&w, "n2", true, gateways[k]);
			world_service(&w, "c3", "sample/hello", "web:5000", "10.0.0.1@node", "");
			json_t *a = explain(&w, "c1", "region1/zone1/subzone1", "hello.sample");
			const json_t *c = json_object_get(a, "candidates");

			assert_true(near(total_share(a), 1));
			for (size_t j = 0; j < json_array_size(c); j++) {
				const char *code = json_str_at(json_array_get(c, j), "code", "?");

				assert_true(code[0] == '\0' || cause_find(code) != NULL);
			}
			json_decref(a);
			world_fini(&w);
		}
	}
}

static void says_so_when_nothing_is_left(void **state)
{
	struct world w;
	size_t n;

	(void)state;
	world_demo(&w);
	world_service(&w, "c1", "sample/hello", "http:5000", "10.0.0.1@node!", "");
	world_network(&w, "n2", true, "");
	world_network(&w, "n3", false, "");
	json_t *a = explain(&w, "c1", "region1", "sample/hello");

	assert_true(near(total_share(a), 0));
	share_of(a, "code", "FED-104", &n);
	assert_int_equal(n, 1);
	share_of(a, "code", "FED-218", &n);
	assert_int_equal(n, 1);
	share_of(a, "code", "FED-212", &n);
	assert_int_equal(n, 1);
	json_decref(a);
	world_service(&w, "c1", "kube-system/dns", "dns:53", "10.0.0.1@node", "");
	a = explain(&w, "c1", "region1", "kube-system/dns");
	share_of(a, "code", "FED-214", &n);
	assert_int_equal(n, 1);
	assert_int_equal(json_array_size(json_object_get(a, "priorities")), 0);
	json_decref(a);
	world_fini(&w);
}

static void says_why_pods_that_are_ready_are_not_called(void **state)
{
	static const char why[] = "ready, but refuse";
	struct world w;
	size_t n;

	(void)state;
	world_demo(&w);
	world_outage(&w, "n2", why);
	json_t *a = explain(&w, "c1", "region1/zone1/subzone1", "sample/hello");

	assert_true(near(total_share(a), 1));
	assert_true(near(share_of(a, "cluster", "c2", &n), 0));
	share_of(a, "health", "NotAnswering", &n);
	assert_int_equal(n, 1);
	share_of(a, "code", "FED-132", &n);
	assert_int_equal(n, 1);
	share_of(a, "because", why, &n);
	assert_int_equal(n, 1);
	json_decref(a);
	/* where nothing else is ready, they are called, and it is said all the same */
	objects_remove(world_snapshots(&w, "c1"), "Service", "sample", "hello");
	objects_remove(world_snapshots(&w, "c3"), "Service", "sample", "hello");
	a = explain(&w, "c1", "region1/zone1/subzone1", "sample/hello");
	assert_true(near(share_of(a, "health", "Healthy", &n), 1));
	assert_string_equal(json_string_value(json_array_get(json_object_get(a, "because"), 1)),
	                    "endpoints of network n2 are ready, but refuse (FED-132)");
	json_decref(a);
	/* its own callers are not told so */
	a = explain(&w, "c2", "region1/zone2/subzone2", "sample/hello");
	share_of(a, "code", "FED-132", &n);
	assert_int_equal(n, 0);
	assert_true(near(share_of(a, "cluster", "c2", &n), 1));
	json_decref(a);
	assert_non_null(cause_find("FED-132"));
	world_fini(&w);
}

static void names_services_in_two_ways(void **state)
{
	static const struct {
		const char *text, *ns, *name;
		uint16_t port;
	} rows[] = {
		{"a/b:80", "a", "b", 80}, {"b.a:80", "a", "b", 80}, {"a/b", "a", "b", 0},
		{"b.a", "a", "b", 0},     {"a", NULL, NULL, 0},     {"a/b:0", NULL, NULL, 0},
		{"a/b:x", NULL, NULL, 0}, {"a/b/c", NULL, NULL, 0}, {"", NULL, NULL, 0},
		{"/b", NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct explain_request r;
		struct err err;

		print_message("%s\n", rows[i].text);
		assert_int_equal(explain_parse_service(str_from(rows[i].text), &r, &err),
		                 rows[i].ns != NULL);
		if (rows[i].ns == NULL)
			continue;
		assert_true(str_is(r.ns, rows[i].ns) && str_is(r.name, rows[i].name));
		assert_int_equal(r.port, rows[i].port);
	}
}

static void names_what_is_missing(void **state)
{
	static const struct {
		const char *ns, *name, *subset, *message;
		uint16_t port;
	} rows[] = {
		{"sample", "nobody", "", "no member cluster", 0},
		{"sample", "hello", "", "it has 5000", 81},
		{"sample", "hello", "v7", "no subset", 5000},
	};
	struct world w;

	(void)state;
	world_demo(&w);
	struct view_key key = {"n1", "c1", locality_none(), VIEW_GATEWAY};
	struct view *view = view_create(world_mesh(&w), &key);

	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct explain_request r = {str_from(rows[i].ns), str_from(rows[i].name),
		                            rows[i].port, str_from(rows[i].subset)};
		struct err err;

		assert_null(explain_route(view, &r, "", "", &err));
		assert_int_equal(err.code, ERR_NOT_FOUND);
		assert_non_null(strstr(err.msg, rows[i].message));
	}
	view_unref(view);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_calls_go_and_why),
		cmocka_unit_test(every_share_sums_up_and_every_code_is_known),
		cmocka_unit_test(says_so_when_nothing_is_left),
		cmocka_unit_test(says_why_pods_that_are_ready_are_not_called),
		cmocka_unit_test(names_services_in_two_ways),
		cmocka_unit_test(names_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
