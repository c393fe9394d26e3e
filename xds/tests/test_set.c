/* SPDX-License-Identifier: Apache-2.0 */
#include "set_priv.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "xds/set.h"

static bool put(struct xds_set *set, const char *name, const char *content)
{
	struct err err;
	struct xds_resource *resource =
		xds_resource_create(XDS_CLUSTER, str_from(name), str_from(content), &err);
	assert_non_null(resource);
	bool changed = xds_set_put(set, resource, false);
	xds_resource_unref(resource);
	return changed;
}

static void version_is_the_hash_of_the_content(void **state)
{
	(void)state;
	struct err err;
	struct xds_resource *a =
		xds_resource_create(XDS_CLUSTER, STR_LIT("a"), STR_LIT("abc"), &err);
	/* FIPS 180-2, B.1 */
	assert_string_equal(a->version, "ba7816bf8f01cfea414140de5dae2223");
	assert_true(str_is(a->name, "a"));
	assert_true(str_is(a->bytes, "abc"));
	xds_resource_unref(a);
}

static void refuses_what_no_message_can_carry(void **state)
{
	(void)state;
	static char large[XDS_RESOURCE_MAX + 1];
	struct err err;
	struct str bytes = str_make(large, sizeof(large));
	assert_null(xds_resource_create(XDS_CLUSTER, STR_LIT("a"), bytes, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_null(xds_resource_create(XDS_CLUSTER, STR_LIT(""), STR_LIT("x"), &err));
	assert_int_equal(err.code, ERR_INVALID);
	bytes = str_make(large, XDS_NAME_MAX + 1);
	assert_null(xds_resource_create(XDS_CLUSTER, bytes, STR_LIT("x"), &err));
	assert_int_equal(err.code, ERR_INVALID);
}

static void equal_content_has_equal_version_in_any_order(void **state)
{
	(void)state;
	struct xds_set *one = xds_set_create();
	struct xds_set *two = xds_set_create();
	put(one, "a", "1");
	put(one, "b", "1");
	put(two, "b", "2");
	put(two, "c", "1");
	put(two, "a", "1");
	assert_string_not_equal(xds_set_version(one), xds_set_version(two));
	put(two, "b", "1");
	xds_set_remove(two, XDS_CLUSTER, STR_LIT("c"));
	assert_string_equal(xds_set_version(one), xds_set_version(two));
	struct xds_set_info info = {.network = "n1"};
	xds_set_describe(two, &info);
	assert_string_not_equal(xds_set_version(one), xds_set_version(two));
	xds_set_unref(one);
	xds_set_unref(two);
}

static void same_content_is_no_change(void **state)
{
	(void)state;
	struct xds_set *set = xds_set_create();
	assert_true(put(set, "a", "1"));
	assert_false(put(set, "a", "1"));
	assert_true(put(set, "a", "2"));
	assert_false(xds_set_remove(set, XDS_CLUSTER, STR_LIT("b")));
	assert_true(xds_set_remove(set, XDS_CLUSTER, STR_LIT("a")));
	assert_false(xds_set_remove(set, XDS_CLUSTER, STR_LIT("a")));
	assert_null(xds_set_find(set, XDS_CLUSTER, STR_LIT("a")));
	assert_int_equal(xds_set_len(set, XDS_CLUSTER), 0);
	xds_set_unref(set);
}

static void replace_touches_only_what_differs(void **state)
{
	(void)state;
	struct xds_set *set = xds_set_create();
	struct xds_set *other = xds_set_create();
	put(set, "a", "1");
	put(set, "b", "1");
	put(set, "c", "1");
	put(other, "b", "1");
	put(other, "c", "2");
	put(other, "d", "1");
	assert_int_equal(xds_set_replace(set, other), 3);
	assert_int_equal(xds_set_replace(set, other), 0);
	assert_string_equal(xds_set_version(set), xds_set_version(other));
	xds_set_unref(set);
	xds_set_unref(other);
}

static void count_change(enum xds_type type, struct str name, struct xds_resource *resource,
                         void *arg)
{
	char *text = arg;
	(void)type;
	size_t len = strlen(text);
	snprintf(text + len, 64 - len, "%c%.*s", resource != NULL ? '+' : '-', STR_ARG(name));
}

static void diff_names_changes_and_removals(void **state)
{
	(void)state;
	struct xds_set *from = xds_set_create();
	struct xds_set *to = xds_set_create();
	char text[64] = "";
	put(from, "a", "1");
	put(from, "b", "1");
	put(from, "c", "1");
	put(to, "b", "1");
	put(to, "c", "2");
	put(to, "d", "1");
	xds_set_diff(from, to, count_change, text);
	assert_string_equal(text, "+c+d-a");
	xds_set_unref(from);
	xds_set_unref(to);
}

static void tombstones_go_when_every_reader_has_passed(void **state)
{
	(void)state;
	struct xds_set *set = xds_set_create();
	struct set_reader reader;
	memset(&reader, 0, sizeof(reader));
	set_add_reader(set, &reader);
	for (int i = 0; i < 3 * SET_TOMBSTONES_MIN; i++) {
		char name[32];
		snprintf(name, sizeof(name), "r%d", i);
		put(set, name, "1");
		xds_set_remove(set, XDS_CLUSTER, str_from(name));
	}
	assert_int_equal(set->n_removed[XDS_CLUSTER], 3 * SET_TOMBSTONES_MIN);
	set_reader_pass(set, &reader, XDS_CLUSTER);
	put(set, "last", "1");
	xds_set_remove(set, XDS_CLUSTER, STR_LIT("last"));
	assert_int_equal(set->n_removed[XDS_CLUSTER], 1);
	set_remove_reader(&reader);
	xds_set_unref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_is_the_hash_of_the_content),
		cmocka_unit_test(refuses_what_no_message_can_carry),
		cmocka_unit_test(equal_content_has_equal_version_in_any_order),
		cmocka_unit_test(same_content_is_no_change),
		cmocka_unit_test(replace_touches_only_what_differs),
		cmocka_unit_test(diff_names_changes_and_removals),
		cmocka_unit_test(tombstones_go_when_every_reader_has_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
