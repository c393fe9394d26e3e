/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams recorded from a real istiod 1.31, step by step, and the table after each. tests/data/
 * istiod/NAME.bin holds one step of one client: per message who sent it (C or S), its length in 4
 * bytes, big endian, and its bytes. What the client of the recording sent only tells where a stream
 * begins; the state under test writes its own requests.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/pb.h"
#include "uplink/istiod.h"
#include "uplink/mesh_copy.h"
#include "xds/cluster.h"
#include "xds/message.h"
#include "xds/proto/cluster.pb-c.h"
#include "xds/proto/discovery.pb-c.h"

#define WEB     "outbound_.80_._.web.shop.svc.cluster.local"
#define WEB_V1  "outbound_.80_.v1_.web.shop.svc.cluster.local"
#define API     "outbound_.9000_._.api.shop.svc.cluster.local"
#define GATEWAY "outbound_.15443_._.istio-eastwestgateway.istio-system.svc.cluster.local"

enum {
	PORT = 15443,
	STEP_MAX = 1 << 20
};

struct scene {
	struct ew_istiod *istiod;
	struct ew_health_registry *registry;
	struct ew_mesh *mesh;
	struct ew_table *table;
	size_t bursts;
	/* of the requests since the last look */
	size_t acks;
	size_t nacks;
	char nack[1024];
	size_t subscribed;
	size_t unsubscribed;
	size_t named;     /* in initial_resource_versions */
	struct buf order; /* a letter a request: C clusters, E assignments, L listeners, a and n
	                     answers */
};

/* --- what the gateway does with it ------------------------------------------------------------ */

static void apply(struct scene *scene, struct ew_burst *burst)
{
	struct err err;
	size_t left_out;
	ew_mesh_take(scene->mesh, burst);
	struct ew_mesh_parts parts = {.old = scene->table, .burst = burst};
	struct ew_table *table = ew_mesh_table(scene->mesh, &parts, &left_out, &err);
	/* the canary has no place without a network of its own */
	assert_int_equal(left_out, 0);
	ew_burst_destroy(burst);
	ew_table_unref(scene->table);
	scene->table = table;
	scene->bursts++;
}

static char letter_of(const Envoy__DeltaDiscoveryRequest *msg)
{
	if (msg->response_nonce != NULL && msg->response_nonce[0] != '\0')
		return msg->error_detail != NULL ? 'n' : 'a';
	if (strcmp(msg->type_url, xds_type_url(XDS_CLUSTER)) == 0)
		return 'C';
	return strcmp(msg->type_url, xds_type_url(XDS_LISTENER)) == 0 ? 'L' : 'E';
}

static void read_request(struct scene *scene, struct str bytes)
{
	struct err err;
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__delta_discovery_request__descriptor, bytes, &err);
	assert_non_null(message);
	const Envoy__DeltaDiscoveryRequest *msg = (const Envoy__DeltaDiscoveryRequest *)message;
	char letter = letter_of(msg);
	buf_add_char(&scene->order, letter);
	scene->acks += letter == 'a';
	scene->nacks += letter == 'n';
	if (letter == 'n')
		snprintf(scene->nack, sizeof(scene->nack), "%s", msg->error_detail->message);
	if (letter == 'E') {
		scene->subscribed += msg->n_resource_names_subscribe;
		scene->unsubscribed += msg->n_resource_names_unsubscribe;
	}
	scene->named += msg->n_initial_resource_versions;
	assert_true(letter != 'C' || msg->node.len > 0);
	/* a change of names never comes with an answer: an istiod may drop it */
	assert_true((letter != 'a' && letter != 'n') ||
	            msg->n_resource_names_subscribe + msg->n_resource_names_unsubscribe == 0);
	xds_message_free(message);
}

static void pump(struct scene *scene)
{
	for (;;) {
		struct buf request CLEANUP(buf_fini) = {0};
		buf_init(&request, EW_ISTIOD_REQUEST_MAX);
		if (!ew_istiod_next(scene->istiod, &request))
			return;
		read_request(scene, buf_str(&request));
	}
}

