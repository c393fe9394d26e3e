/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call is a connection that lives for one question; a held connection asks again and again. Both
 * are `struct call`; what differs is what happens after the answer.
 */
#include "workload_priv.h"

#include <inttypes.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/wire.h"

enum {
	HELD_EVERY_MS = 200,
	ANSWERS_MAX = 64 /* different answers that are counted */
};

struct client {
	const struct workload_client *config;
	struct loop *loop;
	struct workload_tls tls;
	struct loop_timer next;
	struct loop_timer end;
	struct list calls;
	json_t *answers;
	uint64_t started;
	uint64_t done;
	uint64_t failed;
	uint64_t cut;
	bool stopping;
};

struct call {
	struct list link;
	struct client *client;
	struct wire *wire;
	struct loop_timer timer; /* the call's deadline; a held one's next question */
	struct buf in;
	uint64_t id;
	int64_t start_us;
	bool held;
	bool asked; /* an answer is awaited */
};

static void start_next(void *arg);

static void write_line(struct client *client, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
	fprintf(client->config->out, "%s\n", text);
	fflush(client->config->out);
	free(text);
	json_decref(line);
}

static void call_close(struct call *call)
{
	wire_close(call->wire);
	loop_timer_fini(&call->timer);
	list_remove(&call->link);
	buf_fini(&call->in);
	free(call);
}

static bool has_open_call(struct client *client)
{
	list_for_each (it, &client->calls) {
		if (!LIST_ENTRY(it, struct call, link)->held)
			return true;
	}
	return false;
}

static void stop_if_done(struct client *client)
{
	bool all = client->config->calls > 0 && client->done >= client->config->calls;
	if (all || (client->stopping && !has_open_call(client)))
		loop_stop(client->loop);
}

static void call_report(struct call *call, struct str answer, const char *error)
{
	struct client *client = call->client;
	json_t *line = json_pack("{sI sI sf}", "call", (json_int_t)call->id, "start",
	                         (json_int_t)(call->start_us / 1000), "took",
	                         (double)(clock_now_us() - call->start_us) / 1000.0);
	client->done++;
	if (error == NULL) {
		char *key = str_dup(answer);
		json_int_t n = json_integer_value(json_object_get(client->answers, key));
		if (n > 0 || json_object_size(client->answers) < ANSWERS_MAX)
			json_object_set_new(client->answers, key, json_integer(n + 1));
		json_object_set_new(line, "answer", json_string(key));
		free(key);
	} else {
		client->failed++;
		json_object_set_new(line, "error", json_string(error));
	}
	write_line(client, line);
}

static void call_fail(struct call *call, const char *error)
{
	struct client *client = call->client;
	if (call->held) {
		client->cut++;
		write_line(client, json_pack("{sI sI ss}", "held", (json_int_t)call->id, "at",
		                             (json_int_t)clock_now_ms(), "error", error));
	} else {
		call_report(call, STR_NULL, error);
		if (client->config->every_ms == 0)
			loop_timer_set(&client->next, 0);
	}
	call_close(call);
	stop_if_done(client);
}

static void call_ask(struct call *call)
{
	call->asked = true;
	wire_write(call->wire, STR_LIT("hello\n"));
	loop_timer_set(&call->timer, WORKLOAD_CALL_MS);
}

static void call_answered(struct call *call, struct str answer)
{
	struct client *client = call->client;
	call->asked = false;
	if (call->held) {
		loop_timer_set(&call->timer, HELD_EVERY_MS);
		return;
	}
	call_report(call, answer, NULL);
	call_close(call);
	if (client->config->every_ms == 0)
		loop_timer_set(&client->next, 0);
	stop_if_done(client);
}

static void on_call_open(struct wire *wire, void *arg)
{
	(void)wire;
	call_ask(arg);
}

