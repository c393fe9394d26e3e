/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call is an exchange with its body read as a stream. Errors that the peer's bytes cause end the
 * call with a status and tell the handler by on_gone.
 */
#include "grpc_frame.h"
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/grpc.h"
#include "base/macros.h"
#include "base/map.h"

struct grpc_server {
	struct loop *loop;
	struct map methods; /* path -> const struct grpc_method, borrowed */
};

struct grpc_call {
	struct grpc_server *server;
	const struct grpc_method *method;
	struct http_exchange *ex;
	struct grpc_deframer deframer;
	struct buf held; /* input that came while paused */
	struct loop_timer deadline;
	void *data;
	bool begun;
	bool over;
	bool paused;
	bool delivering;
	bool input_ended;
	bool half_closed; /* the handler has been told */
	size_t n_messages;
};

static const char content_type[] = "application/grpc";

/* --- life ------------------------------------------------------------------------------------- */

struct grpc_server *grpc_server_create(struct loop *loop)
{
	struct grpc_server *server = xcalloc(1, sizeof(*server));

	server->loop = loop;
	server->methods = MAP_EMPTY;
	return server;
}

void grpc_server_destroy(struct grpc_server *server)
{
	if (server == NULL)
		return;
	map_fini(&server->methods, NULL);
	free(server);
}

void grpc_server_add(struct grpc_server *server, const struct grpc_method *method)
{
	union {
		const void *in;
		void *out;
	} pun = {.in = method}; /* the map keeps void *, we give it back const */

	map_set(&server->methods, str_from(method->path), pun.out);
}

static void free_call(void *arg)
{
	struct grpc_call *call = arg;

	grpc_deframer_fini(&call->deframer);
	buf_fini(&call->held);
	free(call);
}

static void close_call(struct grpc_call *call)
{
	call->over = true;
	loop_timer_fini(&call->deadline);
	loop_bury(call->server->loop, free_call, call);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void add_status(struct http_fields *fields, enum grpc_status status, const char *message)
{
	struct buf CLEANUP(buf_fini) text;
	char number[16];

	buf_init(&text, GRPC_STATUS_MESSAGE_MAX);
	snprintf(number, sizeof(number), "%d", (int)status);
	http_fields_add_text(fields, "grpc-status", number);
	if (message != NULL && message[0] != '\0') {
		grpc_format_message(&text, message);
		http_fields_add(fields, STR_LIT("grpc-message"), buf_str(&text));
	}
}

static void end_exchange(struct http_exchange *ex, bool begun, enum grpc_status status,
                         const char *message)
{
	struct http_fields CLEANUP(http_fields_fini) trailers = HTTP_FIELDS_EMPTY;

	add_status(&trailers, status, message);
	if (begun) {
		http_exchange_end(ex, &trailers);
		return;
	}
	/* Trailers-Only: the status is the head. */
	for (size_t i = 0; i < trailers.n; i++)
		http_exchange_add_field(ex, trailers.v[i].name.ptr, trailers.v[i].value.ptr);
	http_exchange_reply(ex, 200, content_type, STR_NULL);
}

void grpc_call_end(struct grpc_call *call, enum grpc_status status, const char *message)
{
	if (call->over)
		return;
	close_call(call);
	end_exchange(call->ex, call->begun, status, message);
}

bool grpc_call_send(struct grpc_call *call, struct str message)
{
	uint8_t prefix[GRPC_PREFIX_LEN];
	size_t max = call->method->queue_max > 0 ? call->method->queue_max : GRPC_QUEUE_MAX;
	size_t queued = http_exchange_queued(call->ex);

	if (call->over || queued > max || message.len + GRPC_PREFIX_LEN > max - queued)
		return false;
	if (!call->begun) {
		call->begun = true;
		http_exchange_begin(call->ex, 200, content_type);
	}
	grpc_format_prefix(prefix, message.len);
	return http_exchange_write2(call->ex, str_make((const char *)prefix, sizeof(prefix)),
	                            message, max);
}

size_t grpc_call_queued(const struct grpc_call *call)
{
	return call->over ? 0 : http_exchange_queued(call->ex);
}

void grpc_call_reply(struct grpc_call *call, struct str message)
{
	if (grpc_call_send(call, message))
		grpc_call_end(call, GRPC_OK, NULL);
	else
		grpc_call_end(call, GRPC_RESOURCE_EXHAUSTED, "the reply is too large");
}

/* The peer broke something: the handler hears why, the peer gets a status. */
static void refuse(struct grpc_call *call, const struct err *err)
{
	if (call->over)
		return;
	if (call->method->on_gone != NULL)
		call->method->on_gone(call, err, call->method->arg);
	grpc_call_end(call, grpc_status_of_err(err->code), err->msg);
}

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct grpc_call *call = arg;

	(void)ex;
	if (call->over)
		return;
	if (call->method->on_gone != NULL)
		call->method->on_gone(call, why, call->method->arg);
	if (!call->over)
		close_call(call);
}

static void on_drain(struct http_exchange *ex, void *arg)
{
	struct grpc_call *call = arg;

	(void)ex;
	if (!call->over && call->method->on_drain != NULL)
		call->method->on_drain(call, call->method->arg);
}

static void on_deadline(void *arg)
{
	struct grpc_call *call = arg;
	struct err err;

	err_set(&err, ERR_TIMEOUT, "the caller's deadline has passed");
	refuse(call, &err);
}

/* --- the request ------------------------------------------------------------------------------ */

