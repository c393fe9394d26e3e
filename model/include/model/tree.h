/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - an immutable sorted map from text to shared values; a change makes a new tree that shares
 * all but O(log n) nodes with the old one.
 *
 * NULL is the empty tree. Keys are compared as bytes and lie inside their values (a value must keep
 * its key as long as it lives). Iteration and diff are in key order. Two trees with the same keys
 * have the same form, so a diff costs time in proportion to what differs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "model/shared.h"

struct tree;

struct tree *tree_ref(struct tree *tree);
void tree_unref(struct tree *tree);

/* New tree with key set to value (referenced once more); the old one stays. Owned by the caller. */
struct tree *tree_set(struct tree *tree, struct str key, struct shared *value);
/* New tree without key. Owned. */
struct tree *tree_remove(struct tree *tree, struct str key);

/* As above, but the caller's reference in *tree is replaced. */
void tree_put(struct tree **tree, struct str key, struct shared *value);
void tree_drop(struct tree **tree, struct str key);

/* Borrowed from the tree, or NULL. */
void *tree_find(const struct tree *tree, struct str key);
size_t tree_len(const struct tree *tree);

enum {
	TREE_DEPTH_MAX = 192
};

struct tree_iter {
	const struct tree *stack[TREE_DEPTH_MAX];
	size_t depth;
};

/* for (v = tree_first(&it, t); v != NULL; v = tree_next(&it)). Values are borrowed. */
void *tree_first(struct tree_iter *it, const struct tree *tree);
void *tree_next(struct tree_iter *it);

/* One key whose values are not the same pointer; a missing one is NULL. */
typedef void (*tree_diff_cb)(struct str key, void *old_value, void *new_value, void *arg);
void tree_diff(struct tree *old_tree, struct tree *new_tree, tree_diff_cb cb, void *arg);