static void feed(struct scene *scene, struct str response)
{
	struct err err;
	if (!ew_istiod_feed(scene->istiod, response, &err))
		fail_msg("%s", err.msg);
	struct ew_burst *burst = ew_istiod_take_burst(scene->istiod);
	if (burst != NULL)
		apply(scene, burst);
	pump(scene);
}

static void forget_requests(struct scene *scene)
{
	scene->acks = scene->nacks = scene->subscribed = scene->unsubscribed = scene->named = 0;
	scene->nack[0] = '\0';
	buf_clear(&scene->order);
}

static void start(struct scene *scene)
{
	ew_istiod_start(scene->istiod);
	pump(scene);
}

static void scene_init(struct scene *scene)
{
	struct addr none = {0};
	*scene = (struct scene){.registry = ew_health_registry_create()};
	scene->istiod = ew_istiod_create(STR_LIT("\x0a\x01x"), "c2", PORT);
	scene->mesh = ew_mesh_create(scene->registry, &none);
	scene->table = ew_table_builder_finish(ew_table_builder_create(NULL, scene->registry));
	buf_init(&scene->order, STEP_MAX);
}

static void scene_fini(struct scene *scene)
{
	ew_istiod_destroy(scene->istiod);
	ew_table_unref(scene->table);
	ew_mesh_destroy(scene->mesh);
	ew_health_registry_destroy(scene->registry);
	buf_fini(&scene->order);
}

/* --- recordings ------------------------------------------------------------------------------- */

static void load(const char *name, struct buf *ret_bytes)
{
	char path[512];
	struct err err;
	snprintf(path, sizeof(path), "%s/istiod/%s.bin", TEST_DATA_DIR, name);
	buf_init(ret_bytes, STEP_MAX);
	if (!file_load(path, ret_bytes, &err))
		fail_msg("%s", err.msg);
}

static bool next_message(struct str *rest, char *ret_who, struct str *ret_bytes)
{
	if (rest->len == 0)
		return false;
	const unsigned char *at = (const unsigned char *)rest->ptr;
	assert_true(rest->len >= 5);
	size_t len = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
	assert_true(rest->len >= 5 + len);
	*ret_who = rest->ptr[0];
	*ret_bytes = str_make(rest->ptr + 5, len);
	*rest = str_make(rest->ptr + 5 + len, rest->len - 5 - len);
	return true;
}

static void replay(struct scene *scene, const char *name)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct str message;
	char who;
	load(name, &bytes);
	struct str rest = buf_str(&bytes);
	while (next_message(&rest, &who, &message)) {
		if (who == 'S')
			feed(scene, message);
		else if (pb_find(message, 1).ptr != NULL) /* the node: a stream begins */
			start(scene);
	}
}

