/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   head ─▶ READING ─▶ (handled) ─▶ WAITING for the disk ─▶ replied
 *                          │                  └─▶ STREAMING ─▶ ended
 *                          └─▶ ANSWERING, elsewhere ─▶ replied
 */
#include "auth.h"
#include "call.h"
#include "failure.h"
#include "lifecycle.h"
#include "server.h"
#include "watcher.h"

#include <stdlib.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/list.h"
#include "base/log.h"

enum {
	TICK_MS = 1000,
	EXPIRE_TICKS = 60,
	INITIAL_PIECE = 256 << 10 /* bytes of a watch's beginning written at once */
};

struct api_server {
	struct loop *loop;
	struct api_core *core;
	struct http_server *http;
	struct http_listener *listener;
	struct list exchanges; /* every one that is open */
	struct list waiting;   /* for the disk, in order of arrival */
	struct loop_timer tick;
	struct loop_timer chores;
	unsigned n_ticks;
};

struct exchange {
	struct list link;    /* in server.exchanges */
	struct list waiting; /* in server.waiting */
	struct api_server *server;
	struct http_exchange *ex; /* NULL: the client is gone */
	struct api_user user;
	struct api_reply reply;
	struct api_answer *answer;
	/* While streaming: */
	struct api_watcher *watcher; /* not started: before the beginning is out; then the hub's */
	bool is_started;
	bool is_sending; /* the transport must not free us now */
	size_t sent;     /* of the beginning */
};

struct api_answer {
	struct exchange *exchange; /* NULL: the client is gone */
};

static void set_clock(struct api_core *core)
{
	core->now_s = clock_wall_s();
	core->now_ms = clock_now_ms();
}

static void free_exchange(struct exchange *exchange)
{
	list_remove(&exchange->link);
	list_remove(&exchange->waiting);
	if (exchange->answer != NULL)
		exchange->answer->exchange = NULL;
	if (!exchange->is_started)
		api_watcher_destroy(exchange->watcher);
	api_reply_fini(&exchange->reply);
	api_user_fini(&exchange->user);
	free(exchange);
}

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct exchange *exchange = arg;
	(void)ex;
	(void)why;
	exchange->ex = NULL;
	if (exchange->is_sending)
		return;
	if (exchange->is_started)
		api_watcher_destroy(exchange->watcher);
	free_exchange(exchange);
}

/* --- streaming -------------------------------------------------------------------------------- */

static bool on_event(struct str data, void *arg)
{
	struct exchange *exchange = arg;
	exchange->is_sending = true;
	bool ok = http_exchange_write(exchange->ex, data);
	exchange->is_sending = false;
	if (ok && exchange->ex != NULL)
		return true;
	/* Too slow, or gone: the watcher frees itself. */
	if (exchange->ex != NULL)
		http_exchange_reset(exchange->ex);
	free_exchange(exchange);
	return false;
}

static void on_end(void *arg)
{
	struct exchange *exchange = arg;
	http_exchange_end(exchange->ex, NULL);
	free_exchange(exchange);
}

/* False: the exchange is gone. */
static bool send_piece(struct exchange *exchange, bool *ret_taken)
{
	const struct buf *body = &exchange->reply.body;
	size_t len = body->len - exchange->sent;
	if (len > INITIAL_PIECE)
		len = INITIAL_PIECE;
	exchange->is_sending = true;
	*ret_taken = http_exchange_write(exchange->ex, str_make(body->ptr + exchange->sent, len));
	exchange->is_sending = false;
	if (exchange->ex == NULL) {
		free_exchange(exchange);
		return false;
	}
	if (*ret_taken)
		exchange->sent += len;
	return true;
}

/* Writes the beginning as far as the queue takes it, then lets the watcher go on. */
static void stream_on(struct exchange *exchange)
{
	static const struct api_watch_sink template = {.send = on_event, .end = on_end};
	struct api_watch_sink sink = template;
	bool taken = true;
	while (taken && exchange->sent < exchange->reply.body.len) {
		if (!send_piece(exchange, &taken))
			return;
	}
	if (exchange->sent < exchange->reply.body.len || exchange->is_started)
		return;
	buf_fini(&exchange->reply.body);
	exchange->sent = 0;
	exchange->is_started = true;
	sink.arg = exchange;
	api_watcher_start(exchange->watcher, &sink);
}

static void on_drain(struct http_exchange *ex, void *arg)
{
	(void)ex;
	stream_on(arg);
}

/* --- replies ---------------------------------------------------------------------------------- */

