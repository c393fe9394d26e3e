/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "status.h"
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/macros.h"
#include "kube/meta.h"

static const struct status_now noon = {.wall_s = 1800000000, .mono_ms = 5000000};
static const struct status_certificate no_certificate = {.serial = ""};

static const json_t *condition_of(const json_t *status, const char *type)
{
	size_t i;
	json_t *condition;
	json_array_foreach (json_object_get(status, "conditions"), i, condition) {
		if (strcmp(json_str_at(condition, "type", ""), type) == 0)
			return condition;
	}
	fail_msg("no condition %s", type);
	return NULL;
}

static const char *reason_of(const json_t *status, const char *type)
{
	return json_str_at(condition_of(status, type), "reason", "");
}

static const char *message_of(const json_t *status, const char *type)
{
	return json_str_at(condition_of(status, type), "message", "");
}

/* --- Cluster ------------------------------------------------------------------------------------
 */

enum {
	HAS_KUBECONFIG = 1,
	BAD_SECRET = 2,
	CLASH = 4,
	DELETING = 8,
	KNOWN = 16,
	SEEN = 32,
	REACHABLE = 64,
	COMPLETE = 128,
};

#define FINE (HAS_KUBECONFIG | KNOWN | SEEN | REACHABLE | COMPLETE)

static const struct {
	const char *what;
	unsigned facts;
	enum member_setup setup;
	const char *phase;
	const char *condition;
	const char *reason;
} phases[] = {
	{"no secret yet", 0, MEMBER_SETUP_NONE, "Pending", "KubeconfigValid", "SecretMissing"},
	{"a bad kubeconfig", BAD_SECRET, MEMBER_SETUP_NONE, "Failed", "KubeconfigValid", "Invalid"},
	{"never answered", HAS_KUBECONFIG | KNOWN, MEMBER_SETUP_NONE, "Checking", "Reachable",
         "NoAnswer"},
	{"lists under way", FINE & ~COMPLETE, MEMBER_SETUP_NONE, "Joining", "Synced", "Listing"},
	{"accounts under way", FINE, MEMBER_SETUP_RUNNING, "Joining", "Installed", "Waiting"},
	{"all done", FINE, MEMBER_SETUP_DONE, "Ready", "Ready", "Ready"},
	{"refused there", FINE, MEMBER_SETUP_FAILED, "Degraded", "Installed", "Refused"},
	{"away after it was seen", FINE & ~REACHABLE, MEMBER_SETUP_DONE, "Degraded", "Reachable",
         "NoAnswer"},
	{"the same real cluster twice", FINE | CLASH, MEMBER_SETUP_NONE, "Failed", "Ready",
         "Failed"},
	{"leaving", FINE | DELETING, MEMBER_SETUP_DONE, "Leaving", "Ready", "Leaving"},
};

static void fill(struct member *member, struct discovery_status *seen, unsigned facts,
                 enum member_setup setup)
{
	static char name[] = "c1";
	static char network[] = "n1";
	static char secret[] = "fed";
	static char twin[] = "c0";
	static char uid[] = "u-1";
	*member = (struct member){.setup = setup};
	member->spec.name = name;
	member->spec.network = network;
	member->spec.secret_namespace = secret;
	member->spec.secret_name = name;
	member->spec.cluster_uid = uid;
	member->spec.deleting = (facts & DELETING) != 0;
	member->has_kubeconfig = (facts & HAS_KUBECONFIG) != 0;
	member->clash = (facts & CLASH) != 0 ? twin : NULL;
	if ((facts & BAD_SECRET) != 0)
		err_set(&member->secret_err, ERR_INVALID, "no current-context");
	*seen = (struct discovery_status){
		.configured = true,
		.complete = (facts & COMPLETE) != 0,
		.reachable = (facts & REACHABLE) != 0,
		.observed_wall_s = (facts & SEEN) != 0 ? noon.wall_s - 100 : 0,
		.uid = "u-1",
		.network = "",
		.version = "v1.36.3",
		.bad_object = "",
		.copy_error = "",
		.error = "",
	};
}

