/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "ads/program.h"
#include "base/json.h"
#include "model/mesh.h"
#include "model/snapshot_builder.h"
#include "xds/assignment.h"
#include "xds/network.h"

/* Two clusters in two joined networks; helloworld runs in both, one pod each unless said. */
struct fixture {
	struct mesh_builder *builder;
	struct snapshot_builder *members[2];
	struct program *program;
	bool held[2];
};

static const char sni[] = "outbound_.5000_._.helloworld.sample.svc.cluster.local";
static const char *const clusters[] = {"c1", "c2"};
static const char *const networks[] = {"n1", "n2"};

static bool is_held(const struct mesh_service *service, void *arg)
{
	const struct fixture *f = arg;
	for (size_t i = 0; i < service->n_parts; i++) {
		if (f->held[service->parts[i].cluster->name[1] - '1'])
			return true;
	}
	return false;
}

static void put(struct fixture *f, int i, const char *kind, json_t *obj)
{
	struct err err;
	if (!snapshot_builder_put(f->members[i], kind, obj, &err))
		fail_msg("%s: %s", kind, err.msg);
	json_decref(obj);
}

static void put_pods(struct fixture *f, int i, int ready, int not_ready)
{
	json_t *endpoints = json_array();
	for (int n = 0; n < ready + not_ready; n++) {
		char ip[32];
		snprintf(ip, sizeof(ip), "10.%d.0.%d", i + 1, n + 1);
		json_array_append_new(endpoints, json_pack("{s[s] s{sb}}", "addresses", ip,
		                                           "conditions", "ready", n < ready));
	}
	put(f, i, "EndpointSlice",
	    json_pack("{s{ss ss s{ss}} ss s[{ss si ss}] so}", "metadata", "name", "helloworld-1",
	              "namespace", "sample", "labels", "kubernetes.io/service-name", "helloworld",
	              "addressType", "IPv4", "ports", "name", "http", "port", 5000, "protocol",
	              "TCP", "endpoints", endpoints));
}

static struct mesh *build(struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		struct snapshot *snapshot = snapshot_builder_build(f->members[i]);
		mesh_builder_set_snapshot(f->builder, clusters[i], snapshot);
		snapshot_unref(snapshot);
	}
	return mesh_builder_build(f->builder);
}

static bool update(struct fixture *f, int64_t now_ms)
{
	struct mesh *mesh = build(f);
	bool changed = program_update(f->program, mesh, now_ms);
	mesh_unref(mesh);
	return changed;
}

