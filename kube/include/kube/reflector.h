/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector - a copy of one resource of one cluster that follows it: list, then watch, for ever.
 *
 *              ┌───────────────── expired, or odd errors ─────────────────┐
 *              ▼                                                          │
 *   IDLE ──▶ LIST ──page──▶ LIST … ──last page──▶ (diff, synced) ──▶ WATCH ──end──▶ WATCH
 *              │                                                          │
 *              └──error──▶ WAIT_LIST          WAIT_WATCH ◀── refused ─────┘
 *                (back-off 0.8 s doubling to 30 s, full jitter; Retry-After is the least)
 *
 * Complete or nothing: what a list brings is kept aside and takes effect in one step when the list
 * has ended: additions, changes and deletions against the copy, then on_synced. A list that breaks
 * off changes nothing. While the cluster is away the copy stays.
 *
 * Objects come without managedFields. With keys_only the copy keeps none of them, only their keys
 * and versions, for a consumer that has its own form of them.
 *
 * Loop thread only. Handlers are called in the order of events and must not destroy the reflector
 * (stop it; destroy in a later turn).
 * Source: Kubernetes API concepts, "Efficient detection of changes"; client-go
 * tools/cache/reflector.go for what leads to a new list and what to a new watch.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "kube/client.h"
#include "kube/meta.h"

struct reflector;

enum {
	REFLECTOR_LINE_MAX = 2 << 20, /* bytes of one watch event, or of one item of a list */
	REFLECTOR_OBJECTS_MAX = 2000000,
	REFLECTOR_PAGE = 500,
	REFLECTOR_IDLE_MS = 150000, /* a server bookmarks every minute; silence is a dead path */
	REFLECTOR_BACKOFF_MIN_MS = 800,
	REFLECTOR_BACKOFF_MAX_MS = 30000
};

/* All may be NULL. key: "NAMESPACE/NAME" or "NAME", borrowed for the call, as are the objects. */
struct reflector_handlers {
	void (*on_add)(struct str key, json_t *obj, void *arg);
	/* old: NULL with keys_only. */
	void (*on_update)(struct str key, json_t *old, json_t *obj, void *arg);
	/* old, the last known state: NULL with keys_only. */
	void (*on_delete)(struct str key, json_t *old, void *arg);
	/* A list has ended and has been applied; the copy is complete. After each list. */
	void (*on_synced)(void *arg);
	/* Contact was lost or found, or another error came: see reflector_status(). */
	void (*on_status)(void *arg);
	void *arg;
};

struct reflector_options {
	struct kube_client *client;           /* borrowed; outlives the reflector */
	const struct kube_resource *resource; /* borrowed */
	const char *namespace_;               /* NULL: all; copied, as the selectors */
	const char *label_selector;
	const char *field_selector;
	bool metadata_only; /* as=PartialObjectMetadata */
	bool keys_only;
};

/* Does nothing before reflector_start(). ERR_INVALID: a namespace for a cluster-scoped kind. */
MUST_CHECK
struct reflector *reflector_create(struct loop *loop, const struct reflector_options *options,
                                   const struct reflector_handlers *handlers, struct err *err);
void reflector_destroy(struct reflector *reflector);
void reflector_start(struct reflector *reflector);
/* Ends its requests; the copy stays. Start again: with a list that diffs. */
void reflector_stop(struct reflector *reflector);

/* Borrowed until the next event; NULL: not there, or keys_only. */
json_t *reflector_find(const struct reflector *reflector, struct str key);
/* Every object of the copy, in no particular order; obj is NULL with keys_only. None before the
 * first list has ended. */
void reflector_for_each(const struct reflector *reflector,
                        void (*cb)(struct str key, json_t *obj, void *arg), void *arg);
size_t reflector_len(const struct reflector *reflector);

struct reflector_status {
	bool synced;              /* a list has ended since creation */
	bool reachable;           /* the last request was answered as it should */
	int64_t contact_ms;       /* monotonic time of the last sign of life; 0: never */
	int64_t retry_in_ms;      /* 0: not waiting */
	uint64_t lists;           /* ended */
	uint64_t watches;         /* begun */
	uint64_t events;          /* from watches */
	uint64_t bad;             /* events and items without a usable name or type: left out */
	const char *error;        /* last one while not reachable, "" otherwise; borrowed */
	enum err_code error_code; /* with error */
};
struct reflector_status reflector_status(const struct reflector *reflector);