static void deliver_message(struct grpc_call *call, struct str message)
{
	const struct grpc_method *method = call->method;
	struct err err;

	call->n_messages++;
	if (method->on_call == NULL) {
		method->on_message(call, message, method->arg);
	} else if (call->n_messages == 1) {
		method->on_call(call, message, method->arg);
	} else {
		err_set(&err, ERR_METHOD, "a second message in a unary call");
		refuse(call, &err);
	}
}

static void deliver_half_close(struct grpc_call *call)
{
	const struct grpc_method *method = call->method;
	struct err err;

	call->half_closed = true;
	if (grpc_deframer_is_busy(&call->deframer)) {
		err_set(&err, ERR_BAD_REQUEST, "the call ended within a message");
		refuse(call, &err);
	} else if (method->on_call == NULL) {
		method->on_half_close(call, method->arg);
	} else if (call->n_messages == 0) {
		err_set(&err, ERR_BAD_REQUEST, "a unary call without a message");
		refuse(call, &err);
	}
}

static void deliver(struct grpc_call *call, struct str *input)
{
	struct str message;
	struct err err;

	while (!call->over && !call->paused) {
		switch (grpc_deframe(&call->deframer, input, &message, &err)) {
		case GRPC_DEFRAME_MORE:
			return;
		case GRPC_DEFRAME_MESSAGE:
			deliver_message(call, message);
			break;
		case GRPC_DEFRAME_BAD:
			refuse(call, &err);
			return;
		}
	}
}

/* Input that waits for the handler goes behind what waited before. */
static void run(struct grpc_call *call, struct str data)
{
	struct buf held = call->held;
	struct str input = data;

	if (call->delivering || (call->paused && !call->over)) {
		buf_add_str(&call->held, data);
		return;
	}
	buf_init(&call->held, SIZE_MAX / 4);
	if (held.len > 0) {
		buf_add_str(&held, data);
		input = buf_str(&held);
	}
	call->delivering = true;
	deliver(call, &input);
	call->delivering = false;
	if (!call->over)
		buf_add_str(&call->held, input);
	buf_fini(&held);
	if (!call->over && call->input_ended && !call->half_closed && !call->paused)
		deliver_half_close(call);
}

static void on_data(struct http_exchange *ex, struct str data, bool is_end, void *arg)
{
	struct grpc_call *call = arg;

	(void)ex;
	if (call->over)
		return;
	call->input_ended = call->input_ended || is_end;
	run(call, data);
}

void grpc_call_set_paused(struct grpc_call *call, bool paused)
{
	if (call->over || call->paused == paused)
		return;
	call->paused = paused;
	http_exchange_set_paused(call->ex, paused);
	if (!paused && !call->over && !call->delivering)
		run(call, STR_NULL);
}

static void start_call(struct grpc_server *server, const struct grpc_method *method,
                       struct http_exchange *ex)
{
	struct grpc_call *call = xcalloc(1, sizeof(*call));
	const char *timeout = http_fields_find(&http_exchange_request(ex)->fields, "grpc-timeout");
	int64_t timeout_ms = timeout != NULL ? grpc_parse_timeout(timeout) : 0;

	call->server = server;
	call->method = method;
	call->ex = ex;
	grpc_deframer_init(&call->deframer,
	                   method->message_max > 0 ? method->message_max : GRPC_MESSAGE_MAX);
	/* Bounded by the stream's window, as a paused stream gives none back. */
	buf_init(&call->held, SIZE_MAX / 4);
	loop_timer_init(&call->deadline, server->loop, on_deadline, call);
	if (timeout_ms > 0)
		loop_timer_set(&call->deadline, timeout_ms);
	http_exchange_on_gone(ex, on_gone, call);
	http_exchange_on_drain(ex, on_drain, call);
	if (method->on_open != NULL)
		method->on_open(call, method->arg);
	if (!call->over)
		http_exchange_read_stream(ex, on_data, call);
}

bool grpc_is_request(const struct http_request *request)
{
	const char *type = http_fields_find(&request->fields, "content-type");

	return type != NULL && str_starts_with(str_from(type), STR_LIT("application/grpc"));
}

void grpc_server_on_request(struct http_exchange *ex, void *arg)
{
	struct grpc_server *server = arg;
	const struct http_request *request = http_exchange_request(ex);
	const struct grpc_method *method = map_find(&server->methods, request->path);
	char message[200];

	if (request->version != 2 || !str_is(request->method, "POST") ||
	    !grpc_is_request(request)) {
		http_exchange_reply(ex, 415, "text/plain",
		                    STR_LIT("gRPC over HTTP/2 only (POST, application/grpc)\n"));
		return;
	}
	if (method == NULL) {
		snprintf(message, sizeof(message), "no method '%.*s'",
		         (int)(request->path.len < 150 ? request->path.len : 150),
		         request->path.ptr);
		end_exchange(ex, false, GRPC_UNIMPLEMENTED, message);
		return;
	}
	start_call(server, method, ex);
}

struct http_exchange *grpc_call_exchange(const struct grpc_call *call)
{
	return call->ex;
}

const char *grpc_call_metadata(const struct grpc_call *call, const char *name)
{
	return http_fields_find(&http_exchange_request(call->ex)->fields, name);
}

void grpc_call_set_data(struct grpc_call *call, void *data)
{
	call->data = data;
}

void *grpc_call_data(const struct grpc_call *call)
{
	return call->data;
}
