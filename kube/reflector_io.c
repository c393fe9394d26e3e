/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out what the core wants: one request or one timer at a time.
 */
#include "client_priv.h"
#include "query_priv.h"
#include "reflector_core_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/loop.h"
#include "kube/reflector.h"

enum {
	LIST_IDLE_MS = 30000
};

struct reflector {
	struct loop *loop;
	struct kube_client *client; /* borrowed */
	char *path;                 /* of the collection */
	char *label_selector;
	char *field_selector;
	bool metadata_only;
	struct reflector_core core;
	struct kube_call *call;  /* the request that runs; NULL: none */
	struct loop_timer timer; /* start, or the end of a wait */
	int64_t wake_ms;         /* when the wait ends; 0: none */
};

static void act(struct reflector *reflector, const struct reflector_action *action);

static struct reflector_moment moment(const struct reflector *reflector)
{
	struct reflector_moment at = {.now_ms = loop_now_ms(reflector->loop)};

	if (getrandom(&at.chance, sizeof(at.chance), 0) != (ssize_t)sizeof(at.chance))
		at.chance = (uint32_t)at.now_ms;
	return at;
}

/* --- the request that runs -------------------------------------------------------------------- */

static void end_request(struct reflector *reflector, const struct reflector_outcome *outcome)
{
	struct reflector_action action =
		reflector_core_done(&reflector->core, outcome, moment(reflector));

	act(reflector, &action);
}

static void on_head(void *arg)
{
	struct reflector *reflector = arg;

	reflector_core_contact(&reflector->core, loop_now_ms(reflector->loop));
}

static void on_data(struct str data, void *arg)
{
	struct reflector *reflector = arg;
	struct kube_call *call = reflector->call;
	struct err err;

	reflector_core_contact(&reflector->core, loop_now_ms(reflector->loop));
	if (reflector->call != call || reflector_core_data(&reflector->core, data, &err))
		return;
	if (!reflector_core_is_asking(&reflector->core))
		return; /* stopped by a handler, which ended the request too */
	kube_call_cancel(reflector->call);
	reflector->call = NULL;
	err_wrap(&err, "%s", reflector->path);
	end_request(reflector, &(struct reflector_outcome){.err = &err});
}

static void on_end(const struct kube_failure *failure, void *arg)
{
	struct reflector *reflector = arg;
	struct reflector_outcome outcome = {0};

	reflector->call = NULL;
	if (failure != NULL) {
		outcome.err = &failure->err;
		outcome.rv_too_large = failure->rv_too_large;
		outcome.retry_after_ms = failure->retry_after_ms;
	}
	end_request(reflector, &outcome);
}

/* --- requests --------------------------------------------------------------------------------- */

static void add_list_query(const struct reflector_action *action, struct buf *url)
{
	if (action->limit > 0)
		kube_query_add_int(url, "limit", action->limit);
	kube_query_add(url, "resourceVersion", action->rv);
	/* With a limit and no match a server takes a version as exactly that one. */
	if (action->rv != NULL && strcmp(action->rv, "0") != 0)
		kube_query_add(url, "resourceVersionMatch", "NotOlderThan");
	kube_query_add(url, "continue", action->cont);
}

static void add_watch_query(const struct reflector_action *action, struct buf *url)
{
	kube_query_add(url, "watch", "true");
	kube_query_add(url, "allowWatchBookmarks", "true");
	kube_query_add(url, "resourceVersion", action->rv);
	kube_query_add_int(url, "timeoutSeconds", action->timeout_s);
}

static void ask(struct reflector *reflector, const struct reflector_action *action)
{
	struct buf CLEANUP(buf_fini) url = {.max = KUBE_PATH_QUERY_MAX};
	bool is_watch = action->what == REFLECTOR_DO_WATCH;
	struct kube_stream stream = {
		.on_head = on_head,
		.on_data = on_data,
		.on_end = on_end,
		.arg = reflector,
		.idle_ms = is_watch ? REFLECTOR_IDLE_MS : LIST_IDLE_MS,
		.is_watch = is_watch,
	};
	const char *accept = KUBE_JSON;

	buf_add_text(&url, reflector->path);
	if (is_watch)
		add_watch_query(action, &url);
	else
		add_list_query(action, &url);
	kube_query_add(&url, "labelSelector", reflector->label_selector);
	kube_query_add(&url, "fieldSelector", reflector->field_selector);
	if (reflector->metadata_only)
		accept = is_watch ? KUBE_METADATA : KUBE_METADATA_LIST;
	reflector->call = kube_client_stream(reflector->client, buf_text(&url), accept, &stream);
}

