/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include "watcher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void api_hub_init(struct api_hub *hub, uint64_t rev)
{
	*hub = (struct api_hub){.first = rev + 1, .durable = rev};
	list_init(&hub->watchers);
}

static size_t bytes_of(const struct api_event *event)
{
	return event->object->tail.len;
}

static void fini_event(struct api_event *event)
{
	api_object_unref(event->object);
	api_object_unref(event->prev);
}

void api_hub_fini(struct api_hub *hub)
{
	if (hub->watchers.next == NULL)
		return; /* never initialised */
	api_hub_end(hub, NULL);
	for (size_t i = 0; i < hub->n; i++)
		fini_event(&hub->v[i]);
	free(hub->v);
	*hub = (struct api_hub){0};
}

void api_hub_add(struct api_hub *hub, const struct api_event *event)
{
	assert(event->object->rev == hub->first + hub->n);
	if (hub->n == hub->cap) {
		hub->cap = hub->cap > 0 ? hub->cap * 2 : 64;
		hub->v = xrealloc(hub->v, hub->cap * sizeof(*hub->v));
	}
	hub->v[hub->n] = *event;
	api_object_ref(event->object);
	if (event->prev != NULL)
		api_object_ref(event->prev);
	hub->bytes += bytes_of(event);
	hub->n++;
}

const struct api_event *api_hub_find(const struct api_hub *hub, uint64_t rev)
{
	if (rev < hub->first || rev >= hub->first + hub->n)
		return NULL;
	return &hub->v[rev - hub->first];
}

uint64_t api_hub_compact(struct api_hub *hub, int64_t now_s)
{
	size_t drop = 0;
	size_t bytes = hub->bytes;
	while (drop < hub->n && hub->first + drop < hub->durable) {
		const struct api_event *event = &hub->v[drop];
		size_t left = hub->n - drop;
		bool too_many = left > API_HISTORY_EVENTS_MAX || bytes > API_HISTORY_BYTES_MAX;
		bool too_old =
			left > API_HISTORY_EVENTS_MIN && event->time_s + API_HISTORY_AGE_S < now_s;
		if (!too_many && !too_old)
			break;
		bytes -= bytes_of(event);
		drop++;
	}
	/* Moving the rest costs; a few more events do no harm. */
	if (drop < hub->n / 8 + 1)
		return 0;
	for (size_t i = 0; i < drop; i++)
		fini_event(&hub->v[i]);
	hub->n -= drop;
	memmove(hub->v, hub->v + drop, hub->n * sizeof(*hub->v));
	hub->bytes = bytes;
	hub->first += drop;
	return hub->first - 1;
}

/* --- watchers --------------------------------------------------------------------------------- */

void api_hub_attach(struct api_hub *hub, struct api_watcher *watcher)
{
	list_append(&hub->watchers, api_watcher_link(watcher));
}

void api_hub_set_durable(struct api_hub *hub, uint64_t rev)
{
	hub->durable = rev;
	list_for_each_safe (it, &hub->watchers) {
		api_watcher_pump(api_watcher_of(it));
	}
}

void api_hub_tick(struct api_hub *hub, int64_t now_ms)
{
	list_for_each_safe (it, &hub->watchers) {
		api_watcher_tick(api_watcher_of(it), now_ms);
	}
}

void api_hub_end(struct api_hub *hub, const struct api_resource *resource)
{
	list_for_each_safe (it, &hub->watchers) {
		struct api_watcher *watcher = api_watcher_of(it);
		if (resource == NULL || api_watcher_resource(watcher) == resource)
			api_watcher_end(watcher);
	}
}