static void a_cluster_has_the_phase_of_what_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct member member;
		struct discovery_status seen;
		json_t *obj = parse("{\"metadata\": {\"name\": \"c1\", \"generation\": 3}}");
		fill(&member, &seen, phases[i].facts, phases[i].setup);
		json_t *status =
			status_cluster(obj, &member, (phases[i].facts & KNOWN) != 0 ? &seen : NULL,
		                       &no_certificate, noon);
		if (strcmp(json_str_at(status, "phase", ""), phases[i].phase) != 0)
			fail_msg("%s: phase is %s", phases[i].what,
			         json_str_at(status, "phase", ""));
		if (strcmp(reason_of(status, phases[i].condition), phases[i].reason) != 0)
			fail_msg("%s: %s is %s", phases[i].what, phases[i].condition,
			         reason_of(status, phases[i].condition));
		json_decref(status);
		json_decref(obj);
	}
}

static void why_a_cluster_is_not_reachable_has_a_word(void **state)
{
	static const struct {
		enum err_code code;
		const char *reason;
	} rows[] = {
		{ERR_PROTOCOL, "NoKubernetesAPI"},
		{ERR_UNAUTHORIZED, "Unauthorized"},
		{ERR_FORBIDDEN, "Forbidden"},
		{ERR_TIMEOUT, "Timeout"},
		{ERR_IO, "NoAnswer"},
	};
	json_t *obj = parse("{\"metadata\": {\"name\": \"c1\"}}");
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct member member;
		struct discovery_status seen;
		fill(&member, &seen, FINE & ~REACHABLE, MEMBER_SETUP_DONE);
		seen.error = "GET /api/v1/pods: it is HTML";
		seen.error_code = rows[i].code;
		json_t *status = status_cluster(obj, &member, &seen, &no_certificate, noon);
		assert_string_equal(reason_of(status, "Reachable"), rows[i].reason);
		assert_non_null(strstr(message_of(status, "Reachable"), "it is HTML"));
		json_decref(status);
	}
	json_decref(obj);
}

static void an_unchanged_world_gives_an_equal_status(void **state)
{
	struct member member;
	struct discovery_status seen;
	json_t *obj = parse("{\"metadata\": {\"name\": \"c1\"}}");
	struct status_now later = {noon.wall_s + 20, noon.mono_ms + 20000};
	(void)state;
	fill(&member, &seen, FINE, MEMBER_SETUP_DONE);
	json_t *first = status_cluster(obj, &member, &seen, &no_certificate, noon);
	json_object_set(obj, "status", first);
	seen.observed_wall_s += 19;
	json_t *second = status_cluster(obj, &member, &seen, &no_certificate, later);
	assert_true(json_equal(first, second));
	json_decref(first);
	json_decref(second);
	json_decref(obj);
}

static void a_twin_and_a_missing_group_block_with_their_codes(void **state)
{
	struct member member;
	struct discovery_status seen;
	static char none[] = "";
	json_t *obj = parse("{\"metadata\": {\"name\": \"c1\"}}");
	(void)state;
	fill(&member, &seen, FINE | CLASH, MEMBER_SETUP_DONE);
	member.spec.network = none;
	json_t *status = status_cluster(obj, &member, &seen, &no_certificate, noon);
	const json_t *blocking = json_object_get(status, "blocking");
	assert_int_equal(json_array_size(blocking), 2);
	assert_string_equal(json_str_at(json_array_get(blocking, 0), "code", ""), "FED-403");
	assert_string_equal(json_str_at(json_array_get(blocking, 1), "code", ""), "FED-216");
	json_decref(status);
	json_decref(obj);
}

static const struct {
	const char *what;
	const char *uid; /* in the status of before */
	bool has_copy;
	bool complete;
	bool paused;
	bool leaves;
	bool waited;
	enum status_source source;
} sources[] = {
	{"lists have ended", "u-1", true, true, false, false, false, SOURCE_LISTS},
	{"copy, not heard yet", "u-1", true, false, false, false, false, SOURCE_NOT_YET},
	{"copy, not heard for long", "u-1", true, false, false, false, true, SOURCE_COPY},
	{"paused", "u-1", true, false, true, false, false, SOURCE_COPY},
	{"a new one that never answered", "", false, false, false, false, false, SOURCE_NOTHING},
	{"was a member, copy lost", "u-1", false, false, false, false, false, SOURCE_LOST},
	{"copy lost, not heard for long", "u-1", false, false, false, false, true, SOURCE_LOST},
	{"copy lost, paused", "u-1", false, false, true, false, false, SOURCE_NOTHING},
	{"copy lost, leaves", "u-1", false, false, false, true, false, SOURCE_NOTHING},
};

