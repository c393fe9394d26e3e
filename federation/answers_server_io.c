/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question: head ─▶ body ─▶ TokenReview ─▶ SubjectAccessReview ─▶ the answer's own work ─▶
 * reply. The token is in the review's body only, never in a log line.
 */
#include "answers_publish.h"
#include "answers_server.h"
#include "gather.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/list.h"
#include "base/log.h"
#include "base/net.h"
#include "certs/api_ca.h"
#include "certs/key.h"
#include "kube/status.h"

#define PREFIX "/apis/" ANSWERS_GROUP "/" ANSWERS_VERSION
#define BEARER "Bearer "

enum {
	NAMES_MAX = 16 /* of the certificate */
};

struct answers_server {
	struct answers_server_config config;
	struct http_server *http;
	struct tls_ctx *tls;
	struct addr addr;
	struct answers_publish *publish;
	struct list asked;
	size_t n_asked;
};

struct asked {
	struct answer answer;
	struct list link;
	struct answers_server *server;
	struct http_exchange *ex; /* NULL: its caller is gone */
	const struct answers_kind *kind;
	char *token; /* wiped at the end */
	json_t *body;
	struct gather *review; /* who, then whether allowed */
};

/* --- replies ------------------------------------------------------------------------------------
 */

static void reply_json(struct http_exchange *ex, int status, json_t *obj)
{
	char *text = json_format(obj);
	http_exchange_reply(ex, status, "application/json", str_from(text));
	free(text);
	json_decref(obj);
}

static void refuse(struct http_exchange *ex, const struct err *err)
{
	reply_json(ex, err_http_status(err->code), kube_status_create(err, NULL));
}

static void asked_free(struct asked *asked)
{
	list_remove(&asked->link);
	asked->server->n_asked--;
	gather_destroy(asked->review);
	if (asked->token != NULL)
		explicit_bzero(asked->token, strlen(asked->token));
	free(asked->token);
	json_decref(asked->body);
	free(asked);
}

static void finish(struct answer *answer, json_t *obj, const struct err *err)
{
	struct asked *asked = CONTAINER_OF(answer, struct asked, answer);
	if (asked->ex == NULL)
		json_decref(obj);
	else if (obj != NULL)
		reply_json(asked->ex, 201, obj);
	else
		refuse(asked->ex, err);
	asked_free(asked);
}

/* --- who asks -----------------------------------------------------------------------------------
 */

static void on_allowed(void *arg)
{
	struct asked *asked = arg;
	const struct gather_item *item = gather_at(asked->review, 0);
	struct err err = item->err;
	if (item->value != NULL && json_bool_at(item->value, "status.allowed", false)) {
		asked->kind->ask(asked->server->config.answers, &asked->answer, asked->body);
		return;
	}
	if (item->value != NULL)
		err_set(&err, ERR_FORBIDDEN, "the API server does not allow you to create %s.%s",
		        asked->kind->plural, ANSWERS_GROUP);
	answer_fail(&asked->answer, &err);
}

static void ask_allowed(struct asked *asked, const json_t *user)
{
	json_t *body = json_pack(
		"{ss ss s{ss so s{ss ss ss}}}", "apiVersion", "authorization.k8s.io/v1", "kind",
		"SubjectAccessReview", "spec", "user", json_str_at(user, "username", ""), "groups",
		json_deep_copy(json_object_get(user, "groups")), "resourceAttributes", "group",
		ANSWERS_GROUP, "resource", asked->kind->plural, "verb", "create");
	asked->review = gather_create(1, on_allowed, asked);
	gather_post(asked->review, 0, asked->server->config.api, &KUBE_SUBJECT_ACCESS_REVIEWS,
	            body);
}

static void on_known(void *arg)
{
	struct asked *asked = arg;
	struct gather *known = asked->review;
	const struct gather_item *item = gather_at(known, 0);
	struct err err = item->err;
	const json_t *user = json_at(item->value, "status.user");
	if (item->value != NULL && json_bool_at(item->value, "status.authenticated", false) &&
	    json_is_array(json_object_get(user, "groups"))) {
		ask_allowed(asked, user);
		gather_destroy(known);
		return;
	}
	if (item->value != NULL)
		err_set(&err, ERR_UNAUTHORIZED, "the API server does not know this token");
	answer_fail(&asked->answer, &err);
}