static void on_call_data(struct wire *wire, struct str data, void *arg)
{
	struct call *call = arg;
	struct str line;
	size_t used;
	(void)wire;
	if (!buf_add_str(&call->in, data)) {
		call_fail(call, "an answer longer than a line");
		return;
	}
	if (!workload_next_line(&call->in, &line, &used))
		return;
	char answer[WORKLOAD_LINE_MAX];
	memcpy(answer, line.ptr, line.len);
	size_t len = line.len;
	buf_consume(&call->in, used);
	call_answered(call, str_make(answer, len));
}

static void on_call_close(struct wire *wire, const struct err *why, void *arg)
{
	(void)wire;
	call_fail(arg, why->msg);
}

static const struct wire_events call_events = {
	.on_open = on_call_open,
	.on_data = on_call_data,
	.on_close = on_call_close,
};

static void on_call_timer(void *arg)
{
	struct call *call = arg;
	if (call->held && !call->asked && wire_is_open(call->wire))
		call_ask(call);
	else
		call_fail(call, "no answer in time");
}

static void call_start(struct client *client, uint64_t id, bool held)
{
	struct call *call = xcalloc(1, sizeof(*call));
	struct err err;
	list_init(&call->link);
	call->client = client;
	call->id = id;
	call->held = held;
	call->start_us = clock_now_us();
	buf_init(&call->in, WORKLOAD_LINE_MAX);
	list_append(&client->calls, &call->link);
	loop_timer_init(&call->timer, client->loop, on_call_timer, call);
	loop_timer_set(&call->timer, WORKLOAD_CALL_MS);
	SSL *ssl = tls_client_open(client->tls.ctx, client->config->sni, false);
	call->wire =
		wire_connect(client->loop, &client->config->via, ssl, &call_events, call, &err);
	if (call->wire == NULL)
		call_fail(call, err.msg);
}

static void start_next(void *arg)
{
	struct client *client = arg;
	const struct workload_client *config = client->config;
	if (client->stopping || (config->calls > 0 && client->started >= config->calls))
		return;
	if (config->every_ms > 0)
		loop_timer_set(&client->next, (int64_t)config->every_ms);
	client->started++;
	call_start(client, client->started, false);
}

/* Calls under way may end; no new ones begin. */
static void on_end(void *arg)
{
	struct client *client = arg;
	client->stopping = true;
	stop_if_done(client);
}

static void ask_until_done(struct client *client)
{
	struct loop_signal *term = loop_signal_create(client->loop, SIGTERM, on_end, client);
	struct loop_signal *intr = loop_signal_create(client->loop, SIGINT, on_end, client);
	loop_timer_init(&client->next, client->loop, start_next, client);
	loop_timer_init(&client->end, client->loop, on_end, client);
	if (client->config->time_ms > 0)
		loop_timer_set(&client->end, (int64_t)client->config->time_ms);
	for (uint64_t i = 1; i <= client->config->hold; i++)
		call_start(client, i, true);
	loop_timer_set(&client->next, 0);
	loop_run(client->loop);
	list_for_each_safe (it, &client->calls)
		call_close(LIST_ENTRY(it, struct call, link));
	loop_timer_fini(&client->next);
	loop_timer_fini(&client->end);
	loop_signal_destroy(term);
	loop_signal_destroy(intr);
}

bool workload_ask(const struct workload_client *config, uint64_t *ret_failed, struct err *err)
{
	struct client client = {.config = config};
	list_init(&client.calls);
	bool ok = workload_tls_init(&client.tls, &config->identity, false, err);
	if (ok) {
		client.answers = json_object();
		client.loop = loop_create();
		ask_until_done(&client);
		loop_destroy(client.loop);
		write_line(&client,
		           json_pack("{s{sI sI sI so}}", "summary", "calls",
		                     (json_int_t)client.done, "failed", (json_int_t)client.failed,
		                     "cut", (json_int_t)client.cut, "answers", client.answers));
		*ret_failed = client.failed + client.cut;
	}
	workload_tls_fini(&client.tls);
	return ok;
}
