/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server for tests: base's HTTP server on loopback in the same loop, with canned
 * answers in order, a log of requests, and watches that the test writes to.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/net.h"

enum {
	API_ANSWERS_MAX = 64,
	API_REQUESTS_MAX = 256,
	API_HOLD = -1 /* status of an answer that never comes */
};

struct api_answer {
	int status;
	const char *field; /* one more field, may be NULL */
	const char *value;
	const char *body;
};

struct api {
	struct loop *loop;
	struct http_server *server;
	char url[100];
	struct api_answer answers[API_ANSWERS_MAX]; /* 404 when they run out */
	size_t n_answers;
	size_t at;
	char *requests[API_REQUESTS_MAX]; /* "METHOD PATH?QUERY BODY" */
	size_t n_requests;
	char *authorization; /* of the last request */
	char *user_agent;
	char *content_type;
	struct http_exchange *watch; /* the last one that is open */
	size_t n_watches;
	size_t n_gone;
};

static char *api_dup_field(const struct http_request *request, const char *name)
{
	const char *value = http_fields_find(&request->fields, name);

	return xstrdup(value != NULL ? value : "");
}

static void api_on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct api *api = arg;

	(void)why;
	api->n_gone++;
	if (api->watch == ex)
		api->watch = NULL;
}

static void api_answer(struct api *api, struct http_exchange *ex)
{
	static const struct api_answer none = {404, NULL, NULL, "404 page not found\n"};
	const struct api_answer *answer =
		api->at < api->n_answers ? &api->answers[api->at++] : &none;

	if (answer->status == API_HOLD) {
		http_exchange_on_gone(ex, api_on_gone, api);
		return;
	}
	if (answer->field != NULL)
		http_exchange_add_field(ex, answer->field, answer->value);
	http_exchange_reply(ex, answer->status, "application/json", str_from(answer->body));
}

static void api_on_body(struct http_exchange *ex, struct str body, void *arg)
{
	struct api *api = arg;
	const struct http_request *request = http_exchange_request(ex);
	bool has_query = request->query.len > 0;

	if (api->n_requests == API_REQUESTS_MAX)
		abort();
	api->requests[api->n_requests++] =
		xasprintf("%.*s %.*s%s%.*s%s%.*s", STR_ARG(request->method), STR_ARG(request->path),
	                  has_query ? "?" : "", STR_ARG(request->query), body.len > 0 ? " " : "",
	                  STR_ARG(body));
	free(api->authorization);
	free(api->user_agent);
	free(api->content_type);
	api->authorization = api_dup_field(request, "authorization");
	api->user_agent = api_dup_field(request, "user-agent");
	api->content_type = api_dup_field(request, "content-type");
	if (str_starts_with(request->query, STR_LIT("watch=true"))) {
		http_exchange_on_gone(ex, api_on_gone, api);
		http_exchange_begin(ex, 200, "application/json");
		api->watch = ex;
		api->n_watches++;
		return;
	}
	api_answer(api, ex);
}

static void api_on_request(struct http_exchange *ex, void *arg)
{
	http_exchange_read_whole(ex, 4 << 20, api_on_body, arg);
}

static void api_init(struct api *api)
{
	*api = (struct api){.loop = loop_create()};
	struct http_server_config config = {
		.loop = api->loop, .name = "test", .on_request = api_on_request, .arg = api};

	struct addr addr;
	struct err err;
	char text[ADDR_TEXT_MAX];

	if (!addr_parse(STR_LIT("127.0.0.1:0"), &addr))
		abort();
	int fd = net_listen(&addr, false, &addr, &err);

	if (fd < 0)
		abort();
	api->server = http_server_create(&config);
	http_server_listen(api->server, fd, NULL);
	snprintf(api->url, sizeof(api->url), "http://%s/prefix", addr_format(&addr, text));
}

static void api_fini(struct api *api)
{
	http_server_destroy(api->server);
	loop_destroy(api->loop);
	for (size_t i = 0; i < api->n_requests; i++)
		free(api->requests[i]);
	free(api->authorization);
	free(api->user_agent);
	free(api->content_type);
}

static void api_add(struct api *api, int status, const char *body)
{
	if (api->n_answers == API_ANSWERS_MAX)
		abort();
	api->answers[api->n_answers++] = (struct api_answer){status, NULL, NULL, body};
}

/* A line to the open watch. */
static inline void api_send(struct api *api, const char *line)
{
	if (api->watch == NULL || !http_exchange_write(api->watch, str_from(line)) ||
	    !http_exchange_write(api->watch, STR_LIT("\n")))
		abort();
}

/* Turns the loop until *flag reaches n; false after 10 s. */
static bool api_wait(struct api *api, const size_t *flag, size_t n)
{
	for (int i = 0; i < 1000 && *flag < n; i++)
		loop_run_once(api->loop, 10);
	return *flag >= n;
}