static void act(struct reflector *reflector, const struct reflector_action *action)
{
	reflector->wake_ms = 0;
	switch (action->what) {
	case REFLECTOR_DO_NOTHING:
		return;
	case REFLECTOR_DO_LIST:
	case REFLECTOR_DO_WATCH:
		ask(reflector, action);
		return;
	case REFLECTOR_DO_WAIT:
		reflector->wake_ms = loop_now_ms(reflector->loop) + action->wait_ms;
		loop_timer_set(&reflector->timer, action->wait_ms);
		return;
	}
}

static void on_timer(void *arg)
{
	struct reflector *reflector = arg;
	bool idle = reflector->core.machine.state == REFLECTOR_IDLE;
	struct reflector_action action =
		idle ? reflector_core_start(&reflector->core, moment(reflector))
		     : reflector_core_timer(&reflector->core, moment(reflector));

	act(reflector, &action);
}

/* --- life ------------------------------------------------------------------------------------- */

static char *dup_or_null(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

struct reflector *reflector_create(struct loop *loop, const struct reflector_options *options,
                                   const struct reflector_handlers *handlers, struct err *err)
{
	struct kube_ref ref = {.resource = options->resource, .namespace_ = options->namespace_};
	struct buf CLEANUP(buf_fini) path = {.max = KUBE_PATH_MAX};

	if (!kube_path_format(&ref, &path, err))
		return NULL;
	struct reflector *reflector = xcalloc(1, sizeof(*reflector));

	reflector->loop = loop;
	reflector->client = options->client;
	reflector->path = buf_take(&path);
	reflector->label_selector = dup_or_null(options->label_selector);
	reflector->field_selector = dup_or_null(options->field_selector);
	reflector->metadata_only = options->metadata_only;
	reflector_core_init(&reflector->core, options->keys_only, handlers);
	loop_timer_init(&reflector->timer, loop, on_timer, reflector);
	return reflector;
}

void reflector_start(struct reflector *reflector)
{
	/* In a later turn, so that a handler may stop and start. */
	if (reflector->core.machine.state == REFLECTOR_IDLE)
		loop_timer_set(&reflector->timer, 0);
}

void reflector_stop(struct reflector *reflector)
{
	kube_call_cancel(reflector->call);
	reflector->call = NULL;
	reflector->wake_ms = 0;
	loop_timer_cancel(&reflector->timer);
	reflector_core_stop(&reflector->core);
}

void reflector_destroy(struct reflector *reflector)
{
	if (reflector == NULL)
		return;
	reflector_stop(reflector);
	loop_timer_fini(&reflector->timer);
	reflector_core_fini(&reflector->core);
	free(reflector->path);
	free(reflector->label_selector);
	free(reflector->field_selector);
	free(reflector);
}

/* --- questions -------------------------------------------------------------------------------- */

json_t *reflector_find(const struct reflector *reflector, struct str key)
{
	const struct reflector_entry *entry = map_find(&reflector->core.store.entries, key);

	return entry != NULL ? entry->obj : NULL;
}

void reflector_for_each(const struct reflector *reflector,
                        void (*cb)(struct str key, json_t *obj, void *arg), void *arg)
{
	map_for_each (it, &reflector->core.store.entries) {
		const struct reflector_entry *entry = map_value(it);

		cb(map_key(it), entry->obj, arg);
	}
}

size_t reflector_len(const struct reflector *reflector)
{
	return map_len(&reflector->core.store.entries);
}

struct reflector_status reflector_status(const struct reflector *reflector)
{
	struct reflector_status status = reflector->core.status;
	int64_t now_ms = loop_now_ms(reflector->loop);

	status.error = reflector->core.error.msg;
	if (reflector->wake_ms > now_ms)
		status.retry_in_ms = reflector->wake_ms - now_ms;
	return status;
}