static void what_stands_for_a_member_after_a_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		char uid[8];
		struct member member = {.leave =
		                                sources[i].leaves ? MEMBER_DRAINING : MEMBER_STAYS};
		struct discovery_status seen = {.complete = sources[i].complete,
		                                .paused = sources[i].paused,
		                                .observed_wall_s = sources[i].has_copy ? 1 : 0};
		snprintf(uid, sizeof(uid), "%s", sources[i].uid);
		member.spec.cluster_uid = uid;
		if (status_source(&member, &seen, sources[i].waited) != sources[i].source)
			fail_msg("%s", sources[i].what);
	}
}

enum {
	WAITED = 256,
	FIRST = 512, /* it never was a member */
	FAILED = 1024,
	PAUSED = 2048,
};

static const struct {
	const char *what;
	unsigned facts;
	enum member_setup setup;
	bool known;
} knowns[] = {
	{"not heard yet", FINE & ~(REACHABLE | COMPLETE), MEMBER_SETUP_NONE, false},
	{"lists under way", FINE & ~COMPLETE, MEMBER_SETUP_NONE, false},
	{"what is made there not looked at yet", FINE, MEMBER_SETUP_NONE, false},
	{"being looked at", FINE, MEMBER_SETUP_RUNNING, false},
	{"all is there", FINE, MEMBER_SETUP_DONE, true},
	{"refused there", FINE, MEMBER_SETUP_FAILED, true},
	{"away", (FINE & ~(REACHABLE | COMPLETE)) | FAILED, MEMBER_SETUP_NONE, true},
	{"silent for long", (FINE & ~(REACHABLE | COMPLETE)) | WAITED, MEMBER_SETUP_NONE, true},
	{"a new one, lists under way", (FINE & ~COMPLETE) | FIRST, MEMBER_SETUP_NONE, true},
	{"the same real cluster twice", (FINE & ~COMPLETE) | CLASH, MEMBER_SETUP_NONE, true},
	{"leaving", (FINE & ~COMPLETE) | DELETING, MEMBER_SETUP_NONE, true},
	{"paused", (FINE & ~COMPLETE) | PAUSED, MEMBER_SETUP_NONE, true},
	{"a bad kubeconfig", (FINE & ~COMPLETE) | BAD_SECRET, MEMBER_SETUP_NONE, true},
	{"its kubeconfig is gone", FINE & ~(COMPLETE | HAS_KUBECONFIG), MEMBER_SETUP_NONE, true},
};

/* A restart is not seen in the status of a member that answers. */
static void a_status_stays_until_its_member_has_answered_or_failed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(knowns); i++) {
		struct member member;
		struct discovery_status seen;
		fill(&member, &seen, knowns[i].facts, knowns[i].setup);
		member.was_member = (knowns[i].facts & FIRST) == 0;
		member.spec.paused = (knowns[i].facts & PAUSED) != 0;
		if ((knowns[i].facts & FAILED) != 0)
			seen.error = "connection refused";
		if (status_is_known(&member, &seen, (knowns[i].facts & WAITED) != 0) !=
		    knowns[i].known)
			fail_msg("%s", knowns[i].what);
	}
}

static void a_lost_member_keeps_what_its_status_said(void **state)
{
	struct member member;
	struct discovery_status seen;
	json_t *obj = parse("{\"metadata\": {\"name\": \"c1\"}}");
	(void)state;
	fill(&member, &seen, FINE & ~(REACHABLE | COMPLETE | SEEN), MEMBER_SETUP_NONE);
	member.lost = true;
	json_t *status = status_cluster(obj, &member, &seen, &no_certificate, noon);
	assert_string_equal(reason_of(status, "Synced"), "CopyMissing");
	assert_null(json_object_get(status, "services"));
	assert_null(json_object_get(status, "observedAt"));
	json_decref(status);
	json_decref(obj);
}

/* --- groups and gateways ------------------------------------------------------------------------
 */

