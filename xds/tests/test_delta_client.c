/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

static void put_service(struct pair *pair, const char *name, const char *content)
{
	pair_put(pair->set, XDS_CLUSTER, name, content);
	pair_put(pair->set, XDS_ASSIGNMENT, name, content);
}

static void start(struct pair *pair)
{
	pair_init(pair);
	put_service(pair, "a", "1");
	put_service(pair, "b", "1");
	pair_put(pair->set, XDS_NETWORK, "n2", "1");
	pair_put(pair->set, XDS_PEERS, "default", "c1 c2");
	pair_connect(pair, true);
	pair_pump(pair);
	assert_int_equal(pair->event, XDS_CLIENT_APPLIED);
}

static void first_burst_takes_effect_at_its_snapshot(void **state)
{
	(void)state;
	struct pair pair;
	pair_init(&pair);
	put_service(&pair, "a", "1");
	pair_put(pair.set, XDS_NETWORK, "n2", "1");
	pair_connect(&pair, true);
	while (pair_to_server(&pair)) {
	}
	for (int i = 0; i < 3; i++) {
		assert_true(pair_to_client(&pair));
		assert_int_equal(xds_delta_client_len(pair.client, XDS_CLUSTER), 0);
		assert_null(xds_delta_client_snapshot(pair.client));
	}
	assert_true(pair_to_client(&pair));
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	pair_assert_equal(&pair);
	size_t n;
	assert_non_null(xds_delta_client_changes(pair.client, &n));
	assert_int_equal(n, 3);
	const struct xds_snapshot *snapshot = xds_delta_client_snapshot(pair.client);
	assert_string_equal(snapshot->network, "n1");
	assert_string_equal(snapshot->cluster, "c1");
	assert_string_equal(snapshot->locality, "r/z/s");
	assert_string_equal(snapshot->version, xds_set_version(pair.set));
	pair_fini(&pair);
}

static void sends_only_what_changed(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair.responses = 0;
	pair_put(pair.set, XDS_ASSIGNMENT, "a", "2");
	pair_pump(&pair);
	assert_int_equal(pair.responses, 2);
	size_t n;
	const struct xds_change *changes = xds_delta_client_changes(pair.client, &n);
	assert_int_equal(n, 1);
	assert_true(str_is(changes[0].name, "a"));
	assert_true(str_is(changes[0].resource->bytes, "2"));
	pair_fini(&pair);
}

static void a_change_of_source_ranges_sends_the_snapshot_alone(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair.responses = 0;
	struct cidr range;
	assert_true(cidr_parse(STR_LIT("192.0.2.0/24"), &range));
	struct xds_set_info info = {.network = "n1",
	                            .cluster = "c1",
	                            .locality = "r/z/s",
	                            .source_ranges = &range,
	                            .n_source_ranges = 1};
	xds_set_describe(pair.set, &info);
	pair_pump(&pair);
	assert_int_equal(pair.responses, 1);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	const struct xds_snapshot *snapshot = xds_delta_client_snapshot(pair.client);
	assert_int_equal(snapshot->n_source_ranges, 1);
	assert_memory_equal(snapshot->source_ranges, &range, sizeof(range));
	size_t n;
	IGNORE(xds_delta_client_changes(pair.client, &n));
	assert_int_equal(n, 0);

	info.n_source_ranges = 0;
	xds_set_describe(pair.set, &info);
	pair_pump(&pair);
	assert_int_equal(pair.responses, 2);
	assert_int_equal(xds_delta_client_snapshot(pair.client)->n_source_ranges, 0);
	pair_fini(&pair);
}

static void tells_removals(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	xds_set_remove(pair.set, XDS_CLUSTER, STR_LIT("a"));
	xds_set_remove(pair.set, XDS_ASSIGNMENT, STR_LIT("a"));
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	size_t n;
	const struct xds_change *changes = xds_delta_client_changes(pair.client, &n);
	assert_int_equal(n, 2);
	assert_null(changes[0].resource);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void reconnect_sends_nothing_unchanged(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair_connect(&pair, true);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	struct xds_delta_stats stats;
	xds_delta_server_stats(pair.server, &stats);
	assert_int_equal(stats.sent[XDS_CLUSTER], 0);
	assert_int_equal(stats.sent[XDS_ASSIGNMENT], 0);
	assert_int_equal(stats.sent[XDS_NETWORK], 0);
	assert_int_equal(stats.sent[XDS_SNAPSHOT], 1);
	assert_string_equal(stats.acked_version, xds_set_version(pair.set));
	pair_fini(&pair);
}

static void reconnect_tells_what_changed_meanwhile(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair_put(pair.set, XDS_ASSIGNMENT, "a", "2");
	xds_set_remove(pair.set, XDS_NETWORK, STR_LIT("n2"));
	pair_connect(&pair, true);
	pair_pump(&pair);
	pair_assert_equal(&pair);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "a"), "2"));
	pair_fini(&pair);
}

