/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/ingress.h"
#include "xds/message.h"
#include "xds/network.h"
#include "xds/proto/cluster.pb-c.h"
#include "xds/proto/endpoint.pb-c.h"
#include "xds/proto/fedway.pb-c.h"
#include "xds/proto/listener.pb-c.h"

#define SNI "outbound_.5000_._.helloworld.sample.svc.cluster.local"

static char sni[] = SNI;

static void cluster_comes_back_as_it_went(void **state)
{
	(void)state;
	char service[] = "sample/helloworld";
	char port_name[] = "http";
	const struct xds_cluster rows[] = {
		{.sni = sni},
		{.sni = sni, .service = service, .port_name = port_name, .exposed = true},
		{.sni = sni, .weighted = true, .lb = XDS_LB_RANDOM, .panic_percent = 30},
		{.sni = sni,
	         .lb = XDS_LB_SOURCE_IP,
	         .connect_timeout_ms = 1500,
	         .idle_timeout_ms = 90000},
		{.sni = sni,
	         .lb = XDS_LB_LEAST_REQUEST,
	         .max_connections = 7,
	         .outlier = {3, 1000, 30000, 100}},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct xds_cluster back;
		const struct xds_cluster *row = &rows[i];
		struct xds_resource *one = xds_cluster_encode(row, &err);
		struct xds_resource *two = xds_cluster_encode(row, &err);
		assert_non_null(one);
		assert_true(xds_resource_eq(one, two));
		assert_true(str_is(one->name, SNI));
		assert_true(xds_cluster_decode(one->bytes, &back, &err));
		assert_string_equal(back.sni, row->sni);
		assert_int_equal(back.exposed, row->exposed);
		assert_int_equal(back.weighted, row->weighted);
		assert_int_equal(back.lb, row->lb);
		assert_int_equal(back.connect_timeout_ms, row->connect_timeout_ms);
		assert_int_equal(back.idle_timeout_ms, row->idle_timeout_ms);
		assert_int_equal(back.max_connections, row->max_connections);
		assert_int_equal(back.panic_percent, row->panic_percent);
		assert_memory_equal(&back.outlier, &row->outlier, sizeof(back.outlier));
		assert_int_equal(back.service != NULL, row->service != NULL);
		if (row->service != NULL)
			assert_string_equal(back.service, row->service);
		if (row->port_name != NULL)
			assert_string_equal(back.port_name, row->port_name);
		xds_cluster_fini(&back);
		xds_resource_unref(one);
		xds_resource_unref(two);
	}
}

static void cluster_is_what_envoy_wants(void **state)
{
	(void)state;
	struct err err;
	struct xds_cluster cluster = {.sni = sni, .weighted = true};
	struct xds_resource *resource = xds_cluster_encode(&cluster, &err);
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__cluster__descriptor, resource->bytes, &err);
	const Envoy__Cluster *msg = (const Envoy__Cluster *)message;
	assert_int_equal(msg->type, ENVOY__CLUSTER__DISCOVERY_TYPE__EDS);
	assert_non_null(msg->eds_cluster_config->eds_config->ads);
	assert_int_equal(msg->eds_cluster_config->eds_config->resource_api_version,
	                 ENVOY__API_VERSION__V3);
	assert_non_null(msg->common_lb_config->locality_weighted_lb_config);
	assert_true(msg->common_lb_config->healthy_panic_threshold->has_value);
	assert_true(msg->circuit_breakers->thresholds[0]->max_connections->value == UINT32_MAX);
	assert_null(msg->outlier_detection);
	xds_message_free(message);
	xds_resource_unref(resource);
}

/* Decodes what a control plane that is not ours may send; fill writes into an EDS cluster. */
static bool decode_foreign(void (*fill)(Envoy__Cluster *msg, const void *arg), const void *arg,
                           struct xds_cluster *ret_cluster, struct err *err)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	Envoy__Cluster msg = ENVOY__CLUSTER__INIT;
	msg.name = sni;
	msg.has_type = true;
	msg.type = ENVOY__CLUSTER__DISCOVERY_TYPE__EDS;
	buf_init(&bytes, 4096);
	fill(&msg, arg);
	xds_message_pack(&msg.base, &bytes);
	return xds_cluster_decode(buf_str(&bytes), ret_cluster, err);
}

static void fill_lb(Envoy__Cluster *msg, const void *arg)
{
	const int *value = arg;
	msg->has_lb_policy = true;
	msg->lb_policy = (Envoy__Cluster__LbPolicy)*value;
}