static void fill_world(struct world *world)
{
	world_init(world);
	world->mesh.interconnect_enabled = true;
	put(world, "{\"kind\": \"Cluster\", \"metadata\": {\"name\": \"c1\"}, \"spec\": "
	           "{\"networkGroup\": \"n1\", \"kubeconfigSecretRef\": {\"namespace\": \"f\", "
	           "\"name\": \"c1\"}}}");
	put(world, "{\"kind\": \"NetworkGroup\", \"metadata\": {\"name\": \"n1\"}, \"spec\": "
	           "{\"interconnect\": {\"joined\": true}}}");
	put(world, "{\"kind\": \"EastWestGateway\", \"metadata\": {\"name\": \"gw1\"}, \"spec\": "
	           "{\"cluster\": \"c1\", \"addresses\": [{\"address\": \"192.0.2.1\", \"port\": "
	           "15443}]}}");
}

static void connect_gateway(struct world *world)
{
	static char cluster[] = "c1";
	static char gateway[] = "gw1";
	static char name[] = "gw1-0";
	static char version[] = "0.1.0";
	struct inventory_instance instance = {
		.cluster = cluster,
		.gateway = gateway,
		.name = name,
		.version = version,
		.mark = true,
		.connected = true,
		.seen_ms = noon.mono_ms,
		.cert_not_after_s = noon.wall_s + 3600,
	};
	inventory_see(&world->inventory, &instance);
}

static void a_group_says_what_blocks_it_and_then_that_it_is_joined(void **state)
{
	struct world world;
	json_t *obj = parse("{\"metadata\": {\"name\": \"n1\"}}");
	(void)state;
	fill_world(&world);
	const struct group_spec *group = map_find_text(&world.groups, "n1");
	json_t *before = status_group(obj, &world, group, noon);
	assert_string_equal(reason_of(before, "Joined"), "Blocked");
	connect_gateway(&world);
	json_t *after = status_group(obj, &world, group, noon);
	assert_string_equal(reason_of(after, "Joined"), "InEffect");
	assert_string_equal(json_string_value(json_array_get(json_at(after, "clusters"), 0)), "c1");
	assert_string_equal(
		json_str_at(json_array_get(json_at(after, "addresses"), 0), "gateway", ""), "gw1");
	json_decref(before);
	json_decref(after);
	json_decref(obj);
	world_fini(&world);
}

static void a_gateway_shows_its_instances_and_addresses(void **state)
{
	struct world world;
	json_t *obj = parse("{\"metadata\": {\"name\": \"gw1\"}}");
	(void)state;
	fill_world(&world);
	connect_gateway(&world);
	json_t *status = status_gateway(obj, &world, map_find_text(&world.gateways, "gw1"), noon);
	const json_t *instance = json_array_get(json_at(status, "instances"), 0);
	assert_string_equal(json_str_at(instance, "name", ""), "gw1-0");
	assert_true(json_bool_at(instance, "mark", false));
	assert_string_equal(reason_of(status, "Ready"), "Connected");
	json_decref(status);
	json_decref(obj);
	world_fini(&world);
}

static void a_verdict_of_before_a_restart_is_restored_from_status(void **state)
{
	struct world world;
	(void)state;
	fill_world(&world);
	put(&world, "{\"kind\": \"EastWestGateway\", \"metadata\": {\"name\": \"gw2\"}, \"spec\": "
	            "{\"cluster\": \"c1\", \"addresses\": [{\"address\": \"192.0.2.2\", \"port\": "
	            "15443}]}, \"status\": {\"addresses\": [{\"address\": \"192.0.2.2\", \"port\": "
	            "15443, \"live\": false, \"reason\": \"timeout\"}]}}");
	assert_false(health_verdict_of(&world.health, "192.0.2.2", 15443).live);
	assert_true(health_verdict_of(&world.health, "192.0.2.1", 15443).live);
	world_fini(&world);
}