static void add_member(struct fixture *f, int i)
{
	struct mesh_gateway gateway = {.name = clusters[i],
	                               .cluster = clusters[i],
	                               .address = "192.0.2.1",
	                               .port = 15443,
	                               .weight = 1,
	                               .live = true,
	                               .reason = ""};
	struct mesh_network network = {
		.name = networks[i], .joined = true, .gateways = &gateway, .n_gateways = 1};
	struct mesh_cluster cluster = {.name = clusters[i],
	                               .network = networks[i],
	                               .locality = locality_none(),
	                               .created_s = i + 1,
	                               .why_withdrawn = ""};
	f->members[i] = snapshot_builder_create(clusters[i]);
	mesh_builder_set_network(f->builder, &network);
	mesh_builder_set_cluster(f->builder, &cluster);
	put(f, i, "Service",
	    json_pack("{s{ss ss s{ss}} s{ss s[{ss si ss}]}}", "metadata", "name", "helloworld",
	              "namespace", "sample", "labels", "security.istio.io/tlsMode", "istio", "spec",
	              "clusterIP", "10.96.0.9", "ports", "name", "http", "port", 5000, "protocol",
	              "TCP"));
	put_pods(f, i, 1, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct mesh_settings settings;
	f->builder = mesh_builder_create();
	mesh_settings_init(&settings);
	settings.interconnect_enabled = true;
	mesh_builder_set_settings(f->builder, &settings);
	mesh_settings_fini(&settings);
	add_member(f, 0);
	add_member(f, 1);
	struct program_config config = {
		.key = {.network = "n1",
	                .cluster = "c1",
	                .locality = locality_none(),
	                .role = VIEW_GATEWAY},
		.held = is_held,
		.arg = f,
	};
	f->program = program_create(&config);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	program_destroy(f->program);
	snapshot_builder_destroy(f->members[0]);
	snapshot_builder_destroy(f->members[1]);
	mesh_builder_destroy(f->builder);
	free(f);
	return 0;
}

/* Endpoints of the route as the set has them: own ready ones, and the weight of the remote share.
 */
static void look(struct fixture *f, size_t *ret_own, uint32_t *ret_remote)
{
	struct err err;
	struct xds_assignment got;
	struct xds_resource *resource =
		xds_set_find(program_set(f->program), XDS_ASSIGNMENT, str_from(sni));
	assert_non_null(resource);
	assert_true(xds_assignment_decode(resource->bytes, &got, &err));
	*ret_own = 0;
	*ret_remote = 0;
	for (size_t i = 0; i < got.n_localities; i++) {
		for (size_t j = 0; j < got.localities[i].n_endpoints; j++) {
			const struct xds_endpoint *endpoint = &got.localities[i].endpoints[j];
			if (endpoint->network == NULL)
				*ret_own += endpoint->healthy ? 1 : 0;
			else if (endpoint->healthy)
				*ret_remote += endpoint->weight;
		}
	}
	xds_assignment_fini(&got);
}

static void a_first_mesh_gives_routes_networks_and_peers(void **state)
{
	struct fixture *f = *state;
	size_t own;
	uint32_t remote;
	assert_true(update(f, 1000));
	const struct xds_set *set = program_set(f->program);
	assert_non_null(xds_set_find(set, XDS_CLUSTER, str_from(sni)));
	assert_non_null(xds_set_find(set, XDS_NETWORK, STR_LIT("n2")));
	assert_null(xds_set_find(set, XDS_NETWORK, STR_LIT("n1")));
	assert_int_equal(xds_set_len(set, XDS_PEERS), 1);
	look(f, &own, &remote);
	assert_int_equal(own, 1);
	assert_int_equal(remote, 1);
}

static void an_unchanged_mesh_encodes_nothing(void **state)
{
	struct fixture *f = *state;
	update(f, 1000);
	uint64_t before = program_encoded(f->program);
	assert_false(update(f, 2000));
	assert_int_equal(program_encoded(f->program), before);
}

static void one_endpoint_more_is_one_assignment(void **state)
{
	struct fixture *f = *state;
	update(f, 1000);
	uint64_t before = program_encoded(f->program);
	put_pods(f, 0, 2, 0);
	assert_true(update(f, 2000));
	assert_int_equal(program_encoded(f->program), before + 1);
}

static void weights_go_out_at_once_then_once_a_second(void **state)
{
	struct fixture *f = *state;
	size_t own;
	uint32_t remote;
	int64_t next_ms;
	update(f, 1000);
	put_pods(f, 1, 2, 0);
	assert_true(update(f, 2000));
	put_pods(f, 1, 3, 0);
	assert_false(update(f, 2100));
	look(f, &own, &remote);
	assert_int_equal(remote, 2);
	assert_false(program_tick(f->program, 2100, &next_ms));
	assert_int_equal(next_ms, 3000);
	assert_true(program_tick(f->program, 3000, &next_ms));
	look(f, &own, &remote);
	assert_int_equal(remote, 3);
	assert_int_equal(next_ms, -1);
}

static void none_to_some_and_back_do_not_wait(void **state)
{
	struct fixture *f = *state;
	size_t own;
	uint32_t remote;
	update(f, 1000);
	put_pods(f, 1, 2, 0);
	assert_true(update(f, 2000));
	put_pods(f, 1, 0, 2);
	assert_true(update(f, 2010));
	look(f, &own, &remote);
	assert_int_equal(remote, 0);
	put_pods(f, 1, 1, 1);
	assert_true(update(f, 2020));
	look(f, &own, &remote);
	assert_int_equal(remote, 1);
}

static void a_group_that_leaves_takes_its_network_and_endpoints_along(void **state)
{
	struct fixture *f = *state;
	size_t own;
	uint32_t remote;
	update(f, 1000);
	struct mesh_network network = {.name = "n2", .joined = false};
	mesh_builder_set_network(f->builder, &network);
	assert_true(update(f, 2000));
	assert_null(xds_set_find(program_set(f->program), XDS_NETWORK, STR_LIT("n2")));
	look(f, &own, &remote);
	assert_int_equal(own, 1);
	assert_int_equal(remote, 0);
}

static void source_ranges_of_the_own_group_change_the_set_but_no_resource(void **state)
{
	struct fixture *f = *state;
	struct mesh *first = build(f);
	struct mesh_network own = *mesh_find_network(first, "n1");
	struct mesh_network other = *mesh_find_network(first, "n2");
	struct cidr range;
	char before[XDS_VERSION_MAX + 1];
	assert_true(cidr_parse(STR_LIT("192.0.2.0/24"), &range));
	update(f, 1000);
	uint64_t encoded = program_encoded(f->program);
	snprintf(before, sizeof(before), "%s", xds_set_version(program_set(f->program)));
	/* what another group's gateways accept is none of ours */
	other.source_ranges = &range;
	other.n_source_ranges = 1;
	mesh_builder_set_network(f->builder, &other);
	update(f, 2000);
	assert_string_equal(xds_set_version(program_set(f->program)), before);
	encoded = program_encoded(f->program);
	own.source_ranges = &range;
	own.n_source_ranges = 1;
	mesh_builder_set_network(f->builder, &own);
	assert_true(update(f, 3000));
	assert_string_not_equal(xds_set_version(program_set(f->program)), before);
	assert_int_equal(program_encoded(f->program), encoded);
	own.source_ranges = NULL;
	own.n_source_ranges = 0;
	mesh_builder_set_network(f->builder, &own);
	assert_true(update(f, 4000));
	assert_string_equal(xds_set_version(program_set(f->program)), before);
	mesh_unref(first);
}

static void an_address_that_everybody_finds_dead_is_still_told(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct xds_network got;
	struct mesh_gateway gateway = {.name = "gw2",
	                               .cluster = "c2",
	                               .address = "192.0.2.1",
	                               .port = 15443,
	                               .weight = 1,
	                               .live = false,
	                               .reason = "timeout"};
	struct mesh_network network = {
		.name = "n2", .joined = true, .gateways = &gateway, .n_gateways = 1};
	update(f, 1000);
	mesh_builder_set_network(f->builder, &network);
	update(f, 2000);
	struct xds_resource *resource =
		xds_set_find(program_set(f->program), XDS_NETWORK, STR_LIT("n2"));
	assert_non_null(resource);
	assert_true(xds_network_decode(STR_LIT("n2"), resource->bytes, &got, &err));
	assert_int_equal(got.n_gateways, 1);
	xds_network_fini(&got);
}

static void is_complete_only_when_every_member_is(void **state)
{
	struct fixture *f = *state;
	f->held[1] = true;
	update(f, 1000);
	assert_false(xds_set_is_complete(program_set(f->program)));
	f->held[1] = false;
	assert_true(program_review(f->program, true));
	assert_true(xds_set_is_complete(program_set(f->program)));
	assert_false(program_review(f->program, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_first_mesh_gives_routes_networks_and_peers, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(an_unchanged_mesh_encodes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_endpoint_more_is_one_assignment, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(weights_go_out_at_once_then_once_a_second, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(none_to_some_and_back_do_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_group_that_leaves_takes_its_network_and_endpoints_along, setup, teardown),
		cmocka_unit_test_setup_teardown(
			source_ranges_of_the_own_group_change_the_set_but_no_resource, setup,
			teardown),
		cmocka_unit_test_setup_teardown(an_address_that_everybody_finds_dead_is_still_told,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(is_complete_only_when_every_member_is, setup,
	                                        teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
