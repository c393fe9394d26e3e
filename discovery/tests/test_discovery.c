/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery against an API server on loopback in the same loop: five collections, each with the
 * text of its list and the watch that is open on it.
 */
#include "copy_priv.h"
#include "objects.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/http.h"
#include "base/net.h"
#include "discovery/discovery.h"

enum {
	SERVICES,
	SLICES,
	NODES,
	NAMESPACES,
	PODS,
	N_KINDS
};

static const char *const PLURALS[N_KINDS] = {"/services", "/endpointslices", "/nodes",
                                             "/namespaces", "/pods"};

struct rig {
	struct loop *loop;
	struct http_server *server;
	char url[80];
	char dir[64];
	const char *items[N_KINDS]; /* NULL: 403 */
	struct http_exchange *watches[N_KINDS];
	size_t n_lists;
	struct discovery *discovery;
	struct buf log; /* "copy|live key,key; " a snapshot */
	size_t n_snapshots;
	size_t n_status;
	bool remove_on_snapshot;
	const char *junk; /* the answer to every list, NULL: what items say */
	size_t n_junk;
	bool was_reachable;
};

/* --- the API server --------------------------------------------------------------------------- */

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct rig *rig = arg;

	(void)why;
	for (int i = 0; i < N_KINDS; i++)
		if (rig->watches[i] == ex)
			rig->watches[i] = NULL;
}

static void reply_list(struct rig *rig, struct http_exchange *ex, int kind)
{
	struct buf CLEANUP(buf_fini) body = {.max = 1 << 20};

	if (rig->junk != NULL) {
		rig->n_junk++;
		http_exchange_reply(ex, 200, "text/html", str_from(rig->junk));
		return;
	}
	if (rig->items[kind] == NULL) {
		http_exchange_reply(
			ex, 403, "application/json",
			STR_LIT("{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":"
		                "\"forbidden by the test\"}"));
		return;
	}
	rig->n_lists++;
	buf_printf(&body, "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[%s]}",
	           rig->items[kind]);
	http_exchange_reply(ex, 200, "application/json", buf_str(&body));
}

static void on_request(struct http_exchange *ex, void *arg)
{
	struct rig *rig = arg;
	const struct http_request *request = http_exchange_request(ex);

	for (int i = 0; i < N_KINDS; i++) {
		if (!str_ends_with(request->path, str_from(PLURALS[i])))
			continue;
		if (!str_starts_with(request->query, STR_LIT("watch=true"))) {
			reply_list(rig, ex, i);
			return;
		}
		http_exchange_on_gone(ex, on_gone, rig);
		http_exchange_begin(ex, 200, "application/json");
		rig->watches[i] = ex;
		return;
	}
	http_exchange_reply(ex, 200, "application/json", STR_LIT("{\"gitVersion\":\"v1.36.3\"}"));
}

static void start_server(struct rig *rig)
{
	struct http_server_config config = {
		.loop = rig->loop, .name = "test", .on_request = on_request, .arg = rig};
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	struct err err;

	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &addr));
	int fd = net_listen(&addr, false, &addr, &err);

	assert_true(fd >= 0);
	rig->server = http_server_create(&config);
	http_server_listen(rig->server, fd, NULL);
	snprintf(rig->url, sizeof(rig->url), "http://%s", addr_format(&addr, text));
}

static void send_event(struct rig *rig, int kind, const char *type, const char *obj)
{
	struct buf CLEANUP(buf_fini) line = {.max = 1 << 20};

	buf_printf(&line, "{\"type\":\"%s\",\"object\":%s}\n", type, obj);
	assert_non_null(rig->watches[kind]);
	assert_true(http_exchange_write(rig->watches[kind], buf_str(&line)));
}

/* --- the consumer ----------------------------------------------------------------------------- */

/* What is told was on disk before. */
static void check_copy(struct rig *rig, const struct snapshot *snapshot)
{
	struct copy copy;
	int64_t wall_s;
	struct err err;

	copy_init(&copy, rig->dir, snapshot->cluster);
	struct snapshot *loaded = copy_load(&copy, &wall_s, &err);

	copy_fini(&copy);
	if (loaded == NULL)
		fail_msg("%s", err.msg);
	assert_true(snapshot_eq(loaded, snapshot));
	snapshot_unref(loaded);
}