static void add_fields(struct exchange *exchange)
{
	struct http_exchange *ex = exchange->ex;
	const struct api_reply *reply = &exchange->reply;
	char text[24];
	bool ok = http_exchange_add_field(ex, "cache-control", "no-cache, private");
	for (size_t i = 0; i < json_array_size(reply->warnings); i++) {
		/* A quoted string (RFC 9110 5.6.4). */
		json_t *warning = json_array_get(reply->warnings, i);
		char *quoted = json_dumps(warning, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		char *value = xasprintf("299 - %s", quoted);
		ok = http_exchange_add_field(ex, "warning", value) && ok;
		free(value);
		free(quoted);
	}
	if (reply->etag != NULL) {
		ok = http_exchange_add_field(ex, "etag", reply->etag) && ok;
		ok = http_exchange_add_field(ex, "vary", "Accept") && ok;
	}
	if (reply->retry_after_s > 0) {
		snprintf(text, sizeof(text), "%d", reply->retry_after_s);
		ok = http_exchange_add_field(ex, "retry-after", text) && ok;
	}
	if (!ok)
		log_warn("api", "a field of an answer does not fit");
}

static void send_reply(struct exchange *exchange)
{
	struct api_reply *reply = &exchange->reply;
	list_remove(&exchange->waiting);
	add_fields(exchange);
	if (reply->watcher != NULL) {
		exchange->watcher = reply->watcher;
		reply->watcher = NULL;
		http_exchange_on_drain(exchange->ex, on_drain, exchange);
		http_exchange_begin(exchange->ex, reply->status, reply->content_type);
		stream_on(exchange);
		return;
	}
	bool empty = reply->status == 304;
	http_exchange_on_gone(exchange->ex, NULL, NULL);
	http_exchange_reply(exchange->ex, reply->status, empty ? NULL : reply->content_type,
	                    empty ? STR_LIT("") : buf_str(&reply->body));
	free_exchange(exchange);
}

void api_server_on_durable(struct api_server *server, uint64_t rev)
{
	set_clock(server->core);
	api_core_set_durable(server->core, rev);
	list_for_each_safe (it, &server->waiting) {
		struct exchange *exchange = LIST_ENTRY(it, struct exchange, waiting);
		/* In order of arrival, so in order of revision. */
		if (exchange->reply.wait_rev > rev)
			break;
		send_reply(exchange);
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

static void ask(struct exchange *exchange)
{
	const struct api_answer_kind *kind = exchange->reply.answer;
	json_t *body = json_incref(exchange->reply.answer_body);
	exchange->answer = xcalloc(1, sizeof(*exchange->answer));
	exchange->answer->exchange = exchange;
	kind->cb(exchange->answer, body, kind->arg);
	json_decref(body);
}

static void finish_answer(struct api_answer *answer)
{
	struct exchange *exchange = answer->exchange;
	if (exchange != NULL) {
		exchange->answer = NULL;
		send_reply(exchange);
	}
	free(answer);
}

void api_answer_reply(struct api_answer *answer, json_t *obj)
{
	if (answer->exchange != NULL)
		api_reply_json(&answer->exchange->reply, 201, obj);
	json_decref(obj);
	finish_answer(answer);
}

void api_answer_fail(struct api_answer *answer, const struct err *err)
{
	if (answer->exchange != NULL)
		api_fail_err(&answer->exchange->reply, err);
	finish_answer(answer);
}

/* --- requests --------------------------------------------------------------------------------- */

static enum api_method method_of(struct str text)
{
	static const struct {
		const char *name;
		enum api_method method;
	} rows[] = {
		{"GET", API_GET}, {"HEAD", API_GET},    {"POST", API_POST},
		{"PUT", API_PUT}, {"PATCH", API_PATCH}, {"DELETE", API_DELETE},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (str_is(text, rows[i].name))
			return rows[i].method;
	}
	return API_OTHER;
}

static const char *field(const struct http_request *request, const char *name)
{
	const char *value = http_fields_find(&request->fields, name);
	return value != NULL ? value : "";
}

/* Clients may send Accept in several fields. Owned by the caller. */
static char *join_accept(const struct http_request *request)
{
	struct buf text;
	buf_init(&text, HTTP_FIELDS_BYTES_MAX * 2);
	for (size_t i = 0; i < request->fields.n; i++) {
		if (str_is(request->fields.v[i].name, "accept"))
			buf_printf(&text, "%s%.*s", text.len > 0 ? "," : "",
			           STR_ARG(request->fields.v[i].value));
	}
	return buf_take(&text);
}

static void process(struct exchange *exchange, struct str body)
{
	struct api_core *core = exchange->server->core;
	const struct http_request *http = http_exchange_request(exchange->ex);
	char *accept = join_accept(http);
	struct api_request request = {
		.method = method_of(http->method),
		.path = http->path,
		.query = http->query,
		.accept = accept != NULL ? accept : "",
		.content_type = field(http, "content-type"),
		.if_none_match = field(http, "if-none-match"),
		.body = body,
		.user = exchange->user,
	};
	set_clock(core);
	api_handle(core, &request, &exchange->reply);
	log_debug("api", "request method=%.*s path=%.*s user=%s code=%d", STR_ARG(http->method),
	          STR_ARG(http->path), exchange->user.name, exchange->reply.status);
	free(accept);
}

static void fail_unwritten(struct exchange *exchange)
{
	struct api_reply *reply = &exchange->reply;
	api_watcher_destroy(reply->watcher);
	reply->watcher = NULL;
	reply->retry_after_s = 1;
	api_fail(reply, ERR_UNAVAILABLE,
	         "the disk of the data directory refuses writes: free space there");
	send_reply(exchange);
}

static void on_body(struct http_exchange *ex, struct str body, void *arg)
{
	struct exchange *exchange = arg;
	struct api_server *server = exchange->server;
	(void)ex;
	process(exchange, body);
	api_server_kick(server);
	if (exchange->reply.answer != NULL)
		ask(exchange);
	else if (exchange->reply.wait_rev <= server->core->hub.durable)
		send_reply(exchange);
	else if (server->core->is_failing)
		fail_unwritten(exchange);
	else
		list_append(&server->waiting, &exchange->waiting);
}

void api_server_on_failing(struct api_server *server)
{
	list_for_each_safe (it, &server->waiting) {
		fail_unwritten(LIST_ENTRY(it, struct exchange, waiting));
	}
}

static void on_request(struct http_exchange *ex, void *arg)
{
	struct err err;
	struct api_server *server = arg;
	const struct http_request *request = http_exchange_request(ex);
	struct exchange *exchange = xcalloc(1, sizeof(*exchange));
	exchange->server = server;
	exchange->ex = ex;
	list_init(&exchange->link);
	list_init(&exchange->waiting);
	list_append(&server->exchanges, &exchange->link);
	api_reply_init(&exchange->reply);
	http_exchange_on_gone(ex, on_gone, exchange);
	set_clock(server->core);
	if (!api_authenticate(server->core, field(request, "authorization"),
	                      http_exchange_peer_chain(ex), &exchange->user, &err)) {
		api_fail(&exchange->reply, ERR_UNAUTHORIZED, "Unauthorized");
		send_reply(exchange);
	} else if (api_user_has_group(&exchange->user, API_ADMIN_GROUP)) {
		http_exchange_read_whole(ex, API_BODY_MAX, on_body, exchange);
	} else {
		/* Nobody else may do what needs a body, so none is kept for them. */
		on_body(ex, STR_LIT(""), exchange);
	}
}

static void on_error(const struct err *err, struct buf *body, const char **content_type)
{
	struct api_reply reply;
	api_reply_init(&reply);
	api_fail_err(&reply, err);
	buf_add_str(body, buf_str(&reply.body));
	*content_type = "application/json";
	api_reply_fini(&reply);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_chores(void *arg)
{
	struct api_server *server = arg;
	set_clock(server->core);
	api_lifecycle_step(server->core);
	api_server_kick(server);
}

void api_server_kick(struct api_server *server)
{
	if (server->core->has_chores && !loop_timer_is_set(&server->chores))
		loop_timer_set(&server->chores, 0);
}

static void on_tick(void *arg)
{
	struct api_server *server = arg;
	set_clock(server->core);
	api_hub_tick(&server->core->hub, server->core->now_ms);
	if (++server->n_ticks % EXPIRE_TICKS == 0)
		api_lifecycle_expire_events(server->core);
	api_server_kick(server);
	loop_timer_set(&server->tick, TICK_MS);
}

struct api_server *api_server_create(const struct api_server_options *options)
{
	struct api_server *server = xcalloc(1, sizeof(*server));
	struct http_server_config config = {
		.loop = options->loop,
		.name = "api",
		.on_request = on_request,
		.on_error = on_error,
		.arg = server,
	};
	server->loop = options->loop;
	server->core = options->core;
	list_init(&server->exchanges);
	list_init(&server->waiting);
	loop_timer_init(&server->tick, options->loop, on_tick, server);
	loop_timer_init(&server->chores, options->loop, on_chores, server);
	server->http = http_server_create(&config);
	server->listener = http_server_listen(server->http, options->fd, options->tls);
	loop_timer_set(&server->tick, TICK_MS);
	api_server_kick(server);
	return server;
}

void api_server_set_tls(struct api_server *server, struct tls_ctx *tls)
{
	http_listener_set_tls(server->listener, tls);
}

void api_server_destroy(struct api_server *server)
{
	if (server == NULL)
		return;
	http_server_destroy(server->http);
	list_for_each_safe (it, &server->exchanges) {
		free_exchange(LIST_ENTRY(it, struct exchange, link));
	}
	loop_timer_fini(&server->tick);
	loop_timer_fini(&server->chores);
	free(server);
}
