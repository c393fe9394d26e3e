/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A treap: sorted by key, heap-ordered by a hash of the key. The hash is seeded once per process,
 * so whoever chooses the names cannot choose the depth; and since it depends on the key alone,
 * trees of the same keys have the same form, which lets a diff skip what they share.
 */
#include "model/tree.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/macros.h"

struct tree {
	_Atomic uint32_t refs;
	uint32_t n;
	uint64_t heap; /* the larger is nearer to the root */
	struct str key;
	struct shared *value;
	struct tree *left;
	struct tree *right;
};

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)(uintptr_t)&seed * 0x9e3779b97f4a7c15u;
}

static uint64_t hash(struct str key)
{
	pthread_once(&seed_once, make_seed);
	uint64_t h = seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++) {
		h = (h ^ (unsigned char)key.ptr[i]) * 0x100000001b3u;
		h ^= h >> 29;
	}
	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
	return h ^ (h >> 32);
}

struct tree *tree_ref(struct tree *tree)
{
	if (tree != NULL)
		atomic_fetch_add_explicit(&tree->refs, 1, memory_order_relaxed);
	return tree;
}

void tree_unref(struct tree *tree)
{
	while (tree != NULL) {
		struct tree *right = tree->right;

		if (atomic_fetch_sub_explicit(&tree->refs, 1, memory_order_acq_rel) != 1)
			return;
		tree_unref(tree->left);
		shared_unref(tree->value);
		free(tree);
		tree = right;
	}
}

/* Takes the references left and right; references value. */
static struct tree *node(const struct tree *like, struct tree *left, struct tree *right)
{
	struct tree *t = xmalloc(sizeof(*t));

	atomic_init(&t->refs, 1);
	t->heap = like->heap;
	t->key = like->key;
	t->value = like->value;
	shared_ref(t->value);
	t->left = left;
	t->right = right;
	t->n = (uint32_t)(1 + tree_len(left) + tree_len(right));
	return t;
}

/* Equal hashes of different keys are ordered by key, so the form stays unique. */
static bool is_above(const struct tree *a, const struct tree *b)
{
	return a->heap != b->heap ? a->heap > b->heap : str_cmp(a->key, b->key) < 0;
}

/* What is left and right of key, and the node of key itself (borrowed from tree). */
static void split(struct tree *tree, struct str key, struct tree **ret_left,
                  struct tree **ret_right, struct tree **ret_mid)
{
	struct tree *half;

	if (tree == NULL) {
		*ret_left = *ret_right = *ret_mid = NULL;
		return;
	}
	int cmp = str_cmp(key, tree->key);

	if (cmp == 0) {
		*ret_left = tree_ref(tree->left);
		*ret_right = tree_ref(tree->right);
		*ret_mid = tree;
	} else if (cmp < 0) {
		split(tree->left, key, ret_left, &half, ret_mid);
		*ret_right = node(tree, half, tree_ref(tree->right));
	} else {
		split(tree->right, key, &half, ret_right, ret_mid);
		*ret_left = node(tree, tree_ref(tree->left), half);
	}
}

/* All keys of a are before those of b. Borrows both. */
static struct tree *join(struct tree *a, struct tree *b)
{
	if (a == NULL)
		return tree_ref(b);
	if (b == NULL)
		return tree_ref(a);
	if (is_above(a, b))
		return node(a, tree_ref(a->left), join(a->right, b));
	return node(b, join(a, b->left), tree_ref(b->right));
}

static struct tree *insert(struct tree *tree, const struct tree *new)
{
	struct tree *left, *right, *mid;

	if (tree == NULL || is_above(new, tree)) {
		split(tree, new->key, &left, &right, &mid);
		return node(new, left, right);
	}
	int cmp = str_cmp(new->key, tree->key);

	if (cmp == 0)
		return node(new, tree_ref(tree->left), tree_ref(tree->right));
	if (cmp < 0)
		return node(tree, insert(tree->left, new), tree_ref(tree->right));
	return node(tree, tree_ref(tree->left), insert(tree->right, new));
}

