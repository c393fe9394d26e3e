/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"

#include <assert.h>

#include "base/alloc.h"

/* One question. */
struct slot {
	struct gather *gather;
	struct kube_call *call; /* NULL: answered */
	struct gather_item item;
};

struct gather {
	void (*done)(void *arg);
	void *arg;
	size_t n;
	size_t n_open; /* not answered, or not yet asked */
	struct slot slots[];
};

struct gather *gather_create(size_t n, void (*done)(void *arg), void *arg)
{
	struct gather *gather = xcalloc(1, sizeof(*gather) + n * sizeof(gather->slots[0]));
	gather->done = done;
	gather->arg = arg;
	gather->n = n;
	gather->n_open = n;
	for (size_t i = 0; i < n; i++)
		gather->slots[i].gather = gather;
	return gather;
}

void gather_destroy(struct gather *gather)
{
	if (gather == NULL)
		return;
	for (size_t i = 0; i < gather->n; i++) {
		kube_call_cancel(gather->slots[i].call);
		json_decref(gather->slots[i].item.value);
	}
	free(gather);
}

static void on_answer(json_t *answer, const struct err *err, void *arg)
{
	struct slot *slot = arg;
	struct gather *gather = slot->gather;
	slot->call = NULL;
	slot->item.value = json_incref(answer);
	if (err != NULL)
		slot->item.err = *err;
	if (--gather->n_open == 0)
		gather->done(gather->arg);
}

void gather_list(struct gather *gather, size_t i, struct kube_client *client,
                 const struct kube_resource *resource)
{
	struct kube_ref ref = {.resource = resource};
	assert(i < gather->n);
	gather->slots[i].call = kube_client_list(client, &ref, NULL, on_answer, &gather->slots[i]);
}

void gather_get(struct gather *gather, size_t i, struct kube_client *client,
                const struct kube_ref *ref)
{
	assert(i < gather->n);
	gather->slots[i].call = kube_client_get(client, ref, on_answer, &gather->slots[i]);
}

void gather_get_path(struct gather *gather, size_t i, struct kube_client *client, const char *path)
{
	assert(i < gather->n);
	gather->slots[i].call = kube_client_get_path(client, path, on_answer, &gather->slots[i]);
}

void gather_post(struct gather *gather, size_t i, struct kube_client *client,
                 const struct kube_resource *resource, json_t *body)
{
	struct kube_ref ref = {.resource = resource};
	assert(i < gather->n);
	gather->slots[i].call =
		kube_client_create_object(client, &ref, body, on_answer, &gather->slots[i]);
	json_decref(body);
}

void gather_cut(struct gather *gather, const struct err *why)
{
	if (gather->n_open == 0)
		return;
	for (size_t i = 0; i < gather->n; i++) {
		struct slot *slot = &gather->slots[i];
		if (slot->call == NULL)
			continue;
		kube_call_cancel(slot->call);
		slot->call = NULL;
		slot->item.err = *why;
	}
	gather->n_open = 0;
	gather->done(gather->arg);
}

const struct gather_item *gather_at(const struct gather *gather, size_t i)
{
	assert(i < gather->n);
	return &gather->slots[i].item;
}

const struct err *gather_err(const struct gather *gather)
{
	for (size_t i = 0; i < gather->n; i++) {
		if (gather->slots[i].item.value == NULL)
			return &gather->slots[i].item.err;
	}
	return NULL;
}
