/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as a stock Envoy meets it. Responses are written as one line each:
 * "cds +a +b", "eds +a()" for an empty assignment, "cds -a", "lds" for one without anything.
 */
#include "pbc_priv.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xds/assignment.h"
#include "xds/delta_server.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

struct envoy {
	struct xds_delta_server *server;
	struct xds_set *set;
	char said[1024]; /* the last responses, "; " between them */
	char nonce[32];  /* of the last one */
	enum xds_type type;
	size_t len; /* bytes of the largest */
	struct xds_request_info info;
};

static void put(struct xds_set *set, enum xds_type type, const char *name, const char *content)
{
	struct err err;
	struct xds_resource *resource =
		xds_resource_create(type, str_from(name), str_from(content), &err);
	assert_non_null(resource);
	xds_set_put(set, resource, false);
	xds_resource_unref(resource);
}

static void put_service(struct xds_set *set, const char *name)
{
	put(set, XDS_CLUSTER, name, "cluster 1");
	put(set, XDS_ASSIGNMENT, name, "assignment 1");
}

static void setup(struct envoy *envoy)
{
	*envoy = (struct envoy){.server = xds_delta_server_create(), .set = xds_set_create()};
	xds_set_set_complete(envoy->set, true);
}

static void teardown(struct envoy *envoy)
{
	xds_delta_server_destroy(envoy->server);
	xds_set_unref(envoy->set);
}

static const char *short_name(enum xds_type type)
{
	return type == XDS_CLUSTER ? "cds" : type == XDS_ASSIGNMENT ? "eds" : "lds";
}

static void note(struct envoy *envoy, const Envoy__DeltaDiscoveryResponse *msg)
{
	char *end = envoy->said + strlen(envoy->said);
	size_t room = sizeof(envoy->said) - strlen(envoy->said);
	assert_true(xds_type_parse(str_from(msg->type_url), &envoy->type));
	int n = snprintf(end, room, "%s%s", envoy->said[0] != '\0' ? "; " : "",
	                 short_name(envoy->type));
	for (size_t i = 0; i < msg->n_resources && i < 5; i++) {
		const Envoy__Resource *resource = msg->resources[i];
		struct xds_assignment decoded;
		struct err err;
		bool empty =
			envoy->type == XDS_ASSIGNMENT &&
			xds_assignment_decode(pbc_str(resource->resource->value), &decoded, &err);
		if (empty) {
			assert_string_equal(decoded.sni, resource->name);
			xds_assignment_fini(&decoded);
		}
		n += snprintf(end + n, room - (size_t)n, " +%s%s", resource->name,
		              empty ? "()" : "");
	}
	for (size_t i = 0; i < msg->n_removed_resources; i++)
		n += snprintf(end + n, room - (size_t)n, " -%s", msg->removed_resources[i]);
	snprintf(envoy->nonce, sizeof(envoy->nonce), "%s", msg->nonce);
}

/* All that the server has to say now. */
static const char *hear(struct envoy *envoy)
{
	envoy->said[0] = '\0';
	for (;;) {
		struct buf bytes CLEANUP(buf_fini) = {0};
		struct err err;
		buf_init(&bytes, 64 << 20);
		if (!xds_delta_server_next(envoy->server, &bytes))
			return envoy->said;
		envoy->len = bytes.len > envoy->len ? bytes.len : envoy->len;
		ProtobufCMessage *message = xds_message_unpack(
			&envoy__delta_discovery_response__descriptor, buf_str(&bytes), &err);
		assert_non_null(message);
		note(envoy, (const Envoy__DeltaDiscoveryResponse *)message);
		xds_message_free(message);
	}
}

struct ask {
	enum xds_type type;
	const char *names; /* "a,b" */
	const char *leave;
	const char *versions; /* names held, with version `v` */
	const char *nonce;
	const char *error;
	bool without_node;
};

static size_t split(char *text, char *ret_names[16])
{
	size_t n = 0;
	for (char *item = text; item != NULL && *item != '\0';) {
		char *comma = strchr(item, ',');
		if (comma != NULL)
			*comma++ = '\0';
		ret_names[n++] = item;
		item = comma;
	}
	return n;
}

