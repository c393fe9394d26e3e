/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of a client. Everything that calls back happens in the queue's own turn (a timer) or in
 * a callback of http_client, and as the last thing there, so a callback may do what it likes.
 */
#include "client_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "kube/status.h"

/* --- making a call ---------------------------------------------------------------------------- */

struct kube_call *kube_call_create(struct kube_client *client, const char *method,
                                   kube_answer_cb cb, void *arg)
{
	struct kube_call *call = xcalloc(1, sizeof(*call));

	list_init(&call->link);
	call->client = client;
	call->method = method;
	call->accept = KUBE_JSON;
	call->on_answer = kube_call_finish;
	call->cb = cb;
	call->arg = arg;
	call->deadline_ms = loop_now_ms(client->loop) + client->options.timeout_ms;
	return call;
}

static void call_free(struct kube_call *call)
{
	free(call->path);
	free(call->body);
	free(call->object_path);
	json_decref(call->kept);
	free(call);
}

void kube_call_refuse(struct kube_call *call, const struct err *err)
{
	call->refused = true;
	call->refusal = *err;
}

void kube_call_set_path(struct kube_call *call, const char *path)
{
	free(call->path);
	call->path = xstrdup(path);
}

bool kube_call_set_ref(struct kube_call *call, const struct kube_ref *ref)
{
	struct buf CLEANUP(buf_fini) path = {.max = KUBE_PATH_MAX};
	struct err err;

	if (!kube_path_format(ref, &path, &err)) {
		kube_call_refuse(call, &err);
		return false;
	}
	kube_call_set_path(call, buf_text(&path));
	return true;
}

void kube_call_set_body(struct kube_call *call, const char *content_type, const json_t *obj)
{
	struct err err;

	free(call->body);
	call->body = obj != NULL ? json_format(obj) : NULL;
	call->content_type = content_type;
	if (call->body == NULL || strlen(call->body) <= KUBE_CLIENT_REQUEST_MAX)
		return;
	err_set(&err, ERR_TOO_LARGE, "an object of more than %d bytes; no API server takes it",
	        KUBE_CLIENT_REQUEST_MAX);
	kube_call_refuse(call, &err);
}

void kube_call_queue(struct kube_call *call)
{
	struct kube_client *client = call->client;
	struct err err;

	if (client->counts.waiting >= KUBE_CLIENT_WAITING_MAX && !call->refused) {
		err_set(&err, ERR_TOO_MANY, "more than %d requests wait for this cluster",
		        KUBE_CLIENT_WAITING_MAX);
		kube_call_refuse(call, &err);
	}
	list_append(&client->waiting, &call->link);
	client->counts.waiting++;
	kube_client_schedule(client, 0);
}

/* --- ending a call ---------------------------------------------------------------------------- */

static void leave_waiting(struct kube_call *call)
{
	list_remove(&call->link);
	call->client->counts.waiting--;
}

static void leave_sent(struct kube_call *call)
{
	struct kube_client *client = call->client;

	list_remove(&call->link);
	if (!call->stream.is_watch)
		client->counts.in_flight--;
	kube_transport_unref_call(call->transport);
	call->transport = NULL;
	call->http = NULL;
	kube_client_schedule(client, 0);
}

void kube_call_finish(struct kube_call *call, json_t *answer, const struct err *err)
{
	if (call->cb != NULL)
		call->cb(answer, err, call->arg);
	call_free(call);
}

static void free_buried(void *arg)
{
	call_free(arg);
}

void kube_call_cancel(struct kube_call *call)
{
	if (call == NULL)
		return;
	if (call->http == NULL) {
		leave_waiting(call);
		call_free(call);
		return;
	}
	/* It may have ended together with the one whose callback we are in, and be told of that
	 * after all: it must live as long as this turn. */
	call->cancelled = true;
	loop_bury(call->client->loop, free_buried, call);
	http_call_cancel(call->http);
	leave_sent(call);
}

