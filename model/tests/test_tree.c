/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/tree.h"
#include "tests/check.h"

struct item {
	struct shared shared;
	char key[16];
};

static void destroy(struct shared *value)
{
	free(value);
}

static struct item *item(unsigned n)
{
	struct item *it = xcalloc(1, sizeof(*it));

	shared_init(&it->shared, destroy);
	snprintf(it->key, sizeof(it->key), "k%05u", n);
	return it;
}

static void put(struct tree **tree, unsigned n)
{
	struct item *it = item(n);

	tree_put(tree, str_from(it->key), &it->shared);
	shared_unref(&it->shared);
}

static void drop(struct tree **tree, unsigned n)
{
	struct item *it = item(n);

	tree_drop(tree, str_from(it->key));
	shared_unref(&it->shared);
}

static void keeps_keys_sorted_and_old_trees_whole(void **state)
{
	struct tree *tree = NULL, *before;
	struct tree_iter it;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		put(&tree, (i * 7919) % 1000);
	assert_int_equal(tree_len(tree), 1000);
	before = tree_ref(tree);
	for (unsigned i = 0; i < 1000; i += 2)
		drop(&tree, i);
	drop(&tree, 5000);
	assert_int_equal(tree_len(tree), 500);
	for (struct item *v = tree_first(&it, before); v != NULL; v = tree_next(&it)) {
		char want[16];

		snprintf(want, sizeof(want), "k%05u", n++);
		assert_string_equal(v->key, want);
	}
	assert_int_equal(n, 1000);
	assert_null(tree_find(tree, STR_LIT("k00010")));
	assert_non_null(tree_find(tree, STR_LIT("k00011")));
	assert_non_null(tree_find(before, STR_LIT("k00010")));
	tree_unref(before);
	tree_unref(tree);
}

struct seen {
	unsigned added, removed, changed;
	char last[16];
};

static void on_diff(struct str key, void *old_value, void *new_value, void *arg)
{
	struct seen *seen = arg;

	assert_true(str_cmp(str_from(seen->last), key) < 0);
	snprintf(seen->last, sizeof(seen->last), "%.*s", STR_ARG(key));
	if (old_value == NULL)
		seen->added++;
	else if (new_value == NULL)
		seen->removed++;
	else
		seen->changed++;
}

static void diffs_are_exact_and_in_order(void **state)
{
	(void)state;
	srand(7);
	for (unsigned round = 0; round < 200; round++) {
		struct tree *a = NULL, *b;
		struct seen seen = {0};
		unsigned n = (unsigned)rand() % 300, added = 0, removed = 0, changed = 0;

		for (unsigned i = 0; i < n; i++)
			put(&a, i * 3);
		b = tree_ref(a);
		for (unsigned i = 0; i < n; i++) {
			switch (rand() % 10) {
			case 0:
				put(&b, i * 3);
				changed++;
				break;
			case 1:
				drop(&b, i * 3);
				removed++;
				break;
			case 2:
				put(&b, i * 3 + 1);
				added++;
				break;
			default:
				break;
			}
		}
		tree_diff(a, b, on_diff, &seen);
		assert_int_equal(seen.added, added);
		assert_int_equal(seen.removed, removed);
		assert_int_equal(seen.changed, changed);
		tree_unref(a);
		tree_unref(b);
	}
}

static void count(struct str key, void *old_value, void *new_value, void *arg)
{
	unsigned *n = arg;

	(void)key;
	(void)old_value;
	(void)new_value;
	(*n)++;
}

static void diff_with_the_empty_tree_is_everything(void **state)
{
	struct tree *tree = NULL;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		put(&tree, i);
	tree_diff(NULL, tree, count, &n);
	tree_diff(tree, NULL, count, &n);
	tree_diff(tree, tree, count, &n);
	assert_int_equal(n, 100);
	tree_unref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_keys_sorted_and_old_trees_whole),
		cmocka_unit_test(diffs_are_exact_and_in_order),
		cmocka_unit_test(diff_with_the_empty_tree_is_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
