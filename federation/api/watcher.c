/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher.h"

#include "failure.h"
#include "request.h"

#include <stdlib.h>

#include "base/alloc.h"

struct api_watcher {
	struct list link;
	struct api_hub *hub;
	struct api_encoder encoder;
	char *version_name;
	char *namespace_;
	struct selector labels;
	struct selector fields;
	uint64_t rev; /* told up to here */
	bool bookmarks;
	bool columns_sent;
	int64_t deadline_ms;
	int64_t bookmark_ms;
	const int64_t *now_s;
	struct api_watch_sink sink;
};

/* --- selection -------------------------------------------------------------------------------- */

static bool is_meta_only(const struct selector *fields)
{
	for (size_t i = 0; i < fields->n_terms; i++) {
		if (strcmp(fields->terms[i].key, "metadata.name") != 0 &&
		    strcmp(fields->terms[i].key, "metadata.namespace") != 0)
			return false;
	}
	return true;
}

static bool has_fields(const struct api_encoder *encoder, struct api_object *object,
                       const struct selector *fields)
{
	json_t *values;
	if (fields->n_terms == 0)
		return true;
	if (is_meta_only(fields)) {
		values = json_pack("{s:s, s:s}", "metadata.name", object->name,
		                   "metadata.namespace", object->namespace_);
	} else {
		json_t *tree =
			api_object_decode(object, encoder->group_version, encoder->resource->kind);
		values = api_version_fields(encoder->version, tree);
		json_decref(tree);
	}
	bool matches = selector_has_fields(fields, values);
	json_decref(values);
	return matches;
}

bool api_selects(const struct api_encoder *encoder, struct api_object *object,
                 const char *namespace_, const struct selector *labels,
                 const struct selector *fields)
{
	if (namespace_[0] != '\0' && strcmp(namespace_, object->namespace_) != 0)
		return false;
	if (labels->n_terms > 0 && !selector_has_labels(labels, api_object_labels(object)))
		return false;
	return has_fields(encoder, object, fields);
}

static bool selects(struct api_watcher *watcher, struct api_object *object)
{
	return object != NULL && api_selects(&watcher->encoder, object, watcher->namespace_,
	                                     &watcher->labels, &watcher->fields);
}

/* --- life ------------------------------------------------------------------------------------- */

struct api_watcher *api_watcher_create(struct api_watch_options *options)
{
	struct api_watcher *watcher = xcalloc(1, sizeof(*watcher));
	list_init(&watcher->link);
	watcher->hub = options->hub;
	api_encoder_init(&watcher->encoder, options->resource, options->version, options->form);
	watcher->encoder.include = options->include;
	watcher->version_name = xstrdup(options->version->name);
	watcher->namespace_ = xstrdup(options->namespace_);
	watcher->labels = options->labels;
	watcher->fields = options->fields;
	options->labels = (struct selector){NULL, 0};
	options->fields = (struct selector){NULL, 0};
	watcher->rev = options->after_rev;
	watcher->bookmarks = options->bookmarks;
	watcher->columns_sent = options->columns_sent;
	watcher->deadline_ms = options->now_ms + options->timeout_ms;
	watcher->bookmark_ms = options->now_ms + API_BOOKMARK_MS;
	if (watcher->bookmark_ms > watcher->deadline_ms - API_BOOKMARK_BEFORE_END_MS)
		watcher->bookmark_ms = watcher->deadline_ms - API_BOOKMARK_BEFORE_END_MS;
	watcher->now_s = options->now_s;
	return watcher;
}

void api_watcher_destroy(struct api_watcher *watcher)
{
	if (watcher == NULL)
		return;
	list_remove(&watcher->link);
	selector_fini(&watcher->labels);
	selector_fini(&watcher->fields);
	free(watcher->version_name);
	free(watcher->namespace_);
	free(watcher);
}

void api_watcher_end(struct api_watcher *watcher)
{
	struct api_watch_sink sink = watcher->sink;
	api_watcher_destroy(watcher);
	sink.end(sink.arg);
}

void api_watcher_start(struct api_watcher *watcher, const struct api_watch_sink *sink)
{
	watcher->sink = *sink;
	api_hub_attach(watcher->hub, watcher);
	api_watcher_pump(watcher);
}