static void fail(struct kube_call *call, struct kube_failure *failure)
{
	struct kube_client *client = call->client;

	client->counts.failed++;
	/* Without its query, which may hold a long token. */
	if (call->path != NULL)
		err_wrap(&failure->err, "%s %.*s", call->method, (int)strcspn(call->path, "?"),
		         call->path);
	if (call->stream.on_end != NULL) {
		call->stream.on_end(failure, call->stream.arg);
		call_free(call);
		return;
	}
	call->on_answer(call, NULL, &failure->err);
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool is_busy(int http_status)
{
	return http_status == 429 || http_status >= 500;
}

static bool should_retry(struct kube_call *call, const struct kube_failure *failure)
{
	struct kube_client *client = call->client;
	int64_t now_ms = loop_now_ms(client->loop);

	if (failure->http_status == 401 && !call->reauthorized) {
		call->reauthorized = true;
		return kube_client_refresh_token(client);
	}
	if (call->stream.on_end != NULL || !is_busy(failure->http_status) ||
	    failure->retry_after_ms == 0 || call->tries >= KUBE_TRIES_MAX ||
	    now_ms + failure->retry_after_ms >= call->deadline_ms)
		return false;
	call->not_before_ms = now_ms + failure->retry_after_ms;
	client->counts.retried++;
	return true;
}

static bool read_answer(const struct kube_call *call, const struct http_response *response,
                        json_t **ret_answer, struct kube_failure *ret_failure)
{
	bool ended = call->stream.on_end != NULL && response->status / 100 == 2;

	if (!ended)
		return kube_answer_read(response, call->plain, ret_answer, ret_failure);
	*ret_answer = NULL;
	return true;
}

static void on_done(struct http_call *http, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct kube_call *call = arg;
	struct kube_failure failure = {0};
	json_t *answer = NULL;

	(void)http;
	if (call->cancelled)
		return;
	leave_sent(call);
	if (response == NULL) {
		failure.err = *err;
		fail(call, &failure);
		return;
	}
	if (!read_answer(call, response, &answer, &failure)) {
		if (should_retry(call, &failure))
			kube_call_queue(call);
		else
			fail(call, &failure);
		return;
	}
	if (call->stream.on_end != NULL) {
		call->stream.on_end(NULL, call->stream.arg);
		call_free(call);
		return;
	}
	call->on_answer(call, answer, NULL);
	json_decref(answer);
}

static void on_head(struct http_call *http, const struct http_response *response, void *arg)
{
	struct kube_call *call = arg;

	(void)http;
	if (!call->cancelled && response->status / 100 == 2 && call->stream.on_head != NULL)
		call->stream.on_head(call->stream.arg);
}

static void on_data(struct http_call *http, struct str data, void *arg)
{
	struct kube_call *call = arg;

	(void)http;
	if (!call->cancelled)
		call->stream.on_data(data, call->stream.arg);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void add_fields(const struct kube_call *call, struct http_fields *fields)
{
	http_fields_add_text(fields, "accept", call->accept);
	http_fields_add_text(fields, "user-agent", call->client->options.user_agent);
	if (call->body != NULL)
		http_fields_add_text(fields, "content-type", call->content_type);
}

static void send_call(struct kube_call *call, int64_t now_ms)
{
	struct kube_client *client = call->client;
	struct http_fields CLEANUP(http_fields_fini) fields = HTTP_FIELDS_EMPTY;
	char *url CLEANUP(free_ptr) = xasprintf("%s%s", client->config.server, call->path);
	bool is_stream = call->stream.on_end != NULL;
	struct http_call_config config = {
		.method = call->method,
		.url = url,
		.fields = &fields,
		.body = str_from(call->body),
		.timeout_ms = is_stream ? 0 : call->deadline_ms - now_ms,
		.idle_ms = call->stream.idle_ms,
		.body_max = KUBE_CLIENT_BODY_MAX,
		.on_data = is_stream ? on_data : NULL,
		.on_head = is_stream ? on_head : NULL,
		.on_done = on_done,
		.arg = call,
	};

	leave_waiting(call);
	add_fields(call, &fields);
	if (client->config.token_file != NULL && now_ms - client->token_read_ms > KUBE_TOKEN_AGE_MS)
		kube_client_refresh_token(client);
	call->tries++;
	call->transport = client->transport;
	call->transport->n_calls++;
	if (!call->stream.is_watch)
		client->counts.in_flight++;
	client->counts.sent++;
	client->milli_tokens -= 1000;
	list_append(&client->sent, &call->link);
	call->http = http_client_send(call->transport->http, &config);
}

static void refill(struct kube_client *client, int64_t now_ms)
{
	int64_t max = client->options.burst * 1000LL;
	int64_t elapsed_ms = now_ms - client->refilled_ms;

	client->refilled_ms = now_ms;
	if (elapsed_ms > max) /* qps is at least 1: full in any case */
		elapsed_ms = max;
	client->milli_tokens += elapsed_ms * client->options.qps;
	if (client->milli_tokens > max)
		client->milli_tokens = max;
}

/* Milliseconds until the call may be sent: 0 now, -1 when another one ends. */
static int64_t due_in(const struct kube_call *call, int64_t now_ms)
{
	const struct kube_client *client = call->client;

	if (call->not_before_ms > now_ms)
		return call->not_before_ms - now_ms;
	if (client->milli_tokens < 1000)
		return (1000 - client->milli_tokens) / client->options.qps + 1;
	if (!call->stream.is_watch && client->counts.in_flight >= (size_t)client->options.in_flight)
		return -1;
	return 0;
}

static struct kube_call *find_ended(struct kube_client *client, int64_t now_ms)
{
	list_for_each (it, &client->waiting) {
		struct kube_call *call = LIST_ENTRY(it, struct kube_call, link);

		if (call->refused || call->deadline_ms <= now_ms)
			return call;
	}
	return NULL;
}

static void end_waiting(struct kube_call *call)
{
	struct kube_failure failure = {.err = call->refusal};

	leave_waiting(call);
	if (!call->refused)
		err_set(&failure.err, ERR_TIMEOUT,
		        "not sent within %lld ms: too many requests wait for this cluster, or it "
		        "asked to come back later",
		        (long long)call->client->options.timeout_ms);
	kube_client_schedule(call->client, 0);
	fail(call, &failure);
}

void kube_client_schedule(struct kube_client *client, int64_t in_ms)
{
	loop_timer_set(&client->timer, in_ms);
}

void kube_client_pump(void *arg)
{
	struct kube_client *client = arg;
	int64_t now_ms = loop_now_ms(client->loop);
	struct kube_call *ended = find_ended(client, now_ms);
	int64_t next_ms = INT64_MAX;

	if (ended != NULL) {
		end_waiting(ended); /* the client may be gone now */
		return;
	}
	refill(client, now_ms);
	list_for_each_safe (it, &client->waiting) {
		struct kube_call *call = LIST_ENTRY(it, struct kube_call, link);
		int64_t in_ms = due_in(call, now_ms);

		if (in_ms == 0) {
			send_call(call, now_ms);
			continue;
		}
		if (in_ms < 0 || in_ms > call->deadline_ms - now_ms)
			in_ms = call->deadline_ms - now_ms;
		if (in_ms < next_ms)
			next_ms = in_ms;
	}
	if (next_ms != INT64_MAX)
		kube_client_schedule(client, next_ms);
}

struct kube_call *kube_client_stream(struct kube_client *client, const char *path,
                                     const char *accept, const struct kube_stream *stream)
{
	struct kube_call *call = kube_call_create(client, "GET", NULL, NULL);

	call->accept = accept;
	call->stream = *stream;
	kube_call_set_path(call, path);
	kube_call_queue(call);
	return call;
}
