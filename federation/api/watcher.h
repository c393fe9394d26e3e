/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watcher - one watch: from which revision, of what, in which form, and where it goes.
 */
#pragma once

#include "encode.h"
#include "hub.h"

#include "base/list.h"
#include "kube/selector.h"

enum {
	API_BOOKMARK_MS = 60000,
	API_BOOKMARK_BEFORE_END_MS = 2000,
};

struct api_watch_options {
	struct api_hub *hub; /* outlives the watcher */
	const struct api_resource *resource;
	const struct api_version *version;
	enum api_form form;
	enum api_include include;
	const char *namespace_; /* "": all; copied */
	struct selector labels; /* taken over */
	struct selector fields; /* taken over */
	uint64_t after_rev;     /* events behind it */
	bool bookmarks;
	bool columns_sent; /* the initial events had a Table's columns */
	int64_t timeout_ms;
	int64_t now_ms;
	const int64_t *now_s; /* wall clock of the moment, for ages; outlives the watcher */
};

/* How events leave. send false: the reader is too slow, the watcher is dropped. After end (or
 * false) nothing is called any more, and the watcher is freed. */
struct api_watch_sink {
	bool (*send)(struct str data, void *arg);
	void (*end)(void *arg);
	void *arg;
};

struct api_watcher *api_watcher_create(struct api_watch_options *options);
/* Attaches to the hub and sends what has happened meanwhile. May end (and free) it at once. */
void api_watcher_start(struct api_watcher *watcher, const struct api_watch_sink *sink);
/* Without a word to the sink. NULL is harmless. */
void api_watcher_destroy(struct api_watcher *watcher);

/* For the hub; each may end and free the watcher. */
void api_watcher_pump(struct api_watcher *watcher);
void api_watcher_tick(struct api_watcher *watcher, int64_t now_ms);
void api_watcher_end(struct api_watcher *watcher);
struct list *api_watcher_link(struct api_watcher *watcher);
struct api_watcher *api_watcher_of(struct list *link);
const struct api_resource *api_watcher_resource(const struct api_watcher *watcher);

/* Does the object belong to namespace and selectors? Also for lists. */
bool api_selects(const struct api_encoder *encoder, struct api_object *object,
                 const char *namespace_, const struct selector *labels,
                 const struct selector *fields);