static void on_snapshot(const struct discovery_change *change, void *arg)
{
	struct rig *rig = arg;

	check_copy(rig, change->snapshot);
	buf_add_text(&rig->log, change->from_copy ? "copy" : "live");
	for (size_t i = 0; i < change->n_services; i++)
		buf_printf(&rig->log, " %s", change->services[i]);
	buf_add_text(&rig->log, "; ");
	rig->n_snapshots++;
	if (rig->remove_on_snapshot)
		discovery_remove(rig->discovery, change->cluster);
}

static struct discovery_status status_of(struct rig *rig)
{
	struct discovery_status status;

	assert_true(discovery_status(rig->discovery, "c1", &status));
	return status;
}

static void on_status(const char *cluster, void *arg)
{
	struct rig *rig = arg;

	assert_string_equal(cluster, "c1");
	rig->n_status++;
	rig->was_reachable |= status_of(rig).reachable;
}

static struct discovery *create(struct rig *rig)
{
	struct discovery_handlers handlers = {on_snapshot, on_status, rig};
	struct err err;
	struct discovery *discovery = discovery_create(rig->loop, rig->dir, &handlers, &err);

	if (discovery == NULL)
		fail_msg("%s", err.msg);
	return discovery;
}

static bool wait_for(struct rig *rig, const size_t *count, size_t n)
{
	for (int i = 0; i < 1000 && *count < n; i++)
		loop_run_once(rig->loop, 10);
	return *count >= n;
}

static void wait_watches(struct rig *rig)
{
	for (int i = 0; i < 1000; i++) {
		int n = 0;

		for (int k = 0; k < N_KINDS; k++)
			n += rig->watches[k] != NULL;
		if (n == N_KINDS)
			return;
		loop_run_once(rig->loop, 10);
	}
	fail_msg("not all kinds are watched");
}