/* --- what a table says ------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "ADDR:PORT", with "!" behind one that is not healthy, in order; "-": no route. */
static void describe(const struct ew_table *table, const char *sni, struct buf *out)
{
	char texts[8][80];
	const struct ew_route *route = ew_table_find(table, str_from(sni));
	if (route == NULL) {
		buf_add_char(out, '-');
		return;
	}
	assert_true(route->exposed && route->n_endpoints <= N_ELEMS(texts));
	for (uint32_t i = 0; i < route->n_endpoints; i++) {
		const struct ew_endpoint *endpoint = &route->endpoints[i];
		char ip[IP_TEXT_MAX];
		assert_int_equal(endpoint->network, EW_NAME_NONE);
		snprintf(texts[i], sizeof(texts[i]), "%s:%u%s", ip_format(&endpoint->ip, ip),
		         endpoint->port, endpoint->healthy ? "" : "!");
	}
	qsort(texts, route->n_endpoints, sizeof(texts[0]), by_text);
	for (uint32_t i = 0; i < route->n_endpoints; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", texts[i]);
}

static void expect(const struct ew_table *table, const char *step, const char *sni,
                   const char *want)
{
	struct buf got CLEANUP(buf_fini) = {0};
	buf_init(&got, 1024);
	describe(table, sni, &got);
	if (strcmp(buf_text(&got), want) != 0)
		fail_msg("%s: %s is '%s', not '%s'", step, sni, buf_text(&got), want);
}

static const struct step {
	const char *name;
	uint32_t routes;
	const char *web;
	const char *web_v1;
	const char *api;
} steps[] = {
	{"01-connect", 6, "10.2.0.20:8080", "-", "-"},
	{"02-endpoint-added", 6, "10.2.0.20:8080 10.2.0.21:8080", "-", "-"},
	{"03-endpoint-not-ready", 6, "10.2.0.20:8080 10.2.0.21:8080!", "-", "-"},
	{"04-endpoint-ready-again", 6, "10.2.0.20:8080 10.2.0.21:8080", "-", "-"},
	{"05-endpoint-terminating", 6, "10.2.0.20:8080", "-", "-"},
	{"06-endpoint-removed", 6, "10.2.0.20:8080", "-", "-"},
	{"07-all-endpoints-not-ready", 6, "10.2.0.20:8080", "-", "-"},
	{"08-last-endpoint-removed", 6, "10.2.0.20:8080", "-", "-"},
	{"09-service-added", 7, "10.2.0.20:8080", "-", "10.2.0.22:9000"},
	{"10-service-hidden-by-exportto", 7, "10.2.0.20:8080", "-", "10.2.0.22:9000"},
	{"11-destinationrule-subset", 8, "10.2.0.20:8080", "10.2.0.20:8080", "10.2.0.22:9000"},
	{"12-gateway-hosts-narrowed", 3, "10.2.0.20:8080", "10.2.0.20:8080", "10.2.0.22:9000"},
	{"13-gateway-hosts-one-service", 2, "10.2.0.20:8080", "10.2.0.20:8080", "-"},
	{"14-gateway-deleted", 8, "10.2.0.20:8080", "10.2.0.20:8080", "10.2.0.22:9000"},
	{"15-service-deleted", 7, "10.2.0.20:8080", "10.2.0.20:8080", "-"},
	{"16-destinationrule-deleted", 6, "10.2.0.20:8080", "-", "-"},
	{"17-tlsmode-label-removed", 6, "10.2.0.20:8080", "-", "-"},
	{"18-remote-secret-removed", 2, "", "-", "-"},
	{"19-remote-secret-restored", 6, "10.2.0.20:8080", "-", "-"},
	{"20-istiod-restarted", 6, "10.2.0.20:8080", "-", "-"},
	{"21-istiod-restarted-service-gone", 5, "-", "-", "-"},
};

static void check_step(const struct scene *scene, const struct step *step)
{
	if (ew_table_n_routes(scene->table) != step->routes)
		fail_msg("%s: %u routes, not %u", step->name, ew_table_n_routes(scene->table),
		         step->routes);
	expect(scene->table, step->name, WEB, step->web);
	expect(scene->table, step->name, WEB_V1, step->web_v1);
	expect(scene->table, step->name, API, step->api);
	if (scene->nacks > 0)
		fail_msg("%s: refused: %s", step->name, scene->nack);
}

static void every_recorded_step_leaves_the_table_it_should(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	for (size_t i = 0; i < N_ELEMS(steps); i++) {
		forget_requests(&scene);
		replay(&scene, steps[i].name);
		check_step(&scene, &steps[i]);
	}
	scene_fini(&scene);
}

static void the_table_between_two_responses_is_right_as_well(void **state)
{
	/* of steps in which something goes and comes back: WEB or API after each response */
	static const struct {
		size_t step;
		const char *sni;
		const char *want[10];
	} cases[] = {
		{6, WEB, {"10.2.0.20:8080!", "10.2.0.20:8080"}},
		{7, WEB, {"", "10.2.0.20:8080"}},
		{9, API, {"-", "-", "-", "-", "-", "10.2.0.22:9000"}},
		{13, WEB, {"-", "-", "-", "-", "10.2.0.20:8080"}},
		{16, WEB, {"", "10.2.0.20:8080"}},
		{17, WEB, {"10.2.0.20:8080", "", ""}},
	};
	struct scene scene;
	(void)state;
	scene_init(&scene);
	for (size_t i = 0, at = 0; i < N_ELEMS(steps); i++) {
		struct buf bytes CLEANUP(buf_fini) = {0};
		struct str message;
		char who;
		size_t n = 0;
		if (at == N_ELEMS(cases) || cases[at].step != i) {
			replay(&scene, steps[i].name);
			continue;
		}
		load(steps[i].name, &bytes);
		struct str rest = buf_str(&bytes);
		while (next_message(&rest, &who, &message)) {
			if (who != 'S')
				continue;
			feed(&scene, message);
			assert_non_null(cases[at].want[n]);
			expect(scene.table, steps[i].name, cases[at].sni, cases[at].want[n++]);
		}
		at++;
	}
	scene_fini(&scene);
}

static void asks_for_what_may_be_exposed_and_answers_everything(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	start(&scene);
	assert_string_equal(buf_text(&scene.order), "CL");
	forget_requests(&scene);
	replay(&scene, "01-connect");
	/* its first message begins the stream again; then three responses */
	assert_string_equal(buf_text(&scene.order), "CLaEaa");
	assert_int_equal(scene.subscribed, 6);
	assert_int_equal(scene.named, 0);
	assert_true(ew_istiod_is_complete(scene.istiod));
	assert_int_equal(scene.bursts, 1);
	assert_non_null(strchr(ew_istiod_version(scene.istiod), '/'));
	scene_fini(&scene);
}

static void no_table_before_all_three_types_were_answered(void **state)
{
	struct scene scene;
	struct buf bytes CLEANUP(buf_fini) = {0};
	struct str message;
	char who;
	size_t n = 0;
	(void)state;
	scene_init(&scene);
	start(&scene);
	load("01-connect", &bytes);
	struct str rest = buf_str(&bytes);
	while (next_message(&rest, &who, &message)) {
		if (who != 'S')
			continue;
		feed(&scene, message);
		assert_int_equal(ew_istiod_is_complete(scene.istiod), ++n == 3);
		assert_int_equal(scene.bursts, n == 3);
	}
	scene_fini(&scene);
}

static void a_service_that_goes_is_not_asked_for_any_more(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	for (size_t i = 0; i < 14; i++)
		replay(&scene, steps[i].name);
	forget_requests(&scene);
	replay(&scene, "15-service-deleted");
	assert_int_equal(scene.unsubscribed, 1);
	assert_int_equal(scene.subscribed, 0);
	scene_fini(&scene);
}

static void a_new_stream_names_what_is_held_and_changes_nothing_by_itself(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	for (size_t i = 0; i < 19; i++)
		replay(&scene, steps[i].name);
	forget_requests(&scene);
	size_t bursts = scene.bursts;
	uint64_t version = ew_table_version(scene.table);
	start(&scene);
	assert_string_equal(buf_text(&scene.order), "CEL");
	assert_int_equal(scene.named, 6 + 1);
	assert_int_equal(scene.subscribed, 6);
	check_step(&scene, &steps[18]);
	replay(&scene, "20-istiod-restarted");
	/* everything came again, nothing was another one */
	assert_int_equal(scene.bursts, bursts);
	assert_int_equal(ew_table_version(scene.table), version);
	scene_fini(&scene);
}

/* --- bad resources ---------------------------------------------------------------------------- */

static void add_resource(Envoy__DeltaDiscoveryResponse *msg, Envoy__Resource *resource,
                         Google__Any *any, struct str bytes)
{
	google__any__init(any);
	any->type_url = msg->type_url;
	any->has_value = true;
	any->value.data = (uint8_t *)(uintptr_t)bytes.ptr;
	any->value.len = bytes.len;
	resource->resource = any;
	msg->n_resources++;
}

/* A response that removes one name. */
static void send_removed(struct scene *scene, enum xds_type type, const char *name)
{
	Envoy__DeltaDiscoveryResponse msg = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	char *own_name CLEANUP(free_ptr) = xstrdup(name);
	char *url CLEANUP(free_ptr) = xstrdup(xds_type_url(type));
	char *nonce CLEANUP(free_ptr) = xstrdup("n");
	struct buf out CLEANUP(buf_fini) = {0};
	msg.type_url = url;
	msg.nonce = nonce;
	msg.removed_resources = &own_name;
	msg.n_removed_resources = 1;
	buf_init(&out, STEP_MAX);
	xds_message_pack(&msg.base, &out);
	feed(scene, buf_str(&out));
}

/* A response of one resource. */
static void send_one(struct scene *scene, enum xds_type type, const char *name, struct str bytes)
{
	Envoy__DeltaDiscoveryResponse msg = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	Envoy__Resource resource = ENVOY__RESOURCE__INIT;
	Envoy__Resource *list[] = {&resource};
	Google__Any any;
	char *own_name CLEANUP(free_ptr) = xstrdup(name);
	char *url CLEANUP(free_ptr) = xstrdup(xds_type_url(type));
	char *nonce CLEANUP(free_ptr) = xstrdup("n");
	struct buf out CLEANUP(buf_fini) = {0};
	msg.type_url = url;
	msg.nonce = nonce;
	msg.resources = list;
	resource.name = own_name;
	add_resource(&msg, &resource, &any, bytes);
	buf_init(&out, STEP_MAX);
	xds_message_pack(&msg.base, &out);
	feed(scene, buf_str(&out));
}

static void a_bad_resource_is_named_and_the_last_good_one_stays(void **state)
{
	static const struct {
		enum xds_type type;
		const char *name;
		struct str bytes;
		const char *says;
	} cases[] = {
		{XDS_CLUSTER, WEB, STR_LIT("\x0a\x01x\x10\x03"), "is not the resource's"},
		{XDS_CLUSTER, WEB, STR_LIT("\x10\x03\x0a\x7f"), WEB ": "},
		{XDS_ASSIGNMENT, WEB, STR_LIT("\xff"), WEB ": "},
		{XDS_LISTENER, "0.0.0.0_15443", STR_LIT("\x1a\x7f"), "0.0.0.0_15443: the listener"},
	};
	struct scene scene;
	struct ew_istiod_stats stats;
	(void)state;
	scene_init(&scene);
	replay(&scene, "01-connect");
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		forget_requests(&scene);
		send_one(&scene, cases[i].type, cases[i].name, cases[i].bytes);
		assert_int_equal(scene.nacks, 1);
		if (strstr(scene.nack, cases[i].says) == NULL)
			fail_msg("case %zu: '%s' does not say '%s'", i, scene.nack, cases[i].says);
		scene.nacks = 0;
		check_step(&scene, &steps[0]);
	}
	ew_istiod_stats(scene.istiod, &stats);
	assert_int_equal(stats.refused, 3);
	assert_true(stats.why[0] != '\0');
	/* good ones take their place */
	replay(&scene, "20-istiod-restarted");
	ew_istiod_stats(scene.istiod, &stats);
	assert_int_equal(stats.refused, 0);
	scene_fini(&scene);
}