static bool ask(struct envoy *envoy, const struct ask *ask, struct err *err)
{
	char names[256];
	char leave[256];
	char versions[256];
	char *name_list[16];
	char *leave_list[16];
	char *version_list[16];
	char v[] = "v";
	Envoy__DeltaDiscoveryRequest__VersionEntry entries[16];
	Envoy__DeltaDiscoveryRequest__VersionEntry *entry_list[16];
	Google__Status status = GOOGLE__STATUS__INIT;
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	snprintf(names, sizeof(names), "%s", ask->names != NULL ? ask->names : "");
	snprintf(leave, sizeof(leave), "%s", ask->leave != NULL ? ask->leave : "");
	snprintf(versions, sizeof(versions), "%s", ask->versions != NULL ? ask->versions : "");
	msg.type_url = str_lend(xds_type_url(ask->type));
	msg.resource_names_subscribe = name_list;
	msg.n_resource_names_subscribe = split(names, name_list);
	msg.resource_names_unsubscribe = leave_list;
	msg.n_resource_names_unsubscribe = split(leave, leave_list);
	msg.n_initial_resource_versions = split(versions, version_list);
	msg.initial_resource_versions = entry_list;
	for (size_t i = 0; i < msg.n_initial_resource_versions; i++) {
		envoy__delta_discovery_request__version_entry__init(&entries[i]);
		entries[i].key = version_list[i];
		entries[i].value = v;
		entry_list[i] = &entries[i];
	}
	msg.has_node = !ask->without_node;
	msg.node = pbc_bytes(STR_LIT("\x0a\x01"
	                             "e"));
	msg.response_nonce = str_lend(ask->nonce);
	status.message = str_lend(ask->error);
	msg.error_detail = ask->error != NULL ? &status : NULL;
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, 1 << 20);
	xds_message_pack(&msg.base, &bytes);
	envoy->info = (struct xds_request_info){0};
	bool ok = xds_delta_server_feed(envoy->server, buf_str(&bytes), &envoy->info, err);
	if (ok && envoy->info.node != NULL)
		xds_delta_server_set_set(envoy->server, envoy->set);
	return ok;
}

static const char *say(struct envoy *envoy, const struct ask *what)
{
	struct err err;
	if (!ask(envoy, what, &err))
		fail_msg("%s", err.msg);
	return hear(envoy);
}

/* Subscribes as Envoy does at its start and acknowledges everything. */
static void start(struct envoy *envoy)
{
	setup(envoy);
	put_service(envoy->set, "a");
	put_service(envoy->set, "b");
	put(envoy->set, XDS_LISTENER, "l", "1");
	assert_string_equal(say(envoy, &(struct ask){.type = XDS_CLUSTER}), "cds +a +b");
	assert_string_equal(say(envoy, &(struct ask){.type = XDS_CLUSTER, .nonce = envoy->nonce}),
	                    "");
	assert_string_equal(say(envoy, &(struct ask){.type = XDS_ASSIGNMENT, .names = "a,b"}),
	                    "eds +a +b");
	assert_string_equal(say(envoy, &(struct ask){.type = XDS_LISTENER}), "lds +l");
}

static void starts_as_envoy_does(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	assert_string_equal(hear(&envoy), "");
	teardown(&envoy);
}

static void first_answer_may_be_empty_but_comes(void **state)
{
	(void)state;
	struct envoy envoy;
	setup(&envoy);
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_CLUSTER}), "cds");
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_LISTENER}), "lds");
	teardown(&envoy);
}

static void first_clusters_come_in_one_message(void **state)
{
	(void)state;
	struct envoy envoy;
	setup(&envoy);
	char *content = calloc(1, (1 << 20) + 1);
	memset(content, 'x', 1 << 20);
	for (int i = 0; i < 6; i++) {
		char name[8];
		snprintf(name, sizeof(name), "r%d", i);
		content[0] = (char)('0' + i);
		put(envoy.set, XDS_CLUSTER, name, content);
	}
	free(content);
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_CLUSTER}),
	                    "cds +r0 +r1 +r2 +r3 +r4");
	assert_true(envoy.len > 6 << 20);
	teardown(&envoy);
}

static void cluster_is_followed_by_its_unchanged_assignment(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	put(envoy.set, XDS_CLUSTER, "a", "cluster 2");
	assert_string_equal(hear(&envoy), "cds +a; eds +a");
	put(envoy.set, XDS_ASSIGNMENT, "a", "assignment 2");
	assert_string_equal(hear(&envoy), "eds +a");
	teardown(&envoy);
}

static void withdraws_endpoints_by_an_empty_assignment(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	xds_set_remove(envoy.set, XDS_CLUSTER, STR_LIT("a"));
	xds_set_remove(envoy.set, XDS_ASSIGNMENT, STR_LIT("a"));
	assert_string_equal(hear(&envoy), "eds +a(); cds -a");
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT, .leave = "a"}), "");
	put_service(envoy.set, "a");
	assert_string_equal(hear(&envoy), "cds +a");
	teardown(&envoy);
}

static void answers_unknown_names(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT, .names = "zz"}),
	                    "eds +zz()");
	teardown(&envoy);
}

static void answers_a_repeated_subscription(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT, .names = "a"}),
	                    "eds +a");
	teardown(&envoy);
}

static void waits_with_unknown_names_until_it_knows_all(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	xds_set_set_complete(envoy.set, false);
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT, .names = "zz"}), "");
	xds_set_remove(envoy.set, XDS_ASSIGNMENT, STR_LIT("a"));
	assert_string_equal(hear(&envoy), "");
	xds_set_set_complete(envoy.set, true);
	assert_string_equal(hear(&envoy), "eds +a() +zz()");
	teardown(&envoy);
}

