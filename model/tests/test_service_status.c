/* SPDX-License-Identifier: Apache-2.0 */
#include "model/health.h"
#include "model/service_status.h"
#include "tests/check.h"
#include "tests/world.h"

static void expect(struct world *w, const char *want)
{
	const struct mesh_service *s = mesh_find_service(world_mesh(w), "sample/hello");
	json_t *status = service_status(w->mesh, s);
	char *text = json_format(status);

	assert_string_equal(text, want);
	free(text);
	json_decref(status);
}

static void shows_the_merged_service(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_cluster(&w, "c1", "n1", "");
	world_cluster(&w, "c2", "n2", "");
	world_network(&w, "n1", true, "gw1@c1:192.0.2.1");
	world_network(&w, "n2", true, "gw2@c2:192.0.2.2");
	world_settings(&w, "{localityLbSetting: {}}");
	world_service(&w, "c1", "sample/hello", "http:80 web:81", "10.0.0.1 10.0.0.2-", "");
	world_service(&w, "c2", "sample/hello", "http:80 other:81", "10.0.0.1 10.0.0.2!", "");
	expect(&w, "{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":"
	           "\"web\",\"port\":81,\"protocol\":\"TCP\"}],\"clusters\":[{\"cluster\":\"c1\","
	           "\"network\":\"n1\",\"ready\":1,\"total\":2},{\"cluster\":\"c2\",\"network\":"
	           "\"n2\",\"ready\":1,\"total\":1}],\"policy\":{\"source\":\"Mesh default\","
	           "\"field\":\"spec.localityLbSetting\",\"mode\":\"locality\"},\"conflicts\":"
	           "[\"port 81 is 'other' in c2, but 'web' in an older Cluster, which counts\"],"
	           "\"clusterNames\":\"c1,c2\",\"endpoints\":\"2/3\"}");
	world_network(&w, "n2", true, "-gw2@c2:192.0.2.2");
	world_settings(&w, "{}");
	world_service(&w, "c2", "sample/hello", "http:80", "10.0.0.1", "");
	world_service(&w, "c1", "sample/hello", "http:80", "10.0.0.1", "");
	expect(&w,
	       "{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}],\"clusters\":"
	       "[{\"cluster\":\"c1\",\"network\":\"n1\",\"ready\":1,\"total\":1},{\"cluster\":"
	       "\"c2\",\"network\":\"n2\",\"ready\":0,\"total\":1}],\"policy\":{\"source\":\"\","
	       "\"field\":\"\",\"mode\":\"none\"},\"conflicts\":[],\"clusterNames\":\"c1,c2\","
	       "\"endpoints\":\"1/2\"}");
	world_fini(&w);
}

static void counts_what_does_not_answer_as_not_ready(void **state)
{
	static const struct {
		const char *ports;
		uint32_t ready;
	} rows[] = {{"http:5000", 0}, {"http:5000 metrics:9000", 2}};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct world w;

		world_demo(&w);
		world_service(&w, "c2", "sample/hello", rows[i].ports,
		              "10.0.0.1@node 10.0.0.2@node", "");
		world_outage(&w, "n2", "refused");
		const struct mesh_service *s = mesh_find_service(world_mesh(&w), "sample/hello");

		assert_int_equal(health_ready_of_part(w.mesh, s, &s->parts[0]), 2);
		assert_string_equal(s->parts[1].cluster->name, "c2");
		assert_int_equal(health_ready_of_part(w.mesh, s, &s->parts[1]), rows[i].ready);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_merged_service),
		cmocka_unit_test(counts_what_does_not_answer_as_not_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