static void a_cluster_behind_dns_is_no_route_and_no_fault(void **state)
{
	struct scene scene;
	struct ew_istiod_stats stats;
	Envoy__Cluster cluster = ENVOY__CLUSTER__INIT;
	struct buf bytes CLEANUP(buf_fini) = {0};
	char name[] = WEB;
	(void)state;
	scene_init(&scene);
	replay(&scene, "01-connect");
	forget_requests(&scene);
	cluster.name = name;
	cluster.has_type = true;
	cluster.type = ENVOY__CLUSTER__DISCOVERY_TYPE__STRICT_DNS;
	buf_init(&bytes, STEP_MAX);
	xds_message_pack(&cluster.base, &bytes);
	send_one(&scene, XDS_CLUSTER, WEB, buf_str(&bytes));
	assert_int_equal(scene.nacks, 0);
	expect(scene.table, "DNS", WEB, "-");
	ew_istiod_stats(scene.istiod, &stats);
	assert_int_equal(stats.unresolved, 1);
	assert_int_equal(stats.routes, 5);
	scene_fini(&scene);
}

static void an_assignment_that_is_removed_is_one_without_endpoints(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	replay(&scene, "01-connect");
	send_removed(&scene, XDS_ASSIGNMENT, WEB);
	expect(scene.table, "removed", WEB, "");
	assert_int_equal(ew_table_n_routes(scene.table), 6);
	send_removed(&scene, XDS_ASSIGNMENT, API); /* nobody asked for it */
	assert_int_equal(ew_table_n_routes(scene.table), 6);
	replay(&scene, "02-endpoint-added");
	check_step(&scene, &steps[1]);
	scene_fini(&scene);
}

