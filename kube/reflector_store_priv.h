/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_store - the copy itself: objects by key, and beside it what an unfinished list has
 * brought. Pure; tells the handlers each change once.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"
#include "kube/reflector.h"

struct reflector_entry {
	char *uid;
	char *rv;
	json_t *obj; /* NULL with keys_only */
};

struct reflector_store {
	struct map entries; /* key → struct reflector_entry */
	struct map staged;  /* key → json_t: the list so far */
	bool keys_only;
	const struct reflector_handlers *handlers; /* borrowed */
};

void reflector_store_init(struct reflector_store *store, bool keys_only,
                          const struct reflector_handlers *handlers);
void reflector_store_fini(struct reflector_store *store);

/* All take a reference of obj where they need one. ERR_INVALID: no usable name; ERR_TOO_LARGE. */
MUST_CHECK
bool reflector_store_stage(struct reflector_store *store, json_t *obj, struct err *err);
void reflector_store_forget(struct reflector_store *store);
/* The staged list becomes the copy: additions, changes, then deletions. Objects with equal uid and
 * resourceVersion are unchanged, unless versions went back. */
void reflector_store_apply(struct reflector_store *store, bool versions_went_back);

/* ADDED or MODIFIED: the same, since a client that missed something cannot tell. */
MUST_CHECK
bool reflector_store_put(struct reflector_store *store, json_t *obj, struct err *err);
MUST_CHECK
bool reflector_store_remove(struct reflector_store *store, const json_t *obj, struct err *err);
