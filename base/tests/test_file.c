/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static char folder[] = "/tmp/fedway-test-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

/* Every test removes the files it made. */
static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static size_t count_files(void)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void saves_replaces_and_loads(void **state)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/a", folder);
	struct stat st;
	struct buf buf;
	struct err err;

	(void)state;
	buf_init(&buf, 100);
	assert_true(file_save(path, STR_LIT("first and long"), 0600, &err));
	assert_true(file_save(path, STR_LIT("two\0two"), 0640, &err));
	assert_true(file_load(path, &buf, &err));
	assert_true(str_eq(buf_str(&buf), STR_LIT("two\0two")));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(count_files(), 1);
	buf_fini(&buf);
	unlink(path);
}

static void refuses_missing_and_too_large_files(void **state)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/b", folder);
	struct buf buf;
	struct err err;

	(void)state;
	buf_init(&buf, 3);
	assert_false(file_load(path, &buf, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_true(file_save(path, STR_LIT("four"), 0600, &err));
	assert_false(file_load(path, &buf, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "limit of 3 bytes"));
	assert_false(file_load(folder, &buf, &err));
	assert_int_equal(err.code, ERR_IO);
	buf_fini(&buf);
	unlink(path);
}

static void leaves_nothing_behind_when_it_cannot_save(void **state)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/dir", folder);
	CLEANUP(free_ptr) char *nowhere = xasprintf("%s/none/x", folder);
	struct err err;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(file_save(path, STR_LIT("x"), 0600, &err));
	assert_false(file_save(nowhere, STR_LIT("x"), 0600, &err));
	assert_non_null(strstr(err.msg, "none/x"));
	assert_int_equal(count_files(), 1);
	rmdir(path);
}

static void makes_folders_with_their_parents(void **state)
{
	CLEANUP(free_ptr) char *a = xasprintf("%s/a", folder);
	CLEANUP(free_ptr) char *b = xasprintf("%s/a/b", folder);
	CLEANUP(free_ptr) char *file = xasprintf("%s/f", folder);
	CLEANUP(free_ptr) char *below = xasprintf("%s/f/x", folder);
	struct stat st;
	struct err err;

	(void)state;
	assert_true(file_make_dirs(b, &err));
	assert_true(file_make_dirs(b, &err));
	assert_int_equal(stat(b, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(file_save(file, STR_LIT(""), 0600, &err));
	assert_false(file_make_dirs(below, &err));
	assert_non_null(strstr(err.msg, "in the way"));
	unlink(file);
	rmdir(b);
	rmdir(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saves_replaces_and_loads),
		cmocka_unit_test(refuses_missing_and_too_large_files),
		cmocka_unit_test(leaves_nothing_behind_when_it_cannot_save),
		cmocka_unit_test(makes_folders_with_their_parents),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