static void a_service_of_a_lost_member_is_known_by_its_status(void **state)
{
	struct world world;
	(void)state;
	fill_world(&world);
	json_t *of_c1 = parse("{\"status\": {\"clusters\": [{\"cluster\": \"c2\"}, {\"cluster\": "
	                      "\"c1\"}]}}");
	json_t *of_c2 = parse("{\"status\": {\"clusters\": [{\"cluster\": \"c2\"}]}}");
	assert_false(status_service_is_lost(of_c1, &world));
	world_member(&world, "c1")->lost = true;
	assert_true(status_service_is_lost(of_c1, &world));
	assert_false(status_service_is_lost(of_c2, &world));
	json_decref(of_c1);
	json_decref(of_c2);
	world_fini(&world);
}

static json_t *service_status_of(struct mesh_outage *outages, size_t n, const char *before)
{
	struct mesh_builder *builder = mesh_builder_create();
	struct mesh *mesh = mesh_builder_build(builder);
	struct mesh_service service = {.key = "ns/web",
	                               .ns = "ns",
	                               .name = "web",
	                               .host = "web.ns.svc.cluster.local",
	                               .outages = {outages, n}};
	json_t *obj = parse(before);
	json_t *status = status_service(obj, mesh, &service, noon);
	json_decref(obj);
	mesh_unref(mesh);
	mesh_builder_destroy(builder);
	return status;
}

static void a_service_says_where_its_endpoints_do_not_answer(void **state)
{
	static const char before[] = "{\"status\": {\"conditions\": [{\"type\": \"Answering\", "
				     "\"status\": \"False\", \"reason\": \"NotAnswering\"}]}}";
	struct mesh_outage outages[9];
	size_t i;
	json_t *condition;
	(void)state;
	for (i = 0; i < 9; i++)
		outages[i] = (struct mesh_outage){"n2", "some-name", "gateway gw2 says so"};
	json_t *status = service_status_of(outages, 9, "{}");
	assert_string_equal(reason_of(status, "Answering"), "NotAnswering");
	assert_non_null(strstr(message_of(status, "Answering"), "network n2, some-name: gateway"));
	assert_non_null(strstr(message_of(status, "Answering"), "4 more (FED-132)"));
	json_decref(status);
	/* it is over */
	status = service_status_of(NULL, 0, before);
	assert_string_equal(reason_of(status, "Answering"), "All");
	json_decref(status);
	/* and where it never was, nothing is said */
	status = service_status_of(NULL, 0, "{}");
	json_array_foreach (json_object_get(status, "conditions"), i, condition)
		assert_string_not_equal(json_str_at(condition, "type", ""), "Answering");
	json_decref(status);
}

static bool joined_now(const struct world *world)
{
	struct network_result result = world_network(world, map_find_text(&world->groups, "n1"));
	bool joined = result.network.joined;
	network_result_fini(&result);
	return joined;
}

#define GROUP_SAYS_JOINED                                                                          \
	"{\"kind\": \"NetworkGroup\", \"metadata\": {\"name\": \"n1\"}, \"spec\": "                \
	"{\"interconnect\": {\"joined\": %s}}, \"status\": {\"conditions\": [{\"type\": "          \
	"\"Joined\", "                                                                             \
	"\"status\": \"True\"}]}}"

static void a_group_in_effect_stays_so_over_a_restart_and_without_streams(void **state)
{
	struct world world;
	char text[512];
	(void)state;
	fill_world(&world);
	assert_false(joined_now(&world));
	world_remove_group(&world, "n1");
	snprintf(text, sizeof(text), GROUP_SAYS_JOINED, "true");
	put(&world, text);
	assert_true(joined_now(&world));
	/* the user's word ends it at once */
	snprintf(text, sizeof(text), GROUP_SAYS_JOINED, "false");
	put(&world, text);
	assert_false(joined_now(&world));
	/* without any gateway there is nothing to be in effect */
	snprintf(text, sizeof(text), GROUP_SAYS_JOINED, "true");
	put(&world, text);
	world_remove_gateway(&world, "gw1");
	assert_false(joined_now(&world));
	world_fini(&world);
}

static const struct {
	const char *kind;
	const char *spec;
	const char *field; /* that the condition names; NULL: all is honoured */
} supported[] = {
	{"NetworkGroup", "{\"interconnect\": {\"sourceRanges\": [\"10.0.0.0/8\"]}}", NULL},
	{"NetworkGroup", "{}", NULL},
	{"EastWestGateway", "{\"cluster\": \"c1\", \"managed\": {}}", "spec.managed"},
	{"EastWestGateway", "{\"cluster\": \"c1\"}", NULL},
};

