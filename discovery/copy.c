/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change is a snapshot of the services that differ, in the format of whole ones, and the keys of
 * those that are gone.
 */
#include "copy_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

void copy_change_encode(const struct snapshot *snapshot, const char *const *keys, size_t n_keys,
                        struct buf *out)
{
	/* Only read by snapshot_save(), so it may borrow all it has. */
	struct snapshot part = {
		.cluster = snapshot->cluster, .uid = snapshot->uid, .network = snapshot->network};
	json_t *gone CLEANUP(json_cleanup) = json_array();
	size_t len = 0;

	for (size_t i = 0; i < n_keys; i++) {
		struct str key = str_from(keys[i]);
		struct shared *service = tree_find(snapshot->services, key);

		if (service != NULL)
			tree_put(&part.services, key, service);
		else
			json_array_append_new(gone, json_string(keys[i]));
	}
	char *text = snapshot_save(&part, &len);
	char *gone_text = json_format(gone);

	buf_printf(out, "{\"gone\":%s,\"changed\":", gone_text);
	buf_add(out, text, len);
	buf_add_text(out, "}\n");
	free(gone_text);
	free(text);
	tree_unref(part.services);
}

static void count(struct snapshot *snapshot)
{
	struct tree_iter it;

	snapshot->n_endpoints = snapshot->n_ready = 0;
	for (const struct snap_service *s = tree_first(&it, snapshot->services); s != NULL;
	     s = tree_next(&it)) {
		for (size_t i = 0; i < s->n_ports; i++) {
			snapshot->n_endpoints += s->ports[i].n_endpoints;
			for (size_t k = 0; k < s->ports[i].n_endpoints; k++)
				snapshot->n_ready += s->ports[i].endpoints[k].ready;
		}
	}
}

/* The services of base with those of next over them, without the gone ones. */
static void merge(const struct snapshot *base, const json_t *gone, struct snapshot *next)
{
	struct tree *services = tree_ref(base->services);
	struct tree_iter it;
	size_t i;
	json_t *key;

	for (struct snap_service *s = tree_first(&it, next->services); s != NULL;
	     s = tree_next(&it))
		tree_put(&services, str_from(s->key), &s->shared);
	json_array_foreach (gone, i, key) {
		if (json_is_string(key))
			tree_drop(&services, str_from(json_string_value(key)));
	}
	tree_unref(next->services);
	next->services = services;
	count(next);
}

struct snapshot *copy_change_apply(struct snapshot *snapshot, struct str line, struct err *err)
{
	json_t *change CLEANUP(json_cleanup) = json_parse(line, err);
	json_t *changed = json_object_get(change, "changed");

	if (change == NULL)
		return NULL;
	if (changed == NULL) {
		err_set(err, ERR_INVALID, "a line without 'changed'");
		return NULL;
	}
	char *text = json_format(changed);
	struct snapshot *next = snapshot_load(str_from(text), err);

	free(text);
	if (next == NULL)
		return NULL;
	if (strcmp(next->cluster, snapshot->cluster) != 0) {
		err_set(err, ERR_INVALID, "a line of cluster '%.63s'", next->cluster);
		snapshot_unref(next);
		return NULL;
	}
	merge(snapshot, json_object_get(change, "gone"), next);
	return next;
}