/* The outlier detection of WEB as it would be in the disk copy. */
static uint32_t consecutive_of(const struct scene *scene)
{
	static char id[] = "gw";
	const struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY};
	struct xds_cluster cluster;
	struct err err;
	struct xds_delta_client *copy = xds_delta_client_create(&node, ew_burst_check, NULL);
	ew_istiod_copy(scene->istiod, copy);
	const struct xds_resource *resource =
		xds_delta_client_find(copy, XDS_CLUSTER, STR_LIT(WEB));
	assert_non_null(resource);
	assert_true(xds_cluster_decode(resource->bytes, &cluster, &err));
	uint32_t consecutive = cluster.outlier.consecutive;
	xds_cluster_fini(&cluster);
	xds_delta_client_destroy(copy);
	return consecutive;
}

static void either_number_of_a_destination_rule_ejects(void **state)
{
	/* OutlierDetection bytes: 1 consecutive_5xx, 5 its enforcing, 10 gateway, 11 its enforcing
	 */
	static const struct {
		struct str detection;
		uint32_t want;
	} cases[] = {
		{STR_LIT("\x0a\x02\x08\x07\x2a\x02\x08\x64"), 7},
		{STR_LIT("\x0a\x02\x08\x07\x2a\x02\x08\x64\x52\x02\x08\x03\x5a\x02\x08\x64"), 3},
		{STR_LIT("\x0a\x02\x08\x07\x52\x02\x08\x09\x5a\x02\x08\x64"), 7},
		{STR_LIT("\x52\x02\x08\x03"), 5}, /* not enforced; Envoy's default of the other */
		{STR_LIT("\x0a\x00\x2a\x00\x52\x02\x08\x03\x5a\x02\x08\x64"), 3},
		{STR_LIT("\x0a\x00\x2a\x00"), 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct scene scene;
		struct buf bytes CLEANUP(buf_fini) = {0};
		scene_init(&scene);
		replay(&scene, "01-connect");
		buf_init(&bytes, STEP_MAX);
		buf_printf(&bytes, "\x0a%c%s\x10\x03", (int)strlen(WEB), WEB);
		buf_printf(&bytes, "\x9a\x01%c", (int)cases[i].detection.len);
		buf_add_str(&bytes, cases[i].detection);
		send_one(&scene, XDS_CLUSTER, WEB, buf_str(&bytes));
		if (scene.nacks > 0)
			fail_msg("case %zu: %s", i, scene.nack);
		if (consecutive_of(&scene) != cases[i].want)
			fail_msg("case %zu: %u, not %u", i, consecutive_of(&scene), cases[i].want);
		scene_fini(&scene);
	}
}

static void what_is_held_can_be_named_in_one_request(void **state)
{
	struct scene scene;
	struct ew_istiod_stats stats;
	struct buf bytes CLEANUP(buf_fini) = {0};
	char name[EW_NAME_LEN_MAX + 1];
	(void)state;
	scene_init(&scene);
	buf_init(&bytes, STEP_MAX);
	start(&scene);
	size_t fits = EW_ISTIOD_NAMES_MAX / (240 + EW_ISTIOD_NAME_EXTRA);
	for (size_t i = 0; i < fits + 10; i++) {
		snprintf(name, sizeof(name), "outbound_.80_._.%0*zu", 240 - 16, i);
		buf_clear(&bytes);
		buf_printf(&bytes, "\x0a%c\x01%s\x10\x03", (240 & 127) | 128, name);
		send_one(&scene, XDS_CLUSTER, name, buf_str(&bytes));
	}
	ew_istiod_stats(scene.istiod, &stats);
	assert_int_equal(stats.clusters, fits);
	assert_int_equal(scene.nacks, 10);
	assert_non_null(strstr(scene.nack, "take over"));
	forget_requests(&scene);
	start(&scene); /* requests that are too large do not decode */
	assert_int_equal(scene.named, fits);
	assert_int_equal(scene.subscribed, fits);
	/* one less makes room for another */
	snprintf(name, sizeof(name), "outbound_.80_._.%0*d", 240 - 16, 0);
	send_removed(&scene, XDS_CLUSTER, name);
	buf_clear(&bytes);
	buf_printf(&bytes, "\x0a%c%s\x10\x03", (int)strlen(WEB), WEB);
	send_one(&scene, XDS_CLUSTER, WEB, buf_str(&bytes));
	ew_istiod_stats(scene.istiod, &stats);
	assert_int_equal(stats.clusters, fits);
	scene_fini(&scene);
}

static void malformed_responses_end_the_stream(void **state)
{
	static const struct str cases[] = {
		STR_LIT("\xff"),
		STR_LIT("\x22\x01x\x2a\x01n"), /* an unknown type */
		STR_LIT("\x22\x3ctype.googleapis.com/envoy.config.cluster.v3.Cluster"),
	};
	struct scene scene;
	struct err err;
	(void)state;
	scene_init(&scene);
	replay(&scene, "01-connect");
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		assert_false(ew_istiod_feed(scene.istiod, cases[i], &err));
	check_step(&scene, &steps[0]);
	scene_fini(&scene);
}

/* --- disk copy -------------------------------------------------------------------------------- */

static void a_table_from_the_disk_copy_is_the_one_that_was_routed(void **state)
{
	static char id[] = "gw";
	const struct xds_node node = {.id = id, .role = XDS_ROLE_GATEWAY};
	struct scene scene;
	struct scene again;
	struct err err;
	struct buf text CLEANUP(buf_fini) = {0};
	(void)state;
	scene_init(&scene);
	scene_init(&again);
	for (size_t i = 0; i < 13; i++)
		replay(&scene, steps[i].name);
	struct xds_delta_client *from = xds_delta_client_create(&node, ew_burst_check, NULL);
	ew_istiod_copy(scene.istiod, from);
	buf_init(&text, STEP_MAX);
	ew_mesh_copy_format(from, &text);
	struct xds_delta_client *to = xds_delta_client_create(&node, ew_burst_check, NULL);
	assert_false(ew_mesh_copy_parse(buf_str(&text), "c1", to, &err));
	if (!ew_mesh_copy_parse(buf_str(&text), "c2", to, &err))
		fail_msg("%s", err.msg);
	apply(&again, ew_burst_create(to, true));
	check_step(&again, &steps[12]);
	xds_delta_client_destroy(from);
	xds_delta_client_destroy(to);
	scene_fini(&again);
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_step_leaves_the_table_it_should),
		cmocka_unit_test(the_table_between_two_responses_is_right_as_well),
		cmocka_unit_test(asks_for_what_may_be_exposed_and_answers_everything),
		cmocka_unit_test(no_table_before_all_three_types_were_answered),
		cmocka_unit_test(a_service_that_goes_is_not_asked_for_any_more),
		cmocka_unit_test(a_new_stream_names_what_is_held_and_changes_nothing_by_itself),
		cmocka_unit_test(a_bad_resource_is_named_and_the_last_good_one_stays),
		cmocka_unit_test(a_cluster_behind_dns_is_no_route_and_no_fault),
		cmocka_unit_test(an_assignment_that_is_removed_is_one_without_endpoints),
		cmocka_unit_test(either_number_of_a_destination_rule_ejects),
		cmocka_unit_test(what_is_held_can_be_named_in_one_request),
		cmocka_unit_test(malformed_responses_end_the_stream),
		cmocka_unit_test(a_table_from_the_disk_copy_is_the_one_that_was_routed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
