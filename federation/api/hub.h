/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub - history: one event per revision, without gaps, and who watches it.
 *
 *      first                     durable          head
 *   ─────┬──────────────────────────┬───────────────┬──▶ revisions
 *   410  │ watchers may begin here  │ not yet told  │
 *
 * A watcher gets the events behind its own revision, in order, once they are on disk.
 */
#pragma once

#include "object.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct api_resource;
struct api_watcher;

enum {
	API_HISTORY_EVENTS_MAX = 50000,    /* kept at most */
	API_HISTORY_EVENTS_MIN = 1000,     /* kept whatever their age */
	API_HISTORY_AGE_S = 900,           /* wanted */
	API_HISTORY_BYTES_MAX = 256 << 20, /* of objects */
};

struct api_event {
	const struct api_resource *resource;
	struct api_object *object; /* the new state; of a deletion, the last one */
	struct api_object *prev;   /* NULL: was not there */
	bool deleted;
	int64_t time_s;
};

struct api_hub {
	struct api_event *v; /* v[i] has revision first + i */
	size_t n;
	size_t cap;
	size_t bytes;
	uint64_t first;
	uint64_t durable;
	struct list watchers;
};

/* History begins behind rev. */
void api_hub_init(struct api_hub *hub, uint64_t rev);
void api_hub_fini(struct api_hub *hub);

/* The next revision. Takes references of its own. */
void api_hub_add(struct api_hub *hub, const struct api_event *event);
/* Events up to rev may be told; tells them. */
void api_hub_set_durable(struct api_hub *hub, uint64_t rev);
/* NULL: not in history. */
const struct api_event *api_hub_find(const struct api_hub *hub, uint64_t rev);
/* Forgets what limits allow; returns the revision up to which is forgotten, 0: nothing new. */
uint64_t api_hub_compact(struct api_hub *hub, int64_t now_s);

void api_hub_attach(struct api_hub *hub, struct api_watcher *watcher);
/* Bookmarks and timeouts: about once a second. */
void api_hub_tick(struct api_hub *hub, int64_t now_ms);
/* Ends the watches of a resource that is no longer served, or all (NULL). */
void api_hub_end(struct api_hub *hub, const struct api_resource *resource);
