/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole face on loopback: a certificate store, the listener, and a gateway's own client with a
 * certificate of that store.
 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "ads/ads.h"
#include "base/clock.h"
#include "base/json.h"
#include "certs/identity.h"
#include "certs/key.h"
#include "model/snapshot_builder.h"
#include "xds/ads_client_io.h"
#include "xds/assignment.h"
#include "xds/message.h"
#include "xds/proto/report.pb-c.h"

enum {
	PEM_MAX = 1 << 20,
	PATIENCE_MS = 10000
};

struct fixture {
	char dir[64];
	struct loop *loop;
	struct metrics *metrics;
	struct cert_store *store;
	struct ads *ads;
	struct mesh_builder *builder;
	struct snapshot_builder *member;
	/* what control would know */
	bool gateway_known;
	bool lost; /* service shop/web has a part that nobody knows */
	size_t came;
	size_t went;
	size_t current;
	char said[256]; /* of routes: "PROCESS:SNI+;" usable, "PROCESS:SNI-;" not */
};

/* A gateway process. */
struct gateway {
	struct xds_uplink *uplink;
	struct xds_delta_client *state;
	struct xds_ads_client *client;
	struct cert_verifier verifier;
	size_t applied;
	size_t left;
	char refused[ERR_MSG_MAX];
};

/* --- control's side -----------------------------------------------------------------------------
 */

static bool find_gateway(const char *cluster, const char *gateway, const char **ret_network,
                         const struct locality **ret_locality, void *arg, struct err *err)
{
	const struct fixture *f = arg;
	(void)gateway;
	if (!f->gateway_known || strcmp(cluster, "c1") != 0)
		return err_set(err, ERR_FORBIDDEN, "no such gateway");
	*ret_network = "n1";
	*ret_locality = locality_none();
	return true;
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	(void)cluster;
	(void)arg;
	return err_set(err, ERR_FORBIDDEN, "not asked for in this test");
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	(void)cluster;
	(void)name;
	return ((struct fixture *)arg)->gateway_known;
}

static void review(struct cert_review *pending, const char *cluster, const char *token, void *arg)
{
	struct err err;
	(void)cluster;
	(void)token;
	(void)arg;
	err_set(&err, ERR_UNAVAILABLE, "not asked for in this test");
	cert_review_fail(pending, &err);
}

static void on_instance(const struct ads_instance *instance, bool connected, void *arg)
{
	struct fixture *f = arg;
	assert_string_equal(instance->cluster, "c1");
	assert_string_equal(instance->gateway, "gw1");
	f->came += connected ? 1 : 0;
	f->went += connected ? 0 : 1;
}

static void on_current(void *arg)
{
	((struct fixture *)arg)->current++;
}

static void on_routes(const struct ads_instance *instance, const char *process,
                      const struct ads_route_state *routes, size_t n, void *arg)
{
	struct fixture *f = arg;
	assert_string_equal(instance->cluster, "c1");
	assert_string_equal(instance->gateway, "gw1");
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(f->said);
		snprintf(f->said + len, sizeof(f->said) - len, "%s:%s%c;", process, routes[i].sni,
		         routes[i].usable ? '+' : '-');
	}
}

/* --- the mesh -----------------------------------------------------------------------------------
 */

static void put(struct fixture *f, const char *kind, json_t *obj)
{
	struct err err;
	if (!snapshot_builder_put(f->member, kind, obj, &err))
		fail_msg("%s: %s", kind, err.msg);
	json_decref(obj);
}

static void put_pods(struct fixture *f, int n_pods)
{
	json_t *endpoints = json_array();
	for (int n = 0; n < n_pods; n++) {
		char ip[32];
		snprintf(ip, sizeof(ip), "10.1.0.%d", n + 1);
		json_array_append_new(endpoints, json_pack("{s[s]}", "addresses", ip));
	}
	put(f, "EndpointSlice",
	    json_pack("{s{ss ss s{ss}} ss s[{ss si ss}] so}", "metadata", "name", "web-1",
	              "namespace", "shop", "labels", "kubernetes.io/service-name", "web",
	              "addressType", "IPv4", "ports", "name", "http", "port", 80, "protocol", "TCP",
	              "endpoints", endpoints));
}

static void publish(struct fixture *f)
{
	struct snapshot *snapshot = snapshot_builder_build(f->member);
	mesh_builder_set_snapshot(f->builder, "c1", snapshot);
	snapshot_unref(snapshot);
	struct mesh *mesh = mesh_builder_build(f->builder);
	ads_publish(f->ads, mesh);
	mesh_unref(mesh);
}