static void put(struct rig *rig)
{
	struct kubeconfig config = {.server = rig->url};
	struct err err;

	if (!discovery_put(rig->discovery, "c1", &config, &err))
		fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	snprintf(rig->dir, sizeof(rig->dir), "/tmp/fedway-discovery-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->loop = loop_create();
	buf_init(&rig->log, 1 << 16);
	rig->items[SERVICES] = OBJ_SERVICE("web") "," OBJ_SERVICE("db");
	rig->items[SLICES] = OBJ_SLICE("web", "1", "10.0.0.1", "true");
	rig->items[NODES] = OBJ_NODE;
	rig->items[NAMESPACES] = OBJ_NAMESPACES;
	rig->items[PODS] = OBJ_POD("p-web", "1");
	start_server(rig);
	rig->discovery = create(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	discovery_remove(rig->discovery, "c1");
	discovery_destroy(rig->discovery);
	http_server_destroy(rig->server);
	loop_destroy(rig->loop);
	buf_fini(&rig->log);
	assert_int_equal(rmdir(rig->dir), 0);
	free(rig);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_snapshot_is_made_when_every_list_has_ended(void **state)
{
	struct rig *rig = *state;

	rig->items[PODS] = NULL;
	put(rig);
	assert_true(wait_for(rig, &rig->n_lists, 4));
	for (int i = 0; i < 20; i++)
		loop_run_once(rig->loop, 10);
	struct discovery_status status = status_of(rig);

	assert_int_equal(rig->n_snapshots, 0);
	assert_null(discovery_snapshot(rig->discovery, "c1"));
	assert_true(status.reachable);
	assert_false(status.complete);
	assert_int_equal(status.error_code, ERR_FORBIDDEN);
	assert_string_equal(status.error, "GET /api/v1/pods: forbidden by the test");
	rig->items[PODS] = OBJ_POD("p-web", "1");
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	assert_string_equal(buf_text(&rig->log), "live shop/db shop/web; ");
	wait_watches(rig);
	status = status_of(rig);
	assert_true(status.complete && status.reachable && !status.from_copy);
	assert_string_equal(status.uid, "uid-1");
	assert_string_equal(status.network, "net-1");
	assert_string_equal(status.version, "v1.36.3");
	assert_string_equal(status.error, "");
	assert_int_equal(status.services, 2);
	assert_int_equal(status.endpoints, 1);
	assert_int_equal(status.age_s, 0);
	const struct snap_service *web =
		snapshot_find(discovery_snapshot(rig->discovery, "c1"), "shop/web");

	assert_string_equal(web->ports[0].endpoints[0].locality->text, "r1/z1");
	assert_true(web->ports[0].endpoints[0].mtls);
}

static void what_is_no_api_server_is_not_reachable(void **state)
{
	static const struct {
		const char *answer;
		const char *word;
	} rows[] = {
		{"<html><body>Please log in</body></html>", "it is HTML"},
		{"{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[", ""},
		{"[]", ""},
		{"", ""},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rig->n_junk + 2 * N_KINDS;

		rig->junk = rows[i].answer;
		put(rig);
		/* every kind is asked again, and once more */
		assert_true(wait_for(rig, &rig->n_junk, n));
		struct discovery_status status = status_of(rig);

		assert_row(rows[i].answer, !rig->was_reachable && !status.reachable);
		assert_row(rows[i].answer, status.error[0] != '\0');
		if (strstr(status.error, rows[i].word) == NULL)
			fail_msg("%s: %s", rows[i].answer, status.error);
		assert_int_equal(status.observed_wall_s, 0);
		discovery_remove(rig->discovery, "c1");
	}
	rig->junk = NULL;
	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	assert_true(status_of(rig).reachable);
}

static void a_change_names_the_services_that_differ(void **state)
{
	struct rig *rig = *state;

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	wait_watches(rig);
	send_event(rig, SLICES, "MODIFIED", OBJ_SLICE("web", "11", "10.0.0.1", "false"));
	assert_true(wait_for(rig, &rig->n_snapshots, 2));
	send_event(rig, SERVICES, "DELETED", OBJ_SERVICE("db"));
	assert_true(wait_for(rig, &rig->n_snapshots, 3));
	/* the same again, and an object that says nothing: no change */
	send_event(rig, SLICES, "MODIFIED", OBJ_SLICE("web", "12", "10.0.0.1", "false"));
	send_event(rig, SLICES, "ADDED", "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"x\"}}");
	send_event(rig, SERVICES, "ADDED", OBJ_SERVICE("new"));
	assert_true(wait_for(rig, &rig->n_snapshots, 4));
	assert_string_equal(buf_text(&rig->log),
	                    "live shop/db shop/web; live shop/web; live shop/db; live shop/new; ");
	assert_int_equal(status_of(rig).ready, 0);
}

static void after_a_restart_the_copy_counts_until_the_lists_have_ended(void **state)
{
	struct rig *rig = *state;
	struct err err;

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	discovery_destroy(rig->discovery);
	rig->discovery = create(rig);
	buf_clear(&rig->log);
	assert_true(discovery_put(rig->discovery, "c1", NULL, &err));
	assert_string_equal(buf_text(&rig->log), "copy shop/db shop/web; ");
	struct discovery_status status = status_of(rig);

	assert_true(status.from_copy && !status.complete && !status.configured);
	assert_true(status.observed_wall_s > 0);
	assert_non_null(discovery_snapshot(rig->discovery, "c1"));
	rig->items[SLICES] = OBJ_SLICE("web", "9", "10.0.0.9", "true");
	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 3));
	assert_string_equal(buf_text(&rig->log), "copy shop/db shop/web; live shop/web; ");
	assert_false(status_of(rig).from_copy);
}

static void an_unchanged_cluster_is_confirmed_without_changes(void **state)
{
	struct rig *rig = *state;

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	discovery_destroy(rig->discovery);
	rig->discovery = create(rig);
	buf_clear(&rig->log);
	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 3));
	assert_string_equal(buf_text(&rig->log), "copy shop/db shop/web; live; ");
}