struct tree *tree_set(struct tree *tree, struct str key, struct shared *value)
{
	struct tree new = {.heap = hash(key), .key = key, .value = value};

	assert(value != NULL);
	return insert(tree, &new);
}

struct tree *tree_remove(struct tree *tree, struct str key)
{
	if (tree == NULL)
		return NULL;
	int cmp = str_cmp(key, tree->key);

	if (cmp == 0)
		return join(tree->left, tree->right);
	if (cmp < 0)
		return node(tree, tree_remove(tree->left, key), tree_ref(tree->right));
	return node(tree, tree_ref(tree->left), tree_remove(tree->right, key));
}

void tree_put(struct tree **tree, struct str key, struct shared *value)
{
	struct tree *new = tree_set(*tree, key, value);

	tree_unref(*tree);
	*tree = new;
}

void tree_drop(struct tree **tree, struct str key)
{
	if (tree_find(*tree, key) == NULL)
		return;
	struct tree *new = tree_remove(*tree, key);

	tree_unref(*tree);
	*tree = new;
}

void *tree_find(const struct tree *tree, struct str key)
{
	while (tree != NULL) {
		int cmp = str_cmp(key, tree->key);

		if (cmp == 0)
			return tree->value;
		tree = cmp < 0 ? tree->left : tree->right;
	}
	return NULL;
}

size_t tree_len(const struct tree *tree)
{
	return tree != NULL ? tree->n : 0;
}

static void push_left(struct tree_iter *it, const struct tree *tree)
{
	for (; tree != NULL; tree = tree->left) {
		if (it->depth == TREE_DEPTH_MAX)
			UNREACHABLE("a treap is this deep with probability 0");
		it->stack[it->depth++] = tree;
	}
}

void *tree_first(struct tree_iter *it, const struct tree *tree)
{
	it->depth = 0;
	push_left(it, tree);
	return it->depth > 0 ? it->stack[it->depth - 1]->value : NULL;
}

void *tree_next(struct tree_iter *it)
{
	const struct tree *done = it->stack[--it->depth];

	push_left(it, done->right);
	return it->depth > 0 ? it->stack[it->depth - 1]->value : NULL;
}

/* Reports every value of tree on one side only. */
static void report_all(const struct tree *tree, bool is_new, tree_diff_cb cb, void *arg)
{
	if (tree == NULL)
		return;
	report_all(tree->left, is_new, cb, arg);
	cb(tree->key, is_new ? NULL : tree->value, is_new ? tree->value : NULL, arg);
	report_all(tree->right, is_new, cb, arg);
}

void tree_diff(struct tree *old_tree, struct tree *new_tree, tree_diff_cb cb, void *arg)
{
	struct tree *left, *right, *mid;

	if (old_tree == new_tree)
		return;
	if (old_tree == NULL || new_tree == NULL) {
		report_all(old_tree, false, cb, arg);
		report_all(new_tree, true, cb, arg);
		return;
	}
	/* The root that stands higher is in the other tree at its root or not at all; splitting the
	 * other one at its key keeps whatever both share recognisable. */
	bool old_above = is_above(old_tree, new_tree);
	struct tree *top = old_above ? old_tree : new_tree;

	split(old_above ? new_tree : old_tree, top->key, &left, &right, &mid);
	tree_diff(old_above ? top->left : left, old_above ? left : top->left, cb, arg);
	struct shared *old_value = old_above ? top->value : mid != NULL ? mid->value : NULL;
	struct shared *new_value = !old_above ? top->value : mid != NULL ? mid->value : NULL;

	if (old_value != new_value)
		cb(top->key, old_value, new_value, arg);
	tree_diff(old_above ? top->right : right, old_above ? right : top->right, cb, arg);
	tree_unref(left);
	tree_unref(right);
}
