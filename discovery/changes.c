/* SPDX-License-Identifier: Apache-2.0 */
#include "changes_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void on_diff(struct str key, void *old_value, void *new_value, void *arg)
{
	struct changes *changes = arg;
	const struct snap_service *old = old_value;
	const struct snap_service *next = new_value;

	(void)key;
	if (old != NULL && next != NULL && snap_service_eq(old, next))
		return;
	if (changes->n == changes->cap) {
		changes->cap = changes->cap * 2 + 16;
		changes->keys = xrealloc(changes->keys, changes->cap * sizeof(changes->keys[0]));
	}
	changes->keys[changes->n++] = next != NULL ? next->key : old->key;
}

struct changes changes_between(const struct snapshot *old, const struct snapshot *next)
{
	struct changes changes = {0};

	tree_diff(old != NULL ? old->services : NULL, next->services, on_diff, &changes);
	changes.meta = old == NULL || strcmp(old->uid, next->uid) != 0 ||
	               strcmp(old->network, next->network) != 0;
	return changes;
}

void changes_fini(struct changes *changes)
{
	free(changes->keys);
	*changes = (struct changes){0};
}