static void fill_mesh(struct fixture *f)
{
	struct mesh_settings settings;
	struct mesh_network network = {.name = "n1", .joined = true};
	struct mesh_cluster cluster = {.name = "c1",
	                               .network = "n1",
	                               .locality = locality_none(),
	                               .created_s = 1,
	                               .why_withdrawn = ""};
	f->builder = mesh_builder_create();
	f->member = snapshot_builder_create("c1");
	mesh_settings_init(&settings);
	mesh_builder_set_settings(f->builder, &settings);
	mesh_settings_fini(&settings);
	mesh_builder_set_network(f->builder, &network);
	mesh_builder_set_cluster(f->builder, &cluster);
	put(f, "Service",
	    json_pack("{s{ss ss s{ss}} s{s[{ss si ss}]}}", "metadata", "name", "web", "namespace",
	              "shop", "labels", "security.istio.io/tlsMode", "istio", "spec", "ports",
	              "name", "http", "port", 80, "protocol", "TCP"));
	put_pods(f, 1);
}

static bool service_is_lost(const char *key, void *arg)
{
	struct fixture *f = arg;
	return f->lost && strcmp(key, "shop/web") == 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;
	snprintf(f->dir, sizeof(f->dir), "/tmp/fedway-ads-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	struct cert_store_config store = {.dir = f->dir, .trust_domain = "cluster.local"};
	f->loop = loop_create();
	f->metrics = metrics_create();
	f->store = cert_store_open(&store, clock_wall_s(), &err);
	f->gateway_known = true;
	if (f->store == NULL)
		fail_msg("%s", err.msg);
	struct ads_config config = {
		.loop = f->loop,
		.store = f->store,
		.metrics = f->metrics,
		.listen = "127.0.0.1:0",
		.control = {.find_gateway = find_gateway,
	                    .review = review,
	                    .cluster_may = cluster_may,
	                    .gateway_exists = gateway_exists,
	                    .service_is_lost = service_is_lost,
	                    .on_instance = on_instance,
	                    .on_current = on_current,
	                    .on_routes = on_routes,
	                    .arg = f},
	};
	f->ads = ads_create(&config, &err);
	if (f->ads == NULL)
		fail_msg("%s", err.msg);
	fill_mesh(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	ads_destroy(f->ads);
	mesh_builder_destroy(f->builder);
	snapshot_builder_destroy(f->member);
	cert_store_close(f->store);
	metrics_destroy(f->metrics);
	loop_destroy(f->loop);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* --- the gateway's side -------------------------------------------------------------------------
 */

static void on_event(enum xds_client_event event, void *arg)
{
	struct gateway *gateway = arg;
	gateway->applied += event == XDS_CLIENT_APPLIED ? 1 : 0;
	gateway->left += event == XDS_CLIENT_LEFT ? 1 : 0;
}

static void on_stream(bool up, const struct err *why, void *arg)
{
	struct gateway *gateway = arg;
	if (!up && why != NULL)
		snprintf(gateway->refused, sizeof(gateway->refused), "%s", why->msg);
}

static bool take_all(const struct xds_resource *resource, void *arg, struct err *err)
{
	(void)resource;
	(void)arg;
	(void)err;
	return true;
}

/* Signed for `cluster` by the intermediate of `issuer`. */
static struct tls_ctx *make_tls(struct fixture *f, struct gateway *gateway, const char *cluster,
                                const char *issuer)
{
	struct err err;
	struct cert_identity who = {
		.kind = CERT_GATEWAY, .trust_domain = "cluster.local", .name = "gw1"};
	struct buf chain CLEANUP(buf_fini);
	struct buf key CLEANUP(buf_fini);
	buf_init(&chain, PEM_MAX);
	buf_init(&key, PEM_MAX);
	snprintf(who.cluster, sizeof(who.cluster), "%s", cluster);
	const struct cert_ca *ca = cert_store_cluster(f->store, issuer, clock_wall_s(), &err);
	assert_non_null(ca);
	struct cert_own_request request = {
		.identity = &who, .ttl_s = 3600, .now_wall_s = clock_wall_s()};
	assert_true(cert_ca_issue_own(ca, &request, &chain, &key, &err));
	gateway->verifier = (struct cert_verifier){.kinds = 1u << CERT_CONTROL_PLANE};
	struct tls_config config = {
		.cert_pem = buf_str(&chain),
		.key_pem = buf_str(&key),
		.roots_pem = cert_store_roots(f->store),
		.alpn = "h2",
		.peer = TLS_PEER_REQUIRED,
		.verify = cert_verifier_check,
		.verify_arg = &gateway->verifier,
	};
	return tls_client_create(&config, &err);
}

static void connect_as(struct fixture *f, struct gateway *gateway, const char *cluster,
                       const char *issuer)
{
	static char id[] = "gw1/a";
	static char name[] = "gw1";
	static char version[] = "0.1.0";
	struct err err;
	char text[ADDR_TEXT_MAX];
	struct addr addr = ads_addr(f->ads);
	struct xds_node node = {
		.id = id, .role = XDS_ROLE_GATEWAY, .name = name, .version = version, .mark = true};
	struct tls_ctx *tls = make_tls(f, gateway, cluster, issuer);
	struct xds_uplink_config uplink = {.loop = f->loop,
	                                   .address = addr_format(&addr, text),
	                                   .tls = tls,
	                                   .backoff_min_ms = 20,
	                                   .stagger_ms = -1};
	gateway->uplink = xds_uplink_create(&uplink, &err);
	tls_ctx_unref(tls);
	if (gateway->state == NULL)
		gateway->state = xds_delta_client_create(&node, take_all, NULL);
	struct xds_ads_client_config config = {.loop = f->loop,
	                                       .uplink = gateway->uplink,
	                                       .client = gateway->state,
	                                       .on_event = on_event,
	                                       .on_stream = on_stream,
	                                       .arg = gateway};
	gateway->client = xds_ads_client_create(&config);
}

static void disconnect(struct gateway *gateway)
{
	xds_ads_client_destroy(gateway->client);
	xds_uplink_destroy(gateway->uplink);
	gateway->client = NULL;
}

static void finish(struct gateway *gateway)
{
	disconnect(gateway);
	xds_delta_client_destroy(gateway->state);
}

#define WAIT_FOR(f, condition)                                                                     \
	do {                                                                                       \
		int64_t until = clock_now_ms() + PATIENCE_MS;                                      \
		while (!(condition)) {                                                             \
			if (clock_now_ms() > until)                                                \
				fail_msg("never: %s", #condition);                                 \
			loop_run_once((f)->loop, 100);                                             \
		}                                                                                  \
	} while (0)

static void count_sent(const struct ads_instance *instance, void *arg)
{
	size_t *sent = arg;
	for (size_t i = 0; i < XDS_SNAPSHOT; i++)
		*sent += instance->sent[i];
}

static size_t sent_to_all(struct fixture *f)
{
	size_t sent = 0;
	ads_for_each_instance(f->ads, count_sent, &sent);
	return sent;
}

static void find_current(const struct ads_instance *instance, void *arg)
{
	*(bool *)arg = instance->current;
}

static bool is_current(struct fixture *f)
{
	bool current = false;
	ads_for_each_instance(f->ads, find_current, &current);
	return current;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void a_gateway_gets_its_view_and_then_only_changes(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	assert_int_equal(xds_delta_client_len(gateway.state, XDS_CLUSTER), 1);
	assert_int_equal(xds_delta_client_len(gateway.state, XDS_ASSIGNMENT), 1);
	assert_string_equal(xds_delta_client_snapshot(gateway.state)->network, "n1");
	assert_int_equal(f->came, 1);
	WAIT_FOR(f, is_current(f));
	size_t before = sent_to_all(f);
	put_pods(f, 2);
	publish(f);
	WAIT_FOR(f, gateway.applied == 2);
	assert_int_equal(sent_to_all(f), before + 1);
	/* told with the last acknowledgement of each burst, not before */
	WAIT_FOR(f, f->current == 2);
	assert_true(is_current(f));
	finish(&gateway);
	WAIT_FOR(f, f->went == 1);
}

static void a_reconnect_sends_nothing_again(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	disconnect(&gateway);
	WAIT_FOR(f, f->went == 1);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 2);
	assert_int_equal(sent_to_all(f), 0);
	finish(&gateway);
}

static void a_stream_before_the_first_mesh_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, f->came == 1);
	assert_int_equal(gateway.applied, 0);
	publish(f);
	WAIT_FOR(f, gateway.applied == 1);
	finish(&gateway);
}

static void a_certificate_of_another_clusters_issuer_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c2");
	for (int i = 0; i < 5; i++)
		loop_run_once(f->loop, 100);
	assert_int_equal(f->came, 0);
	assert_int_equal(gateway.applied, 0);
	finish(&gateway);
}

static void a_gateway_that_does_not_exist_is_refused(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	f->gateway_known = false;
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, strstr(gateway.refused, "no such gateway") != NULL);
	assert_int_equal(gateway.applied, 0);
	finish(&gateway);
}