static void broken_burst_leaves_no_trace(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	put_service(&pair, "c", "1");
	pair_put(pair.set, XDS_ASSIGNMENT, "a", "2");
	assert_true(pair_to_client(&pair));
	pair_connect(&pair, true);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "a"), "1"));
	assert_int_equal(xds_delta_client_len(pair.client, XDS_CLUSTER), 2);
	pair_pump(&pair);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void takes_the_good_and_names_the_bad(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair.bad = "bad";
	put_service(&pair, "bad", "1");
	put_service(&pair, "good", "1");
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	assert_int_equal(pair.refusals, 2);
	assert_string_equal(pair.nack, "bad: made to be refused");
	assert_true(str_is(pair_held(&pair, XDS_CLUSTER, "good"), "1"));
	assert_null(pair_held(&pair, XDS_CLUSTER, "bad").ptr);

	/* a refused name counts as held, so what follows is no resync */
	pair_put(pair.set, XDS_ASSIGNMENT, "a", "2");
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);

	pair.bad = NULL;
	put_service(&pair, "bad", "2");
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void keeps_last_good_of_a_refused_change(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	pair.bad = "a";
	pair_put(pair.set, XDS_ASSIGNMENT, "a", "2");
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "a"), "1"));
	xds_set_remove(pair.set, XDS_ASSIGNMENT, STR_LIT("a"));
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void asks_for_everything_when_counts_differ(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	/* a resource the server has never heard of, as after a bug or a bad disk copy */
	pair_connect(&pair, true);
	while (pair_to_server(&pair)) {
	}
	struct xds_resource *foreign = pair_resource(XDS_CLUSTER, "foreign", "1");
	xds_delta_client_restore(pair.client, foreign);
	xds_resource_unref(foreign);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_RESYNC);
	assert_int_equal(xds_delta_client_len(pair.client, XDS_CLUSTER), 3);
	pair_connect(&pair, false);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void drops_everything_when_left(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	struct xds_set *empty = xds_set_create();
	xds_set_replace(pair.set, empty);
	xds_set_unref(empty);
	struct xds_set_info info = {.left = true, .network = "n1", .cluster = "c1"};
	xds_set_describe(pair.set, &info);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_LEFT);
	assert_int_equal(xds_delta_client_len(pair.client, XDS_CLUSTER), 0);
	assert_null(xds_delta_client_snapshot(pair.client));
	pair_fini(&pair);
}

static void incomplete_set_removes_nothing(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	/* the server starts anew and knows only part */
	struct xds_set *partial = xds_set_create();
	pair_put(partial, XDS_CLUSTER, "a", "1");
	pair_put_hold(partial, XDS_ASSIGNMENT, "a", "half", true);
	pair_put(partial, XDS_CLUSTER, "new", "1");
	pair_put_hold(partial, XDS_ASSIGNMENT, "new", "half", true);
	xds_set_unref(pair.set);
	pair.set = partial;
	pair_connect(&pair, true);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "a"), "1"));
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "b"), "1"));
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "new"), "half"));
	assert_true(str_is(pair_held(&pair, XDS_NETWORK, "n2"), "1"));

	/* a held entry that changes while on hold stays as it was */
	pair_put_hold(partial, XDS_ASSIGNMENT, "new", "more", true);
	pair_pump(&pair);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "new"), "half"));

	pair_put(partial, XDS_ASSIGNMENT, "a", "half");
	pair_put(partial, XDS_ASSIGNMENT, "new", "more");
	xds_set_set_complete(partial, true);
	pair_pump(&pair);
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	pair_assert_equal(&pair);
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "a"), "half"));
	assert_true(str_is(pair_held(&pair, XDS_ASSIGNMENT, "new"), "more"));
	assert_null(pair_held(&pair, XDS_NETWORK, "n2").ptr);
	pair_fini(&pair);
}

static void another_set_sends_the_difference(void **state)
{
	(void)state;
	struct pair pair;
	start(&pair);
	struct xds_set *other = xds_set_create();
	xds_set_replace(other, pair.set);
	xds_set_set_complete(other, true);
	pair_put(other, XDS_ASSIGNMENT, "b", "2");
	xds_set_remove(other, XDS_CLUSTER, STR_LIT("a"));
	xds_set_remove(other, XDS_ASSIGNMENT, STR_LIT("a"));
	xds_delta_server_set_set(pair.server, other);
	xds_set_unref(pair.set);
	pair.set = other;
	struct xds_delta_stats before;
	struct xds_delta_stats after;
	xds_delta_server_stats(pair.server, &before);
	pair_pump(&pair);
	xds_delta_server_stats(pair.server, &after);
	pair_assert_equal(&pair);
	assert_int_equal(after.sent[XDS_ASSIGNMENT] - before.sent[XDS_ASSIGNMENT], 1);
	assert_int_equal(after.sent[XDS_CLUSTER] - before.sent[XDS_CLUSTER], 0);
	assert_int_equal(after.removed[XDS_CLUSTER], 1);
	pair_fini(&pair);
}