static void nobody_claims_that_an_unchecked_address_lives(void **state)
{
	struct world world;
	json_t *obj = parse("{\"metadata\": {\"name\": \"gw1\"}}");
	int64_t next_ms;
	(void)state;
	fill_world(&world);
	const struct gateway_spec *gateway = map_find_text(&world.gateways, "gw1");
	json_t *status = status_gateway(obj, &world, gateway, noon);
	const json_t *address = json_array_get(json_at(status, "addresses"), 0);
	assert_null(json_object_get(address, "live"));
	assert_string_equal(json_str_at(address, "reason", ""),
	                    "no gateway reports on it: unknown");
	json_decref(status);
	health_report(&world.health, gateway->addresses[0].host, gateway->addresses[0].port,
	              "c2/gw2", true, "", noon.mono_ms);
	health_judge(&world.health, noon.mono_ms, &next_ms);
	status = status_gateway(obj, &world, gateway, noon);
	address = json_array_get(json_at(status, "addresses"), 0);
	assert_true(json_bool_at(address, "live", false));
	assert_string_equal(json_str_at(address, "reason", "x"), "");
	json_decref(status);
	json_decref(obj);
	world_fini(&world);
}

static void a_withdrawn_cluster_says_since_when(void **state)
{
	struct member member;
	struct discovery_status seen;
	(void)state;
	json_t *obj = parse("{\"metadata\": {\"name\": \"c1\"}}");
	fill(&member, &seen, FINE | DELETING, MEMBER_SETUP_DONE);
	json_t *status = status_cluster(obj, &member, &seen, &no_certificate, noon);
	json_object_set_new(obj, "status", status);
	assert_int_equal(status_withdrawn_s(obj), 0);
	member.leave = MEMBER_DRAINING;
	json_object_set_new(obj, "status",
	                    status_cluster(obj, &member, &seen, &no_certificate, noon));
	assert_int_equal(status_withdrawn_s(obj), noon.wall_s);
	/* a later step does not move it */
	struct status_now later = {noon.wall_s + 50, noon.mono_ms + 50000};
	member.leave = MEMBER_CLEANING;
	json_object_set_new(obj, "status",
	                    status_cluster(obj, &member, &seen, &no_certificate, later));
	assert_int_equal(status_withdrawn_s(obj), noon.wall_s);
	json_decref(obj);
}

static void put_rule(struct world *world, const char *name, const char *host, int day)
{
	char text[512];
	struct err err;
	bool moved;
	snprintf(text, sizeof(text),
	         "{\"metadata\": {\"namespace\": \"shop\", \"name\": \"%s\", "
	         "\"resourceVersion\": \"%d\", \"creationTimestamp\": \"2026-11-2%dT00:00:00Z\"}, "
	         "\"spec\": {\"host\": \"%s\"}}",
	         name, day, day, host);
	json_t *obj = parse(text);
	assert_true(world_set_rule(world, obj, &moved, &err));
	json_decref(obj);
}

static void of_two_rules_for_a_host_the_older_is_in_force_and_the_other_says_so(void **state)
{
	struct world world;
	json_t *obj = parse("{\"metadata\": {\"name\": \"a\"}}");
	(void)state;
	fill_world(&world);
	put_rule(&world, "a", "web", 2);
	put_rule(&world, "b", "web.shop.svc.cluster.local", 1);
	put_rule(&world, "c", "other", 0);
	assert_string_equal(world_rule_before(&world, "shop/a"), "shop/b");
	assert_null(world_rule_before(&world, "shop/b"));
	assert_null(world_rule_before(&world, "shop/c"));
	struct status_rule_use use = {.found = true, .before = world_rule_before(&world, "shop/a")};
	json_t *status = status_rule(obj, world_rule(&world, "shop/a")->policy, &use, noon);
	assert_string_equal(reason_of(status, "Used"), "Shadowed");
	assert_non_null(strstr(message_of(status, "Used"), "'shop/b'"));
	json_decref(status);
	assert_true(world_remove_rule(&world, "shop/b"));
	assert_null(world_rule_before(&world, "shop/a"));
	json_decref(obj);
	world_fini(&world);
}