static void a_lost_cluster_keeps_its_snapshot_and_a_relist_diffs(void **state)
{
	struct rig *rig = *state;

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	wait_watches(rig);
	rig->items[SERVICES] = OBJ_SERVICE("web");
	for (int i = 0; i < N_KINDS; i++)
		send_event(rig, i, "ERROR",
		           "{\"code\":410,\"reason\":\"Expired\",\"message\":\"old\"}");
	assert_true(wait_for(rig, &rig->n_snapshots, 2));
	assert_string_equal(buf_text(&rig->log), "live shop/db shop/web; live shop/db; ");
	http_server_destroy(rig->server);
	rig->server = NULL;
	memset(rig->watches, 0, sizeof(rig->watches));
	for (int i = 0; i < 700 && status_of(rig).reachable; i++)
		loop_run_once(rig->loop, 10);
	struct discovery_status status = status_of(rig);

	assert_false(status.reachable);
	assert_true(status.complete);
	assert_in_range(status.age_s, 4, 60);
	assert_int_equal(status.services, 1);
	assert_int_equal(status.error_code, ERR_IO);
	assert_int_equal(rig->n_snapshots, 2);
}

static void what_cannot_be_saved_is_not_told(void **state)
{
	struct rig *rig = *state;
	char aside[80];

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	wait_watches(rig);
	/* another whole copy is due after a restart; its folder is not there */
	discovery_destroy(rig->discovery);
	rig->discovery = create(rig);
	snprintf(aside, sizeof(aside), "%s-aside", rig->dir);
	assert_int_equal(rename(rig->dir, aside), 0);
	rig->items[SERVICES] = OBJ_SERVICE("web");
	rig->n_status = 0;
	put(rig);
	for (int i = 0; i < 300 && status_of(rig).copy_error[0] == '\0'; i++)
		loop_run_once(rig->loop, 10);
	assert_int_equal(rig->n_snapshots, 1);
	assert_non_null(strstr(status_of(rig).copy_error, "nothing new"));
	assert_int_equal(rename(aside, rig->dir), 0);
	assert_true(wait_for(rig, &rig->n_snapshots, 2));
	assert_string_equal(status_of(rig).copy_error, "");
	assert_true(rig->n_status > 0);
}

static void a_paused_cluster_is_not_asked(void **state)
{
	struct rig *rig = *state;

	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	wait_watches(rig);
	discovery_set_paused(rig->discovery, "c1", true);
	for (int i = 0; i < 10; i++)
		loop_run_once(rig->loop, 10);
	for (int i = 0; i < N_KINDS; i++)
		assert_null(rig->watches[i]);
	assert_true(status_of(rig).paused);
	assert_non_null(discovery_snapshot(rig->discovery, "c1"));
	rig->items[SERVICES] = OBJ_SERVICE("web");
	discovery_set_paused(rig->discovery, "c1", false);
	assert_true(wait_for(rig, &rig->n_snapshots, 2));
	assert_string_equal(buf_text(&rig->log), "live shop/db shop/web; live shop/db; ");
}

static void a_handler_may_remove_the_cluster(void **state)
{
	struct rig *rig = *state;
	struct discovery_status status;

	rig->remove_on_snapshot = true;
	put(rig);
	assert_true(wait_for(rig, &rig->n_snapshots, 1));
	loop_run_once(rig->loop, 10);
	assert_false(discovery_status(rig->discovery, "c1", &status));
	assert_null(discovery_snapshot(rig->discovery, "c1"));
}

static void names_and_kubeconfigs_are_checked(void **state)
{
	struct rig *rig = *state;
	struct kubeconfig config = {.server = rig->url, .ca_pem = (char *)(uintptr_t) "junk"};
	struct err err;

	assert_false(discovery_put(rig->discovery, "../c1", NULL, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_false(discovery_put(rig->discovery, "c1", &config, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_false(status_of(rig).configured);
	discovery_remove(rig->discovery, "nobody");
	discovery_set_paused(rig->discovery, "nobody", true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_snapshot_is_made_when_every_list_has_ended),
		TEST(what_is_no_api_server_is_not_reachable),
		TEST(a_change_names_the_services_that_differ),
		TEST(after_a_restart_the_copy_counts_until_the_lists_have_ended),
		TEST(an_unchanged_cluster_is_confirmed_without_changes),
		TEST(a_lost_cluster_keeps_its_snapshot_and_a_relist_diffs),
		TEST(what_cannot_be_saved_is_not_told),
		TEST(a_paused_cluster_is_not_asked),
		TEST(a_handler_may_remove_the_cluster),
		TEST(names_and_kubeconfigs_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
