/* SPDX-License-Identifier: Apache-2.0 */
#include "committer.h"
#include "store.h"
#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"

static char dir[] = "/tmp/test_api_store.XXXXXX";

static char *fresh_path(void)
{
	static int n;
	return xasprintf("%s/%d.db", dir, n++);
}

static struct api_store *open_ok(const char *path)
{
	struct err err;
	struct api_store *store = api_store_open(path, &err);
	if (store == NULL)
		fail_msg("%s", err.msg);
	return store;
}

static struct api_row row(uint64_t rev, uint64_t prev, const char *name, const char *value)
{
	return (struct api_row){
		.rev = rev,
		.create_rev = 1,
		.prev_rev = prev,
		.deleted = value == NULL,
		.time_s = 100,
		.cluster = xstrdup(""),
		.resource = xstrdup("configmaps"),
		.namespace_ = xstrdup("default"),
		.name = xstrdup(name),
		.value = str_from(xstrdup(value != NULL ? value : "gone")),
	};
}

static void write_ok(struct api_store *store, struct api_row one)
{
	struct err err;
	if (!api_store_write(store, &one, 1, &err))
		fail_msg("%s", err.msg);
	api_row_fini(&one);
}

/* "1:a=x 2:a-" */
static bool append(const struct api_row *one, void *arg, struct err *err)
{
	char *text = arg;
	(void)err;
	sprintf(text + strlen(text), "%s%llu:%s%s", text[0] != '\0' ? " " : "",
	        (unsigned long long)one->rev, one->name, one->deleted ? "-" : "=");
	if (!one->deleted)
		strncat(text, one->value.ptr, one->value.len);
	return true;
}

static void assert_rows(struct api_store *store, const char *want)
{
	struct err err;
	char text[512] = "";
	assert_true(api_store_load(store, append, text, &err));
	assert_string_equal(text, want);
}

static void rows_come_back_in_order(void **state)
{
	(void)state;
	char *path = fresh_path();
	struct api_store *store = open_ok(path);
	write_ok(store, row(1, 0, "a", "x"));
	write_ok(store, row(2, 1, "a", "y"));
	write_ok(store, row(3, 2, "a", NULL));
	write_ok(store, row(4, 0, "a", "z"));
	api_store_close(store);
	store = open_ok(path);
	assert_rows(store, "1:a=x 2:a=y 3:a- 4:a=z");
	api_store_close(store);
	free(path);
}

static void two_changes_cannot_follow_the_same_state(void **state)
{
	(void)state;
	struct err err;
	char *path = fresh_path();
	struct api_store *store = open_ok(path);
	write_ok(store, row(1, 0, "a", "x"));
	write_ok(store, row(2, 1, "a", "y"));
	struct api_row rows[] = {row(3, 0, "b", "b"), row(4, 1, "a", "z")};
	assert_false(api_store_write(store, rows, 2, &err));
	assert_int_equal(err.code, ERR_IO);
	/* All or nothing. */
	assert_rows(store, "1:a=x 2:a=y");
	api_row_fini(&rows[0]);
	api_row_fini(&rows[1]);
	api_store_close(store);
	free(path);
}

static void compaction_keeps_the_state_and_what_is_newer(void **state)
{
	(void)state;
	struct err err;
	uint64_t rev;
	char *path = fresh_path();
	struct api_store *store = open_ok(path);
	write_ok(store, row(1, 0, "a", "1"));
	write_ok(store, row(2, 1, "a", "2"));
	write_ok(store, row(3, 0, "b", "3"));
	write_ok(store, row(4, 3, "b", NULL));
	write_ok(store, row(5, 2, "a", "5"));
	write_ok(store, row(6, 5, "a", "6"));
	assert_true(api_store_compact(store, 4, &err));
	assert_rows(store, "2:a=2 5:a=5 6:a=6");
	assert_true(api_store_compacted(store, &rev, &err));
	assert_int_equal(rev, 4);
	api_store_close(store);
	free(path);
}

static void a_newer_layout_is_refused(void **state)
{
	(void)state;
	struct err err;
	sqlite3 *db;
	char *path = fresh_path();
	api_store_close(open_ok(path));
	sqlite3_open(path, &db);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_null(api_store_open(path, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "newer version"));
	free(path);
}

static void a_second_process_is_kept_out(void **state)
{
	(void)state;
	struct err err;
	char *path = fresh_path();
	struct api_store *store = open_ok(path);
	write_ok(store, row(1, 0, "a", "x"));
	assert_null(api_store_open(path, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.msg, "locked"));
	api_store_close(store);
	free(path);
}

struct heard {
	uint64_t durable;
	int failures;
	bool recovered;
};

static void on_durable(uint64_t rev, void *arg)
{
	struct heard *heard = arg;
	assert_true(rev > heard->durable);
	heard->durable = rev;
}

static void on_failing(const struct err *err, void *arg)
{
	struct heard *heard = arg;
	if (err != NULL)
		heard->failures++;
	else
		heard->recovered = true;
}

static void the_committer_tells_when_rows_are_on_disk(void **state)
{
	(void)state;
	struct heard heard = {0};
	char *path = fresh_path();
	struct loop *loop = loop_create();
	struct api_committer_events events = {on_durable, on_failing, &heard};
	struct api_committer *committer = api_committer_create(loop, open_ok(path), &events);
	for (uint64_t rev = 1; rev <= 200; rev++) {
		char name[16];
		snprintf(name, sizeof(name), "n%llu", (unsigned long long)rev);
		struct api_row one = row(rev, 0, name, "v");
		api_committer_add(committer, &one);
	}
	while (heard.durable < 200)
		loop_run_once(loop, 1000);
	/* What is queued at the end is committed by destroy. */
	struct api_row last = row(201, 0, "last", "v");
	api_committer_add(committer, &last);
	api_committer_destroy(committer);
	loop_run_once(loop, 0);
	loop_destroy(loop);
	assert_int_equal(heard.failures, 0);
	struct err err;
	struct api_store *store = open_ok(path);
	char *text = xcalloc(1, 8192);
	assert_true(api_store_load(store, append, text, &err));
	assert_non_null(strstr(text, "201:last=v"));
	free(text);
	api_store_close(store);
	free(path);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	char *command = xasprintf("rm -rf '%s'", dir);
	int result = system(command);
	free(command);
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_in_order),
		cmocka_unit_test(two_changes_cannot_follow_the_same_state),
		cmocka_unit_test(compaction_keeps_the_state_and_what_is_newer),
		cmocka_unit_test(a_newer_layout_is_refused),
		cmocka_unit_test(a_second_process_is_kept_out),
		cmocka_unit_test(the_committer_tells_when_rows_are_on_disk),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
