/* SPDX-License-Identifier: Apache-2.0 */
#include "changes_priv.h"
#include "copy_priv.h"
#include "objects.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "model/snapshot_builder.h"

struct rig {
	char dir[64];
	struct snapshot_builder *builder;
	struct copy copy;
};

static int set_up(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	snprintf(rig->dir, sizeof(rig->dir), "/tmp/fedway-copy-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->builder = snapshot_builder_create("c1");
	copy_init(&rig->copy, rig->dir, "c1");
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	copy_remove(&rig->copy);
	copy_fini(&rig->copy);
	snapshot_builder_destroy(rig->builder);
	assert_int_equal(rmdir(rig->dir), 0);
	free(rig);
	return 0;
}

static void put(struct rig *rig, const char *kind, const char *text)
{
	struct err err;
	json_t *obj CLEANUP(json_cleanup) = json_parse(str_from(text), &err);

	assert_non_null(obj);
	if (!snapshot_builder_put(rig->builder, kind, obj, &err))
		fail_msg("%s", err.msg);
}

/* Builds, and writes what differs from old (unreferenced). */
static struct snapshot *build_and_write(struct rig *rig, struct snapshot *old)
{
	struct snapshot *next = snapshot_builder_build(rig->builder);
	struct changes changes = changes_between(old, next);
	struct err err;

	if (!copy_write(&rig->copy, next, changes.keys, changes.n, &err))
		fail_msg("%s", err.msg);
	changes_fini(&changes);
	snapshot_unref(old);
	return next;
}

static struct snapshot *load(struct rig *rig)
{
	struct copy copy;
	int64_t saved_wall_s = 0;
	struct err err;

	copy_init(&copy, rig->dir, "c1");
	struct snapshot *loaded = copy_load(&copy, &saved_wall_s, &err);

	copy_fini(&copy);
	if (loaded == NULL)
		fail_msg("%s", err.msg);
	assert_true(saved_wall_s > 0);
	return loaded;
}

static void check_loads_as(struct rig *rig, const struct snapshot *expected)
{
	struct snapshot *loaded = load(rig);

	assert_true(snapshot_eq(loaded, expected));
	assert_int_equal(loaded->n_endpoints, expected->n_endpoints);
	assert_int_equal(loaded->n_ready, expected->n_ready);
	snapshot_unref(loaded);
}

static void changes_are_appended_and_come_back(void **state)
{
	struct rig *rig = *state;
	struct snapshot *s;

	put(rig, "Service", OBJ_SERVICE("web"));
	s = build_and_write(rig, NULL);
	check_loads_as(rig, s);
	put(rig, "Namespace", "{\"metadata\":{\"name\":\"kube-system\",\"uid\":\"u1\"}}");
	put(rig, "Service", OBJ_SERVICE("db"));
	put(rig, "Pod", OBJ_POD("p-web", "1"));
	put(rig, "EndpointSlice", OBJ_SLICE("web", "1", "10.0.0.1", "true"));
	s = build_and_write(rig, s);
	assert_int_equal(s->n_ready, 1);
	check_loads_as(rig, s);
	snapshot_builder_remove(rig->builder, "Service", "shop", "db");
	s = build_and_write(rig, s);
	check_loads_as(rig, s);
	assert_int_equal(rig->copy.generation, 1);
	snapshot_unref(s);
}

static void a_journal_that_was_cut_counts_up_to_its_last_whole_line(void **state)
{
	struct rig *rig = *state;
	struct snapshot *states[4] = {NULL};
	size_t ends[4] = {0};
	struct stat info;

	put(rig, "Service", OBJ_SERVICE("web"));
	states[0] = build_and_write(rig, NULL);
	for (int i = 1; i < 4; i++) {
		char text[400];

		snprintf(text, sizeof(text),
		         "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"s%d\"},\"spec\":{}}", i);
		put(rig, "Service", text);
		states[i] = build_and_write(rig, snapshot_ref(states[i - 1]));
		assert_int_equal(stat(rig->copy.journal_path, &info), 0);
		ends[i] = (size_t)info.st_size;
	}
	for (size_t size = ends[3]; size > 0; size--) {
		size_t expected = size >= ends[3]   ? 3
		                  : size >= ends[2] ? 2
		                  : size >= ends[1] ? 1
		                                    : 0;

		assert_int_equal(truncate(rig->copy.journal_path, (off_t)size), 0);
		check_loads_as(rig, states[expected]);
	}
	for (int i = 0; i < 4; i++)
		snapshot_unref(states[i]);
}

static void a_journal_of_another_generation_does_not_count(void **state)
{
	struct rig *rig = *state;
	struct buf CLEANUP(buf_fini) old = {.max = 1 << 20};
	struct snapshot *s;
	struct err err;

	put(rig, "Service", OBJ_SERVICE("web"));
	s = build_and_write(rig, NULL);
	put(rig, "Service", OBJ_SERVICE("db"));
	s = build_and_write(rig, s);
	assert_true(file_load(rig->copy.journal_path, &old, &err));
	/* a new process writes the whole again; then the old journal turns up */
	copy_fini(&rig->copy);
	copy_init(&rig->copy, rig->dir, "c1");
	snapshot_unref(load(rig));
	rig->copy.generation = 1;
	snapshot_builder_remove(rig->builder, "Service", "shop", "db");
	s = build_and_write(rig, s);
	assert_int_equal(rig->copy.generation, 2);
	assert_true(file_save(rig->copy.journal_path, buf_str(&old), 0600, &err));
	check_loads_as(rig, s);
	snapshot_unref(s);
}

static void the_journal_does_not_grow_without_end(void **state)
{
	struct rig *rig = *state;
	struct snapshot *s = NULL;
	struct stat info;

	for (int i = 0; i < 1500; i++) {
		put(rig, "Service", OBJ_SERVICE("web"));
		put(rig, "EndpointSlice",
		    i % 2 == 0 ? OBJ_SLICE("web", "1", "10.0.0.1", "true")
		               : OBJ_SLICE("web", "2", "10.0.0.2", "false"));
		s = build_and_write(rig, s);
	}
	assert_int_equal(stat(rig->copy.journal_path, &info), 0);
	assert_in_range(info.st_size, 1, COPY_JOURNAL_LEAST);
	assert_true(rig->copy.generation > 1);
	check_loads_as(rig, s);
	snapshot_unref(s);
}

static void what_is_no_copy_is_refused(void **state)
{
	static const char *const texts[] = {"", "{}", "{\"generation\":1}\n",
	                                    "{\"generation\":x}\n{}",
	                                    "{\"generation\":1}\n{\"kind\":\"Pod\"}"};
	struct rig *rig = *state;
	int64_t wall_s;
	struct err err;

	assert_null(copy_load(&rig->copy, &wall_s, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		assert_true(file_save(rig->copy.snapshot_path, str_from(texts[i]), 0600, &err));
		assert_null(copy_load(&rig->copy, &wall_s, &err));
		assert_int_not_equal(err.code, ERR_NOT_FOUND);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(changes_are_appended_and_come_back),
		TEST(a_journal_that_was_cut_counts_up_to_its_last_whole_line),
		TEST(a_journal_of_another_generation_does_not_count),
		TEST(the_journal_does_not_grow_without_end),
		TEST(what_is_no_copy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