static void a_load_balancer_that_we_do_not_have_is_refused_by_name(void **state)
{
	static const struct {
		int value;
		bool ok;
		enum xds_lb lb;
	} rows[] = {
		{0, true, XDS_LB_ROUND_ROBIN},
		{1, true, XDS_LB_LEAST_REQUEST},
		{2, true, XDS_LB_SOURCE_IP},
		{3, true, XDS_LB_RANDOM},
		{5, true, XDS_LB_SOURCE_IP},
		{6, false, 0},
		{7, false, 0},
		{42, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct xds_cluster cluster = {0};
		struct err err;
		assert_int_equal(decode_foreign(fill_lb, &rows[i].value, &cluster, &err),
		                 rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(cluster.lb, rows[i].lb);
		else
			assert_non_null(strstr(err.msg, "lb_policy: "));
		xds_cluster_fini(&cluster);
	}
}

/* What a foreign OutlierDetection says; -1: the field is absent. */
struct outlier_row {
	int errors_5xx;
	int enforce_5xx;
	int gateway;
	int enforce_gateway;
	bool split;
	int local;
	uint32_t want;
};

static void fill_outlier(Envoy__Cluster *msg, const void *arg)
{
	static Google__UInt32Value values[5];
	static Envoy__OutlierDetection detection;
	const struct outlier_row *row = arg;
	const int numbers[] = {row->errors_5xx, row->enforce_5xx, row->gateway,
	                       row->enforce_gateway, row->local};
	envoy__outlier_detection__init(&detection);
	Google__UInt32Value **fields[] = {&detection.consecutive_5xx,
	                                  &detection.enforcing_consecutive_5xx,
	                                  &detection.consecutive_gateway_failure,
	                                  &detection.enforcing_consecutive_gateway_failure,
	                                  &detection.consecutive_local_origin_failure};
	for (size_t i = 0; i < N_ELEMS(numbers); i++) {
		google__uint32_value__init(&values[i]);
		values[i].has_value = true;
		values[i].value = (uint32_t)numbers[i];
		if (numbers[i] >= 0)
			*fields[i] = &values[i];
	}
	detection.has_split_external_local_origin_errors = row->split;
	detection.split_external_local_origin_errors = row->split;
	msg->outlier_detection = &detection;
}

static void the_lowest_enforced_limit_of_failed_connects_counts(void **state)
{
	static const struct outlier_row rows[] = {
		{-1, -1, -1, -1, false, -1, 5}, {3, -1, -1, -1, false, -1, 3},
		{0, 0, 7, 100, false, -1, 7},   {9, -1, 7, 100, false, -1, 7},
		{9, -1, 7, 0, false, -1, 9},    {0, 0, -1, -1, false, -1, 0},
		{-1, 0, -1, -1, false, 2, 0},   {1, -1, 1, 100, true, -1, 5},
		{1, -1, 1, 100, true, 8, 8},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct xds_cluster cluster;
		struct err err;
		assert_true(decode_foreign(fill_outlier, &rows[i], &cluster, &err));
		assert_int_equal(cluster.outlier.consecutive, rows[i].want);
		assert_int_equal(cluster.outlier.interval_ms, 10000);
		assert_int_equal(cluster.outlier.base_ejection_ms, 30000);
		assert_int_equal(cluster.outlier.max_ejection_percent, 10);
		xds_cluster_fini(&cluster);
	}
}

static void refuses_names_that_no_sni_can_be(void **state)
{
	(void)state;
	const char *rows[] = {"", "Upper.case", "white space", "new\nline", "\x80"};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct xds_cluster cluster = {.sni = xstrdup(rows[i])};
		assert_null(xds_cluster_encode(&cluster, &err));
		assert_int_equal(err.code, ERR_INVALID);
		xds_cluster_fini(&cluster);
	}
}

/* --- assignments ------------------------------------------------------------------------------ */

static struct xds_endpoint *add_pod(struct xds_locality *locality, const char *addr)
{
	struct xds_endpoint *endpoint = xds_locality_add_endpoint(locality);
	assert_true(addr_parse(str_from(addr), &endpoint->addr));
	return endpoint;
}

static void fill(struct xds_assignment *assignment)
{
	*assignment = (struct xds_assignment){.sni = xstrdup(SNI), .weighted_health = true};
	struct xds_locality *near = xds_assignment_add_locality(assignment);
	near->region = xstrdup("region1");
	near->zone = xstrdup("zone1");
	near->weight = 80;
	add_pod(near, "10.0.0.1:5000")->cluster = xstrdup("c1");
	struct xds_endpoint *sick = add_pod(near, "[2001:db8::1]:5000");
	sick->healthy = false;
	sick->weight = 3;
	struct xds_locality *far = xds_assignment_add_locality(assignment);
	far->region = xstrdup("region2");
	far->zone = xstrdup("z");
	far->subzone = xstrdup("s");
	far->priority = 1;
	struct xds_endpoint *remote = xds_locality_add_endpoint(far);
	remote->network = xstrdup("network2");
	remote->cluster = xstrdup("c2");
	remote->weight = 7;
	struct xds_endpoint *any = xds_locality_add_endpoint(far);
	any->network = xstrdup("network2");
	any->draining = true;
	any->healthy = false;
}

static void assert_text(const char *a, const char *b)
{
	assert_int_equal(a != NULL, b != NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static void assert_same(const struct xds_assignment *a, const struct xds_assignment *b)
{
	assert_string_equal(a->sni, b->sni);
	assert_int_equal(a->weighted_health, b->weighted_health);
	assert_int_equal(a->overprovisioning_percent, b->overprovisioning_percent);
	assert_int_equal(a->n_localities, b->n_localities);
	for (size_t i = 0; i < a->n_localities; i++) {
		const struct xds_locality *la = &a->localities[i];
		const struct xds_locality *lb = &b->localities[i];
		assert_text(la->region, lb->region);
		assert_text(la->zone, lb->zone);
		assert_text(la->subzone, lb->subzone);
		assert_int_equal(la->priority, lb->priority);
		assert_int_equal(la->weight, lb->weight);
		assert_int_equal(la->n_endpoints, lb->n_endpoints);
		for (size_t j = 0; j < la->n_endpoints; j++) {
			const struct xds_endpoint *ea = &la->endpoints[j];
			const struct xds_endpoint *eb = &lb->endpoints[j];
			assert_text(ea->network, eb->network);
			assert_text(ea->cluster, eb->cluster);
			assert_true(addr_eq(&ea->addr, &eb->addr));
			assert_int_equal(ea->weight, eb->weight);
			assert_int_equal(ea->healthy, eb->healthy);
			assert_int_equal(ea->draining, eb->draining);
		}
	}
}

static void assignment_comes_back_as_it_went(void **state)
{
	(void)state;
	struct err err;
	struct xds_assignment assignment;
	struct xds_assignment back;
	fill(&assignment);
	struct xds_resource *resource = xds_assignment_encode(&assignment, &err);
	assert_non_null(resource);
	assert_true(xds_assignment_decode(resource->bytes, &back, &err));
	assert_same(&assignment, &back);
	struct xds_resource *again = xds_assignment_encode(&back, &err);
	assert_true(xds_resource_eq(resource, again));
	xds_resource_unref(resource);
	xds_resource_unref(again);
	xds_assignment_fini(&assignment);
	xds_assignment_fini(&back);
}

static void empty_assignment_has_a_name_and_nothing_else(void **state)
{
	(void)state;
	struct err err;
	struct xds_assignment back;
	struct xds_resource *resource = xds_assignment_encode_empty(STR_LIT(SNI), &err);
	assert_true(xds_assignment_decode(resource->bytes, &back, &err));
	assert_string_equal(back.sni, SNI);
	assert_int_equal(back.n_localities, 0);
	xds_assignment_fini(&back);
	xds_resource_unref(resource);
}

static void hole_in_priorities(struct xds_assignment *a)
{
	a->localities[1].priority = 2;
}

static void priority_too_high(struct xds_assignment *a)
{
	a->localities[1].priority = XDS_PRIORITY_MAX + 1;
}

static void weight_zero(struct xds_assignment *a)
{
	a->localities[0].endpoints[0].weight = 0;
}

static void weights_too_heavy(struct xds_assignment *a)
{
	a->localities[0].endpoints[0].weight = UINT32_MAX;
}

static void locality_weights_too_heavy(struct xds_assignment *a)
{
	a->localities[0].weight = UINT32_MAX;
	a->localities[1].weight = UINT32_MAX;
	a->localities[1].priority = 0;
}

static void slash_in_network(struct xds_assignment *a)
{
	free(a->localities[1].endpoints[0].network);
	a->localities[1].endpoints[0].network = xstrdup("a/b");
}

static void no_port(struct xds_assignment *a)
{
	a->localities[0].endpoints[0].addr.port = 0;
}

static void refuses_assignments_that_envoy_would(void **state)
{
	(void)state;
	void (*const rows[])(struct xds_assignment *) = {
		hole_in_priorities, priority_too_high,          weight_zero, weights_too_heavy,
		slash_in_network,   locality_weights_too_heavy, no_port,
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct xds_assignment assignment;
		fill(&assignment);
		rows[i](&assignment);
		assert_null(xds_assignment_encode(&assignment, &err));
		assert_int_equal(err.code, ERR_INVALID);
		xds_assignment_fini(&assignment);
	}
}

static struct buf pack_endpoint(const char *name, const char *address, uint32_t port)
{
	Envoy__SocketAddress socket = ENVOY__SOCKET_ADDRESS__INIT;
	Envoy__Address addr = ENVOY__ADDRESS__INIT;
	Envoy__Endpoint endpoint = ENVOY__ENDPOINT__INIT;
	Envoy__LbEndpoint lb = ENVOY__LB_ENDPOINT__INIT;
	Envoy__LocalityLbEndpoints locality = ENVOY__LOCALITY_LB_ENDPOINTS__INIT;
	Envoy__ClusterLoadAssignment msg = ENVOY__CLUSTER_LOAD_ASSIGNMENT__INIT;
	Envoy__LbEndpoint *lbs[] = {&lb};
	Envoy__LocalityLbEndpoints *localities[] = {&locality};
	socket.address = (char *)(uintptr_t)address;
	socket.has_port_value = true;
	socket.port_value = port;
	addr.socket_address = &socket;
	endpoint.address = &addr;
	lb.endpoint = address != NULL ? &endpoint : NULL;
	lb.endpoint_name = (char *)(uintptr_t)name;
	locality.lb_endpoints = lbs;
	locality.n_lb_endpoints = 1;
	msg.cluster_name = sni;
	msg.endpoints = localities;
	msg.n_endpoints = 1;
	struct buf bytes;
	buf_init(&bytes, 4096);
	xds_message_pack(&msg.base, &bytes);
	return bytes;
}

static void refuses_endpoints_that_are_nowhere(void **state)
{
	(void)state;
	const struct {
		const char *name;
		const char *address;
		uint32_t port;
		bool good;
	} rows[] = {
		{NULL, "10.0.0.1", 80, true},    {NULL, "example.com", 80, false},
		{NULL, "10.0.0.1", 0, false},    {NULL, "10.0.0.1", 65536, false},
		{NULL, NULL, 0, false},          {"network/n2/c2", NULL, 0, true},
		{"network/n2/", NULL, 0, true},  {"network/n2", NULL, 0, false},
		{"network//c2", NULL, 0, false}, {"network/n2/c2/x", NULL, 0, false},
		{"other/n2/c2", NULL, 0, false}, {"network/N2/c2", NULL, 0, false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct xds_assignment back;
		struct buf bytes = pack_endpoint(rows[i].name, rows[i].address, rows[i].port);
		bool ok = xds_assignment_decode(buf_str(&bytes), &back, &err);
		if (ok != rows[i].good)
			fail_msg("row %zu", i);
		if (ok)
			xds_assignment_fini(&back);
		buf_fini(&bytes);
	}
}

/* --- ours ------------------------------------------------------------------------------------- */

static void network_and_peers_come_back_as_they_went(void **state)
{
	(void)state;
	struct err err;
	char name[] = "network2";
	char gw[] = "gw-2";
	char c2[] = "c2";
	char host[] = "gw.example.com";
	char ip[] = "192.0.2.2";
	char none[] = "";
	struct xds_gateway gateways[] = {{gw, c2, host, 15443, 3, true},
	                                 {none, none, ip, 15443, 1, false}};
	struct xds_network network = {name, gateways, 2};
	struct xds_network back;
	struct xds_resource *resource = xds_network_encode(&network, &err);
	assert_true(xds_network_decode(resource->name, resource->bytes, &back, &err));
	assert_string_equal(back.name, name);
	assert_int_equal(back.n_gateways, 2);
	assert_string_equal(back.gateways[0].address, host);
	assert_string_equal(back.gateways[0].cluster, c2);
	assert_int_equal(back.gateways[0].weight, 3);
	assert_true(back.gateways[0].mark);
	assert_string_equal(back.gateways[1].name, "");
	assert_false(back.gateways[1].mark);
	xds_network_fini(&back);
	xds_resource_unref(resource);

	char *clusters[] = {c2, gw};
	struct xds_peers peers = {clusters, 2};
	struct xds_peers peers_back;
	resource = xds_peers_encode(&peers, &err);
	assert_true(str_is(resource->name, "default"));
	assert_true(xds_peers_decode(resource->bytes, &peers_back, &err));
	assert_int_equal(peers_back.n_clusters, 2);
	assert_string_equal(peers_back.clusters[1], gw);
	xds_peers_fini(&peers_back);
	xds_resource_unref(resource);
}

static void snapshot_carries_source_ranges(void **state)
{
	(void)state;
	static const char *const texts[] = {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32",
	                                    "2001:db8::/32", "::/0"};
	struct err err;
	struct cidr ranges[5];
	for (size_t i = 0; i < 5; i++)
		assert_true(cidr_parse(str_from(texts[i]), &ranges[i]));
	struct xds_snapshot snapshot = {.source_ranges = ranges, .n_source_ranges = 5};
	struct xds_resource *resource = xds_snapshot_encode(&snapshot, &err);
	struct xds_snapshot back;
	assert_true(xds_snapshot_decode(resource->bytes, &back, &err));
	assert_int_equal(back.n_source_ranges, 5);
	assert_memory_equal(back.source_ranges, ranges, sizeof(ranges));
	xds_snapshot_fini(&back);

	ProtobufCMessage *message =
		xds_message_unpack(&fedway__xds__v1__snapshot__descriptor, resource->bytes, &err);
	const Fedway__Xds__V1__Snapshot *msg = (const Fedway__Xds__V1__Snapshot *)message;
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(msg->source_ranges[i], texts[i]);
	xds_message_free(message);
	xds_resource_unref(resource);
}

static void refuses_snapshots_whose_source_ranges_are_none(void **state)
{
	(void)state;
	struct err err;
	struct xds_snapshot back;
	/* field 7, wire type 2: "10.0.0.0/33" */
	assert_false(xds_snapshot_decode(STR_LIT("\x3a\x0b"
	                                         "10.0.0.0/33"),
	                                 &back, &err));
	assert_string_equal(err.msg, "source_ranges[0]: '10.0.0.0/33' is no range");
}

static void ingress_listener_lets_mesh_traffic_find_its_cluster(void **state)
{
	(void)state;
	struct err err;
	struct addr listen;
	assert_true(addr_parse(STR_LIT("0.0.0.0:15443"), &listen));
	struct xds_resource *resource = xds_ingress_encode(&listen, &err);
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__listener__descriptor, resource->bytes, &err);
	const Envoy__Listener *msg = (const Envoy__Listener *)message;
	assert_int_equal(msg->address->socket_address->port_value, 15443);
	assert_int_equal(msg->n_filter_chains, 1);
	assert_int_equal(msg->filter_chains[0]->filter_chain_match->n_application_protocols, 5);
	assert_string_equal(msg->filter_chains[0]->filters[0]->name,
	                    "envoy.filters.network.sni_cluster");
	assert_string_equal(msg->filter_chains[0]->filters[1]->typed_config->type_url,
	                    "type.googleapis.com/"
	                    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy");
	xds_message_free(message);
	xds_resource_unref(resource);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cluster_comes_back_as_it_went),
		cmocka_unit_test(cluster_is_what_envoy_wants),
		cmocka_unit_test(a_load_balancer_that_we_do_not_have_is_refused_by_name),
		cmocka_unit_test(the_lowest_enforced_limit_of_failed_connects_counts),
		cmocka_unit_test(refuses_names_that_no_sni_can_be),
		cmocka_unit_test(assignment_comes_back_as_it_went),
		cmocka_unit_test(empty_assignment_has_a_name_and_nothing_else),
		cmocka_unit_test(refuses_assignments_that_envoy_would),
		cmocka_unit_test(refuses_endpoints_that_are_nowhere),
		cmocka_unit_test(network_and_peers_come_back_as_they_went),
		cmocka_unit_test(snapshot_carries_source_ranges),
		cmocka_unit_test(refuses_snapshots_whose_source_ranges_are_none),
		cmocka_unit_test(ingress_listener_lets_mesh_traffic_find_its_cluster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