static void reports_a_refusal_and_holds_until_it_changes(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	put(envoy.set, XDS_CLUSTER, "a", "cluster 2");
	assert_string_equal(hear(&envoy), "cds +a; eds +a");
	struct err err;
	/* nonces count from 1: cds, eds, lds, cds, eds */
	assert_true(ask(&envoy,
	                &(struct ask){.type = XDS_CLUSTER, .nonce = "4", .error = "no good"},
	                &err));
	assert_non_null(envoy.info.outcome);
	assert_false(envoy.info.outcome->accepted);
	assert_string_equal(envoy.info.outcome->message, "no good");
	assert_int_equal(envoy.info.outcome->n_resources, 1);
	assert_true(str_is(envoy.info.outcome->resources[0]->name, "a"));
	assert_string_equal(hear(&envoy), "");
	put(envoy.set, XDS_CLUSTER, "a", "cluster 3");
	assert_string_equal(hear(&envoy), "cds +a; eds +a");
	struct xds_delta_stats stats;
	xds_delta_server_stats(envoy.server, &stats);
	assert_int_equal(stats.nacks, 1);
	teardown(&envoy);
}

static void stale_nonce_says_nothing_but_its_subscriptions_count(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	put_service(envoy.set, "c");
	assert_string_equal(hear(&envoy), "cds +c");
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT,
	                                              .names = "c",
	                                              .nonce = "77",
	                                              .error = "stale"}),
	                    "eds +c");
	assert_null(envoy.info.outcome);
	teardown(&envoy);
}

static void initial_versions_spare_what_is_unchanged(void **state)
{
	(void)state;
	struct envoy envoy;
	setup(&envoy);
	struct err err;
	struct xds_resource *held = xds_resource_create_versioned(XDS_CLUSTER, STR_LIT("held"),
	                                                          STR_LIT("v"), STR_LIT("x"), &err);
	xds_set_put(envoy.set, held, false);
	xds_resource_unref(held);
	put(envoy.set, XDS_CLUSTER, "changed", "2");
	put(envoy.set, XDS_CLUSTER, "new", "1");
	assert_string_equal(
		say(&envoy, &(struct ask){.type = XDS_CLUSTER, .versions = "held,changed,gone"}),
		"cds +changed +new; cds -gone");
	teardown(&envoy);
}

static void stops_when_too_many_are_unanswered(void **state)
{
	(void)state;
	struct envoy envoy;
	start(&envoy);
	char content[16];
	for (int i = 0; i < 2 * XDS_OUTSTANDING_MAX; i++) {
		snprintf(content, sizeof(content), "%d", i);
		put(envoy.set, XDS_ASSIGNMENT, "a", content);
		hear(&envoy);
	}
	struct xds_delta_stats stats;
	xds_delta_server_stats(envoy.server, &stats);
	assert_int_equal(stats.outstanding, XDS_OUTSTANDING_MAX);
	assert_string_equal(hear(&envoy), "");
	assert_string_equal(say(&envoy, &(struct ask){.type = XDS_ASSIGNMENT, .nonce = "2"}),
	                    "eds +a");
	teardown(&envoy);
}

static void refuses_bad_requests(void **state)
{
	(void)state;
	struct envoy envoy;
	struct err err;
	char long_name[XDS_NAME_MAX + 2];
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	setup(&envoy);
	assert_false(ask(&envoy, &(struct ask){.type = XDS_CLUSTER, .without_node = true}, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_false(xds_delta_server_feed(envoy.server, STR_LIT("\xff\xff"), &envoy.info, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	teardown(&envoy);
}

static void ignores_types_of_others(void **state)
{
	(void)state;
	struct envoy envoy;
	struct err err;
	start(&envoy);
	char url[] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	msg.type_url = url;
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, 4096);
	xds_message_pack(&msg.base, &bytes);
	assert_true(xds_delta_server_feed(envoy.server, buf_str(&bytes), &envoy.info, &err));
	assert_string_equal(hear(&envoy), "");
	teardown(&envoy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_as_envoy_does),
		cmocka_unit_test(first_answer_may_be_empty_but_comes),
		cmocka_unit_test(first_clusters_come_in_one_message),
		cmocka_unit_test(cluster_is_followed_by_its_unchanged_assignment),
		cmocka_unit_test(withdraws_endpoints_by_an_empty_assignment),
		cmocka_unit_test(answers_unknown_names),
		cmocka_unit_test(answers_a_repeated_subscription),
		cmocka_unit_test(waits_with_unknown_names_until_it_knows_all),
		cmocka_unit_test(reports_a_refusal_and_holds_until_it_changes),
		cmocka_unit_test(stale_nonce_says_nothing_but_its_subscriptions_count),
		cmocka_unit_test(initial_versions_spare_what_is_unchanged),
		cmocka_unit_test(stops_when_too_many_are_unanswered),
		cmocka_unit_test(refuses_bad_requests),
		cmocka_unit_test(ignores_types_of_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
