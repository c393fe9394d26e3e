/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather - several questions to API servers at once, told when all have been answered. Loop thread.
 */
#pragma once

#include <jansson.h>

#include "kube/client.h"

struct gather;

struct gather_item {
	json_t *value; /* NULL: err says why */
	struct err err;
};

/* n questions follow, each with a number of its own below n, before the next turn; then done is
 * called, once, in a later turn, unless the gather is destroyed: then never. */
struct gather *gather_create(size_t n, void (*done)(void *arg), void *arg);
/* Allowed inside done. NULL is harmless. */
void gather_destroy(struct gather *gather);

void gather_list(struct gather *gather, size_t i, struct kube_client *client,
                 const struct kube_resource *resource);
void gather_get(struct gather *gather, size_t i, struct kube_client *client,
                const struct kube_ref *ref);
void gather_get_path(struct gather *gather, size_t i, struct kube_client *client, const char *path);
/* Takes body. */
void gather_post(struct gather *gather, size_t i, struct kube_client *client,
                 const struct kube_resource *resource, json_t *body);

/* Questions without an answer fail with why; done is called at once if there are such. */
void gather_cut(struct gather *gather, const struct err *why);

/* Once done; borrowed. */
const struct gather_item *gather_at(const struct gather *gather, size_t i);
/* The first that has failed; NULL: none. */
const struct err *gather_err(const struct gather *gather);