static void what_is_wrong_with_a_locality_setting_is_said(void **state)
{
	static const struct {
		const char *setting;
		const char *said; /* NULL: nothing */
	} rows[] = {
		{"{\"distribute\": [{\"from\": \"r1/*\", \"to\": {\"r1/*\": 80, \"r2/*\": 20}}]}",
	         NULL},
		{"{\"distribute\": [{\"from\": \"r1/*\", \"to\": {\"r1/*\": 80}}]}",
	         "spec.localityLbSetting.distribute from 'r1/*' does not sum up to 100"},
		{"{\"distribute\": [{\"from\": \"\", \"to\": {\"r1/*\": 100}}]}",
	         "spec.localityLbSetting.distribute from '' is no rule"},
		{"{\"distribute\": [{\"from\": \"r1/*\", \"to\": {\"r1/*\": 100, \"/x\": 1}}]}",
	         "spec.localityLbSetting.distribute from 'r1/*' to '/x' is no rule"},
		{"{\"failover\": [{\"from\": \"r1\", \"to\": \"r1\"}]}",
	         "spec.localityLbSetting.failover from 'r1' to 'r1' needs two"},
	};
	struct world world;
	char dir[] = "/tmp/fedway-status-XXXXXX";
	struct err err;
	(void)state;
	fill_world(&world);
	assert_non_null(mkdtemp(dir));
	struct cert_store_config config = {.dir = dir, .trust_domain = "cluster.local"};
	struct cert_store *store = cert_store_open(&config, noon.wall_s, &err);
	assert_non_null(store);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct status_counts counts = {0};
		char *text = xasprintf("{\"spec\": {\"localityLbSetting\": %s}}", rows[i].setting);
		json_t *obj = parse(text);
		json_t *status = status_mesh(obj, &world, store, &counts, noon);
		const char *said = message_of(status, "Honoured");
		if (rows[i].said != NULL ? strstr(said, rows[i].said) == NULL
		                         : strcmp(reason_of(status, "Honoured"), "All") != 0)
			fail_msg("%s: %s", rows[i].setting, said);
		json_decref(status);
		json_decref(obj);
		free(text);
	}
	cert_store_close(store);
	char *command = xasprintf("rm -r %s", dir);
	assert_int_equal(system(command), 0);
	free(command);
	world_fini(&world);
}

static void what_nothing_honours_yet_is_said(void **state)
{
	struct world world;
	(void)state;
	fill_world(&world);
	for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
		char text[512];
		bool group = strcmp(supported[i].kind, "NetworkGroup") == 0;
		snprintf(text, sizeof(text),
		         "{\"kind\": \"%s\", \"metadata\": {\"name\": \"x\"}, \"spec\": %s}",
		         supported[i].kind, supported[i].spec);
		put(&world, text);
		json_t *obj = parse(text);
		json_t *status =
			group ? status_group(obj, &world, map_find_text(&world.groups, "x"), noon)
			      : status_gateway(obj, &world, map_find_text(&world.gateways, "x"),
		                               noon);
		const char *reason = reason_of(status, "Supported");
		if (strcmp(reason, supported[i].field != NULL ? "NotSupported" : "All") != 0)
			fail_msg("%s: %s", text, reason);
		json_decref(status);
		json_decref(obj);
	}
	world_fini(&world);
}

static void put_ranges(struct world *world, const char *ranges, const char *in_force)
{
	char text[512];
	snprintf(text, sizeof(text),
	         "{\"kind\": \"NetworkGroup\", \"metadata\": {\"name\": \"r\"}, \"spec\": "
	         "{\"interconnect\": {\"sourceRanges\": %s}}, \"status\": {\"sourceRanges\": %s}}",
	         ranges, in_force);
	put(world, text);
}