static void restores_a_disk_copy(void **state)
{
	(void)state;
	struct pair pair;
	pair_init(&pair);
	put_service(&pair, "a", "1");
	struct xds_resource *copy = pair_resource(XDS_CLUSTER, "a", "1");
	xds_delta_client_restore(pair.client, copy);
	xds_resource_unref(copy);
	pair_connect(&pair, true);
	pair_pump(&pair);
	struct xds_delta_stats stats;
	xds_delta_server_stats(pair.server, &stats);
	assert_int_equal(stats.sent[XDS_CLUSTER], 0);
	assert_int_equal(stats.sent[XDS_ASSIGNMENT], 1);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

static void splits_large_bursts(void **state)
{
	(void)state;
	struct pair pair;
	pair_init(&pair);
	size_t len = 1 << 20;
	char *content = calloc(1, len + 1);
	memset(content, 'x', len);
	for (int i = 0; i < 10; i++) {
		char name[32];
		snprintf(name, sizeof(name), "big-%d", i);
		content[0] = (char)('a' + i);
		put_service(&pair, name, content);
	}
	free(content);
	pair_connect(&pair, true);
	pair_pump(&pair); /* asserts the size of each response */
	assert_int_equal(pair.event, XDS_CLIENT_APPLIED);
	assert_int_equal(pair.responses, 9);
	pair_assert_equal(&pair);
	pair_fini(&pair);
}

/* --- seeded random walk ----------------------------------------------------------------------- */

static unsigned long walk_state;

static unsigned walk(unsigned below)
{
	walk_state = walk_state * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)((walk_state >> 33) % below);
}

static void change_set(struct pair *pair, struct xds_set **spare)
{
	char name[16];
	char content[16];
	enum xds_type type = (enum xds_type)walk(XDS_LISTENER);
	snprintf(name, sizeof(name), "r%u", walk(8));
	snprintf(content, sizeof(content), "v%u", walk(3));
	switch (walk(6)) {
	case 0:
		xds_set_remove(pair->set, type, str_from(name));
		break;
	case 1:
		pair_put_hold(pair->set, type, name, content, walk(2) == 0);
		break;
	case 2:
		xds_set_set_complete(pair->set, walk(3) != 0);
		break;
	case 3: {
		struct xds_set *old = pair->set;
		pair->set = *spare;
		*spare = old;
		xds_delta_server_set_set(pair->server, pair->set);
		break;
	}
	default:
		pair_put(pair->set, type, name, content);
	}
}

/* Lifts all holds, completes the set, and expects both sides equal, content included. */
static void settle(struct pair *pair, unsigned seed)
{
	for (size_t type = 0; type < XDS_LISTENER; type++) {
		for (int i = 0; i < 8; i++) {
			char name[16];
			snprintf(name, sizeof(name), "r%d", i);
			struct xds_resource *resource =
				xds_set_find(pair->set, type, str_from(name));
			if (resource != NULL)
				xds_set_put(pair->set, resource, false);
		}
	}
	xds_set_set_complete(pair->set, true);
	pair_pump(pair);
	if (pair->event == XDS_CLIENT_RESYNC)
		fail_msg("seed %u: counts differ in the end", seed);
	pair_assert_equal(pair);
	for (size_t type = 0; type < XDS_LISTENER; type++) {
		for (int i = 0; i < 8; i++) {
			char name[16];
			snprintf(name, sizeof(name), "r%d", i);
			struct xds_resource *resource =
				xds_set_find(pair->set, type, str_from(name));
			struct str held = pair_held(pair, type, name);
			struct str there = resource != NULL ? resource->bytes : STR_NULL;
			assert_true(str_eq(held, there));
		}
	}
}

static void both_sides_agree_after_any_walk(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct pair pair;
		walk_state = seed;
		pair_init(&pair);
		struct xds_set *spare = xds_set_create();
		pair_connect(&pair, true);
		for (int step = 0; step < 120; step++) {
			unsigned what = walk(12);
			if (what == 0)
				pair_connect(&pair, walk(2) == 0);
			else if (what < 4)
				pair_to_server(&pair);
			else if (what < 6)
				pair_to_client(&pair);
			else
				change_set(&pair, &spare);
			if (pair.event == XDS_CLIENT_RESYNC)
				fail_msg("seed %u: counts differ in step %d", seed, step);
		}
		settle(&pair, seed);
		xds_set_unref(spare);
		pair_fini(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_burst_takes_effect_at_its_snapshot),
		cmocka_unit_test(sends_only_what_changed),
		cmocka_unit_test(a_change_of_source_ranges_sends_the_snapshot_alone),
		cmocka_unit_test(tells_removals),
		cmocka_unit_test(reconnect_sends_nothing_unchanged),
		cmocka_unit_test(reconnect_tells_what_changed_meanwhile),
		cmocka_unit_test(broken_burst_leaves_no_trace),
		cmocka_unit_test(takes_the_good_and_names_the_bad),
		cmocka_unit_test(keeps_last_good_of_a_refused_change),
		cmocka_unit_test(asks_for_everything_when_counts_differ),
		cmocka_unit_test(drops_everything_when_left),
		cmocka_unit_test(incomplete_set_removes_nothing),
		cmocka_unit_test(another_set_sends_the_difference),
		cmocka_unit_test(restores_a_disk_copy),
		cmocka_unit_test(splits_large_bursts),
		cmocka_unit_test(both_sides_agree_after_any_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