static void ask_known(struct asked *asked)
{
	json_t *body = json_pack("{ss ss s{ss}}", "apiVersion", "authentication.k8s.io/v1", "kind",
	                         "TokenReview", "spec", "token", asked->token);
	asked->review = gather_create(1, on_known, asked);
	gather_post(asked->review, 0, asked->server->config.api, &KUBE_TOKEN_REVIEWS, body);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void on_gone(struct http_exchange *ex, const struct err *why, void *arg)
{
	struct asked *asked = http_exchange_data(ex);
	(void)why;
	(void)arg;
	asked->ex = NULL;
	/* without a body nothing else would end it */
	if (asked->body == NULL)
		asked_free(asked);
}

static void on_body(struct http_exchange *ex, struct str text, void *arg)
{
	struct asked *asked = http_exchange_data(ex);
	struct err err;
	(void)arg;
	json_t *body = json_parse(text, &err);
	if (body != NULL && !json_is_object(body)) {
		json_decref(body);
		body = NULL;
		err_set(&err, ERR_BAD_REQUEST, "the body is no JSON object");
	}
	asked->body = body;
	if (body != NULL)
		ask_known(asked);
	else
		answer_fail(&asked->answer, &err);
}

static json_t *list_kinds(void)
{
	json_t *resources = json_array();
	for (size_t i = 0; i < N_ANSWERS; i++)
		json_array_append_new(
			resources, json_pack("{ss ss sb ss s[s]}", "name", answers_kinds[i].plural,
		                             "singularName", "", "namespaced", 0, "kind",
		                             answers_kinds[i].kind, "verbs", "create"));
	return json_pack("{ss ss ss so}", "kind", "APIResourceList", "apiVersion", "v1",
	                 "groupVersion", ANSWERS_GROUP "/" ANSWERS_VERSION, "resources", resources);
}

/* NULL with err. */
static const struct answers_kind *find_kind(const struct http_request *request, struct err *err)
{
	char path[128];
	for (size_t i = 0; i < N_ANSWERS; i++) {
		snprintf(path, sizeof(path), PREFIX "/%s", answers_kinds[i].plural);
		if (!str_is(request->path, path))
			continue;
		if (str_is(request->method, "POST"))
			return &answers_kinds[i];
		err_set(err, ERR_METHOD, "answers are only created: POST");
		return NULL;
	}
	err_set(err, ERR_NOT_FOUND,
	        "only " PREFIX " is served here; objects are on the API server");
	return NULL;
}

static const char *find_token(const struct http_request *request, struct err *err)
{
	const char *value = http_fields_find(&request->fields, "authorization");
	if (value != NULL && strncasecmp(value, BEARER, strlen(BEARER)) == 0)
		return value + strlen(BEARER);
	err_set(err, ERR_UNAUTHORIZED, "answers need a bearer token that the API server knows");
	return NULL;
}

static void on_request(struct http_exchange *ex, void *arg)
{
	struct answers_server *server = arg;
	const struct http_request *request = http_exchange_request(ex);
	struct err err;
	if (str_is(request->path, PREFIX) && str_is(request->method, "GET")) {
		reply_json(ex, 200, list_kinds());
		return;
	}
	const struct answers_kind *kind = find_kind(request, &err);
	const char *token = kind != NULL ? find_token(request, &err) : NULL;
	bool full = server->n_asked == ANSWERS_ASKED_MAX;
	if (token != NULL && full)
		err_set(&err, ERR_TOO_MANY, "%d other questions wait", ANSWERS_ASKED_MAX);
	if (token == NULL || full) {
		refuse(ex, &err);
		return;
	}
	struct asked *asked = xcalloc(1, sizeof(*asked));
	list_init(&asked->link);
	list_append(&server->asked, &asked->link);
	server->n_asked++;
	asked->answer.finish = finish;
	asked->server = server;
	asked->ex = ex;
	asked->kind = kind;
	asked->token = xstrdup(token);
	http_exchange_set_data(ex, asked);
	http_exchange_on_gone(ex, on_gone, NULL);
	http_exchange_read_whole(ex, ANSWERS_BODY_MAX, on_body, NULL);
}

/* --- the listener -------------------------------------------------------------------------------
 */

static bool open_tls(struct answers_server *server, const char *const *names, size_t n_names,
                     struct buf *ca_pem, struct err *err)
{
	struct buf cert CLEANUP(buf_fini);
	struct buf key CLEANUP(buf_fini);
	struct buf ca_key CLEANUP(buf_fini);
	int64_t now_s = clock_wall_s();
	struct cert_ca *ca = cert_api_ca_create("fedway-answers", CERT_API_TTL_S, now_s);
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	buf_init(&ca_key, CERT_PEM_MAX);
	cert_ca_encode(ca, ca_pem, &ca_key);
	bool ok = cert_api_ca_issue_serving(ca, names, n_names, now_s, &cert, &key, err);
	struct tls_config tls = {.cert_pem = buf_str(&cert),
	                         .key_pem = buf_str(&key),
	                         .alpn = "h2,http/1.1",
	                         .peer = TLS_PEER_NONE};
	server->tls = ok ? tls_server_create(&tls, err) : NULL;
	cert_ca_destroy(ca);
	return server->tls != NULL;
}

/* The hosts of advertise, and the address that is listened on. */
static bool make_tls(struct answers_server *server, struct buf *ca_pem, struct err *err)
{
	const struct answers_server_config *config = &server->config;
	char ip[IP_TEXT_MAX];
	char hosts[NAMES_MAX][256];
	const char *names[NAMES_MAX];
	size_t n = 0;
	names[n++] = ip_format(&server->addr.ip, ip);
	for (size_t i = 0; i < config->n_advertise && n < NAMES_MAX; i++) {
		const char *colon = strrchr(config->advertise[i], ':');
		int len = colon != NULL ? (int)(colon - config->advertise[i]) : -1;
		snprintf(hosts[n], sizeof(hosts[n]), "%.*s", len, config->advertise[i]);
		names[n] = hosts[n];
		n++;
	}
	return open_tls(server, names, n, ca_pem, err);
}

static void publish(struct answers_server *server, const struct buf *ca_pem)
{
	const struct answers_server_config *config = &server->config;
	char text[ADDR_TEXT_MAX];
	const char *address =
		config->n_advertise > 0 ? config->advertise[0] : addr_format(&server->addr, text);
	server->publish =
		answers_publish_start(config->loop, config->api, address, buf_text(ca_pem));
	log_info("fedwayd", "answers are served  address=%s", address);
}

struct answers_server *answers_server_create(const struct answers_server_config *config,
                                             struct err *err)
{
	struct answers_server *server = xcalloc(1, sizeof(*server));
	struct buf ca_pem CLEANUP(buf_fini);
	buf_init(&ca_pem, CERT_PEM_MAX);
	server->config = *config;
	list_init(&server->asked);
	int fd = net_listen_text(config->listen, &server->addr, err);
	struct http_server_config http = {
		.loop = config->loop, .name = "answers", .on_request = on_request, .arg = server};
	server->http = fd >= 0 ? http_server_create(&http) : NULL;
	bool ok = fd >= 0 && make_tls(server, &ca_pem, err);
	if (fd >= 0)
		http_server_listen(server->http, fd, server->tls);
	if (ok) {
		publish(server, &ca_pem);
		return server;
	}
	answers_server_destroy(server);
	err_wrap(err, "listener of the answers");
	return NULL;
}

void answers_server_destroy(struct answers_server *server)
{
	if (server == NULL)
		return;
	answers_publish_stop(server->publish);
	http_server_destroy(server->http);
	list_for_each_safe (it, &server->asked)
		asked_free(LIST_ENTRY(it, struct asked, link));
	tls_ctx_unref(server->tls);
	free(server);
}

struct addr answers_server_addr(const struct answers_server *server)
{
	return server->addr;
}