struct list *api_watcher_link(struct api_watcher *watcher)
{
	return &watcher->link;
}

struct api_watcher *api_watcher_of(struct list *link)
{
	return LIST_ENTRY(link, struct api_watcher, link);
}

const struct api_resource *api_watcher_resource(const struct api_watcher *watcher)
{
	return watcher->encoder.resource;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void add_event(struct api_watcher *watcher, const char *type,
                      const struct api_object *object, uint64_t rev, struct buf *out)
{
	watcher->encoder.now_s = *watcher->now_s;
	buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
	api_encode_object(&watcher->encoder, object, rev, !watcher->columns_sent, out);
	buf_add_text(out, "}\n");
	watcher->columns_sent = true;
}

static void add_change(struct api_watcher *watcher, const struct api_event *event, struct buf *out)
{
	uint64_t rev = event->object->rev;
	bool was = selects(watcher, event->prev);
	bool is = !event->deleted && selects(watcher, event->object);
	if (is)
		add_event(watcher, was ? "MODIFIED" : "ADDED", event->object, rev, out);
	else if (was && event->deleted)
		add_event(watcher, "DELETED", event->object, rev, out);
	else if (was)
		add_event(watcher, "DELETED", event->prev, rev, out);
}

/* False: the watcher is gone. */
static bool send(struct api_watcher *watcher, const struct buf *out)
{
	if (out->len == 0)
		return true;
	if (!out->failed && watcher->sink.send(buf_str(out), watcher->sink.arg))
		return true;
	api_watcher_destroy(watcher);
	return false;
}

static void end_expired(struct api_watcher *watcher)
{
	char message[96];
	struct buf out CLEANUP(buf_fini);
	buf_init(&out, API_REPLY_MAX);
	snprintf(message, sizeof(message), "too old resource version: %llu (%llu)",
	         (unsigned long long)watcher->rev, (unsigned long long)watcher->hub->first);
	json_t *status = api_status_create(410, "Expired", message);
	char *text = json_dumps(status, JSON_COMPACT);
	buf_printf(&out, "{\"type\":\"ERROR\",\"object\":%s}\n", text);
	free(text);
	json_decref(status);
	if (send(watcher, &out))
		api_watcher_end(watcher);
}

/* A definition may have been replaced since: the version is looked up again. */
static bool renew_version(struct api_watcher *watcher)
{
	const struct api_resource *resource = watcher->encoder.resource;
	watcher->encoder.version = api_resource_find_version(resource, watcher->version_name);
	return resource->served && watcher->encoder.version != NULL;
}

void api_watcher_pump(struct api_watcher *watcher)
{
	struct buf out CLEANUP(buf_fini);
	const struct api_hub *hub = watcher->hub;
	buf_init(&out, API_REPLY_MAX);
	if (watcher->rev + 1 < hub->first) {
		end_expired(watcher);
		return;
	}
	if (!renew_version(watcher)) {
		api_watcher_end(watcher);
		return;
	}
	while (watcher->rev < hub->durable) {
		const struct api_event *event = api_hub_find(hub, ++watcher->rev);
		if (event->resource == watcher->encoder.resource)
			add_change(watcher, event, &out);
		if (out.len > (1 << 20)) {
			if (!send(watcher, &out))
				return;
			buf_clear(&out);
		}
	}
	IGNORE(send(watcher, &out)); /* nothing follows */
}

void api_watcher_tick(struct api_watcher *watcher, int64_t now_ms)
{
	if (watcher->bookmarks && now_ms >= watcher->bookmark_ms &&
	    watcher->rev >= watcher->hub->first - 1 && renew_version(watcher)) {
		struct buf out CLEANUP(buf_fini);
		buf_init(&out, API_REPLY_MAX);
		buf_add_text(&out, "{\"type\":\"BOOKMARK\",\"object\":");
		api_encode_bookmark(&watcher->encoder, watcher->rev, false, &out);
		buf_add_text(&out, "}\n");
		watcher->bookmark_ms = now_ms + API_BOOKMARK_MS;
		if (!send(watcher, &out))
			return;
	}
	if (now_ms >= watcher->deadline_ms)
		api_watcher_end(watcher);
}