static void the_stream_of_a_gateway_that_is_deleted_ends(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	ads_review_gateways(f->ads);
	loop_run_once(f->loop, 10);
	assert_int_equal(f->went, 0);
	f->gateway_known = false;
	ads_review_gateways(f->ads);
	WAIT_FOR(f, f->went == 1 && strstr(gateway.refused, "no such gateway") != NULL);
	/* it keeps what it holds */
	assert_int_equal(xds_delta_client_len(gateway.state, XDS_CLUSTER), 1);
	finish(&gateway);
}

static size_t endpoints_held(const struct gateway *gateway)
{
	struct err err;
	struct xds_assignment got;
	struct xds_resource *resource =
		xds_delta_client_find(gateway->state, XDS_ASSIGNMENT,
	                              STR_LIT("outbound_.80_._.web.shop.svc.cluster.local"));
	assert_non_null(resource);
	assert_true(xds_assignment_decode(resource->bytes, &got, &err));
	size_t n = 0;
	for (size_t i = 0; i < got.n_localities; i++)
		n += got.localities[i].n_endpoints;
	xds_assignment_fini(&got);
	return n;
}

static void what_an_incomplete_member_has_is_held_where_it_is_known(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	ads_expect(f->ads, "c1");
	put_pods(f, 0);
	publish(f);
	for (int i = 0; i < 5; i++)
		loop_run_once(f->loop, 50);
	assert_int_equal(endpoints_held(&gateway), 1);
	ads_set_complete(f->ads, "c1");
	WAIT_FOR(f, endpoints_held(&gateway) == 0);
	finish(&gateway);
}