static void a_bad_source_range_is_named_and_the_last_good_ones_stay(void **state)
{
	struct world world;
	json_t *obj = parse("{\"metadata\": {\"name\": \"r\"}}");
	(void)state;
	fill_world(&world);
	put_ranges(&world, "[\"192.0.2.0/24\"]", "[]");
	/* its status has not been written when the next change comes */
	put_ranges(&world, "[\"192.0.2.0/24\", \"10.0.0.0/99\"]", "[]");
	const struct group_spec *group = map_find_text(&world.groups, "r");
	json_t *status = status_group(obj, &world, group, noon);
	assert_string_equal(reason_of(status, "Accepted"), "Invalid");
	assert_string_equal(
		message_of(status, "Accepted"),
		"spec.interconnect.sourceRanges[1]: '10.0.0.0/99' is no range; those of "
		"status.sourceRanges stay in force");
	assert_int_equal(json_array_size(json_at(status, "sourceRanges")), 1);
	struct network_result result = world_network(&world, group);
	assert_int_equal(result.network.n_source_ranges, 1);
	network_result_fini(&result);
	json_decref(status);
	put_ranges(&world, "[]", "[\"192.0.2.0/24\"]");
	status = status_group(obj, &world, map_find_text(&world.groups, "r"), noon);
	assert_string_equal(reason_of(status, "Accepted"), "Valid");
	assert_int_equal(json_array_size(json_at(status, "sourceRanges")), 0);
	json_decref(status);
	json_decref(obj);
	world_fini(&world);
}

static void what_a_gateway_could_is_restored_from_status(void **state)
{
	struct world world;
	const char *text =
		"{\"kind\": \"EastWestGateway\", \"metadata\": {\"name\": \"gw2\"}, "
		"\"spec\": {\"cluster\": \"c1\"}, \"status\": {\"instances\": [{\"name\": "
		"\"gw2-0\", \"version\": \"0.1.0\", \"mark\": true, \"lastSeen\": "
		"\"2026-11-25T01:00:00Z\", \"certificate\": {\"notAfter\": "
		"\"2026-11-26T01:00:00Z\"}}]}}";
	json_t *obj = parse(text);
	(void)state;
	fill_world(&world);
	put(&world, text);
	assert_true(inventory_takes_mark(&world.inventory, "gw2"));
	/* it has its ten minutes from the restart on */
	assert_false(inventory_expire(&world.inventory, 1000 + INVENTORY_INSTANCE_MS - 1));
	/* and until it is heard its status stays as it was */
	json_t *status = status_gateway(obj, &world, map_find_text(&world.gateways, "gw2"), noon);
	assert_true(json_equal(json_at(status, "instances"), json_at(obj, "status.instances")));
	assert_true(inventory_expire(&world.inventory, 1001 + INVENTORY_INSTANCE_MS));
	assert_false(inventory_takes_mark(&world.inventory, "gw2"));
	json_decref(status);
	json_decref(obj);
	world_fini(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_has_the_phase_of_what_is_known),
		cmocka_unit_test(why_a_cluster_is_not_reachable_has_a_word),
		cmocka_unit_test(an_unchanged_world_gives_an_equal_status),
		cmocka_unit_test(a_twin_and_a_missing_group_block_with_their_codes),
		cmocka_unit_test(a_group_says_what_blocks_it_and_then_that_it_is_joined),
		cmocka_unit_test(a_gateway_shows_its_instances_and_addresses),
		cmocka_unit_test(nobody_claims_that_an_unchecked_address_lives),
		cmocka_unit_test(a_withdrawn_cluster_says_since_when),
		cmocka_unit_test(
			of_two_rules_for_a_host_the_older_is_in_force_and_the_other_says_so),
		cmocka_unit_test(what_is_wrong_with_a_locality_setting_is_said),
		cmocka_unit_test(what_nothing_honours_yet_is_said),
		cmocka_unit_test(what_stands_for_a_member_after_a_start),
		cmocka_unit_test(a_status_stays_until_its_member_has_answered_or_failed),
		cmocka_unit_test(a_lost_member_keeps_what_its_status_said),
		cmocka_unit_test(a_service_of_a_lost_member_is_known_by_its_status),
		cmocka_unit_test(a_service_says_where_its_endpoints_do_not_answer),
		cmocka_unit_test(a_verdict_of_before_a_restart_is_restored_from_status),
		cmocka_unit_test(a_group_in_effect_stays_so_over_a_restart_and_without_streams),
		cmocka_unit_test(a_bad_source_range_is_named_and_the_last_good_ones_stay),
		cmocka_unit_test(what_a_gateway_could_is_restored_from_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