static void what_a_member_without_copy_had_is_held_too(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	f->lost = true;
	ads_expect(f->ads, "c2"); /* has no part in the mesh */
	put_pods(f, 0);
	publish(f);
	for (int i = 0; i < 5; i++)
		loop_run_once(f->loop, 50);
	assert_int_equal(endpoints_held(&gateway), 1);
	f->lost = false;
	ads_set_complete(f->ads, "c2");
	WAIT_FOR(f, endpoints_held(&gateway) == 0);
	finish(&gateway);
}

static void a_cluster_that_leaves_tells_its_gateways(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	f->gateway_known = false;
	ads_leave(f->ads, "c1");
	WAIT_FOR(f, gateway.left == 1);
	assert_int_equal(xds_delta_client_len(gateway.state, XDS_CLUSTER), 0);
	WAIT_FOR(f, f->went == 1);
	finish(&gateway);
}

static void on_answer(struct grpc_stream *stream, struct str message, void *arg)
{
	(void)stream;
	(void)message;
	(void)arg;
}

static void on_end(struct grpc_stream *stream, int status, const char *message, void *arg)
{
	(void)stream;
	(void)status;
	(void)message;
	(void)arg;
}

/* A process of the gateway says this of two routes, and nothing of the own endpoints of a third. */
static void report_routes(struct gateway *gateway, uint32_t own_a, uint32_t own_b)
{
	static const struct grpc_stream_events events = {.on_message = on_answer,
	                                                 .on_close = on_end};
	static char names[3][2] = {"a", "b", "c"};
	Fedway__Report__V1__RouteState routes[3];
	Fedway__Report__V1__RouteState *list[3];
	Fedway__Report__V1__Report report = FEDWAY__REPORT__V1__REPORT__INIT;
	struct buf bytes CLEANUP(buf_fini);
	buf_init(&bytes, 4096);
	for (int i = 0; i < 3; i++) {
		fedway__report__v1__route_state__init(&routes[i]);
		routes[i].sni = names[i];
		routes[i].has_own_usable = i < 2;
		routes[i].own_usable = i == 0 ? own_a : own_b;
		list[i] = &routes[i];
	}
	report.routes = list;
	report.n_routes = 3;
	xds_message_pack(&report.base, &bytes);
	struct grpc_stream *stream =
		grpc_stream_open(xds_uplink_conn(gateway->uplink),
	                         "/fedway.report.v1.Reports/Stream", NULL, &events, NULL);
	assert_true(grpc_stream_send(stream, buf_str(&bytes)));
}

static void what_a_gateway_says_of_its_own_endpoints_is_passed_on(void **state)
{
	struct fixture *f = *state;
	struct gateway gateway = {.applied = 0};
	publish(f);
	connect_as(f, &gateway, "c1", "c1");
	WAIT_FOR(f, gateway.applied == 1);
	report_routes(&gateway, 0, 7);
	WAIT_FOR(f, strcmp(f->said, "1:a-;1:b+;") == 0);
	/* another process of the same name */
	f->said[0] = '\0';
	report_routes(&gateway, 1, 0);
	WAIT_FOR(f, strcmp(f->said, "2:a+;2:b-;") == 0);
	finish(&gateway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_gateway_gets_its_view_and_then_only_changes,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(a_reconnect_sends_nothing_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_before_the_first_mesh_waits_for_it, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(a_certificate_of_another_clusters_issuer_is_refused,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(a_gateway_that_does_not_exist_is_refused, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(the_stream_of_a_gateway_that_is_deleted_ends, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(
			what_an_incomplete_member_has_is_held_where_it_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_member_without_copy_had_is_held_too, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(
			what_a_gateway_says_of_its_own_endpoints_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cluster_that_leaves_tells_its_gateways, setup,
	                                        teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
