/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One curl multi handle a client; its sockets and its one timer are ours to watch. libcurl calls us
 * from inside curl_multi_socket_action(), where handles may not be removed: calls that end there
 * are marked and reaped when it has returned (settle).
 */
#include "http_client_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/tls.h"

enum {
	TOKEN_MAX = 16 << 10,
	IDLE_CONNECTIONS_MAX = 32 /* kept beside those in use */
};

void http_client_count(struct http_client *client, int change)
{
	client->n_running += (size_t)change;
	/* libcurl counts connections in use too, and closes any that comes back beyond the limit */
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
	                  (long)client->n_running + IDLE_CONNECTIONS_MAX);
}

static struct http_call *find_over(struct http_client *client)
{
	list_for_each (it, &client->calls) {
		struct http_call *call = LIST_ENTRY(it, struct http_call, link);

		if (http_call_is_over(call))
			return call;
	}
	return NULL;
}

static void collect_results(struct http_client *client)
{
	CURLMsg *msg;
	int left;

	for (msg = curl_multi_info_read(client->multi, &left); msg != NULL;
	     msg = curl_multi_info_read(client->multi, &left)) {
		struct http_call *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call->result = msg->data.result;
		if (!http_call_is_over(call))
			call->state = CALL_FINISHED;
	}
}

void http_client_settle(struct http_client *client)
{
	if (client->depth > 0 || client->destroyed)
		return;
	collect_results(client);
	for (;;) {
		struct http_call *call = client->destroyed ? NULL : find_over(client);

		if (call == NULL)
			return;
		http_call_finish(call);
	}
}

/* --- curl's sockets and timer ----------------------------------------------------------------- */

static void act(struct http_client *client, curl_socket_t fd, int what)
{
	int running;

	client->depth++;
	curl_multi_socket_action(client->multi, fd, what, &running);
	client->depth--;
	http_client_settle(client);
}

static void on_socket(unsigned ready, void *arg)
{
	struct socket_watch *watch = arg;
	int what = 0;

	if ((ready & LOOP_READ) != 0)
		what |= CURL_CSELECT_IN;
	if ((ready & LOOP_WRITE) != 0)
		what |= CURL_CSELECT_OUT;
	act(watch->client, watch->io.fd, what);
}

static void free_watch(void *arg)
{
	free(arg);
}

static void drop_watch(struct socket_watch *watch)
{
	list_remove(&watch->link);
	loop_io_fini(&watch->io);
	loop_bury(watch->client->loop, free_watch, watch);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *client = arg;
	struct socket_watch *watch = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL)
			drop_watch(watch);
		curl_multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (watch == NULL) {
		watch = xcalloc(1, sizeof(*watch));
		watch->client = client;
		list_init(&watch->link);
		list_append(&client->sockets, &watch->link);
		loop_io_init(&watch->io, client->loop, fd, on_socket, watch);
		curl_multi_assign(client->multi, fd, watch);
	}
	loop_io_set(&watch->io, ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0U) |
	                                ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0U));
	return 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct http_client *client = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_cancel(&client->timer);
	else
		loop_timer_set(&client->timer, ms);
	return 0;
}

static void on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_start(void *arg)
{
	struct http_client *client = arg;

	client->depth++;
	list_for_each (it, &client->calls) {
		struct http_call *call = LIST_ENTRY(it, struct http_call, link);

		if (call->state != CALL_NEW)
			continue;
		call->state = CALL_RUNNING;
		call->given = true;
		http_client_count(client, 1);
		curl_multi_add_handle(client->multi, call->easy);
	}
	client->depth--;
	http_client_settle(client);
}

/* --- client ----------------------------------------------------------------------------------- */

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool copy_pem(struct buf *to, struct str pem, const char *what, struct err *err)
{
	buf_init(to, TLS_PEM_MAX);
	if (pem.len > 0 && memmem(pem.ptr, pem.len, "-----BEGIN ", 11) == NULL)
		return err_set(err, ERR_INVALID, "%s: not in PEM form", what);
	if (!buf_add_str(to, pem))
		return err_set(err, ERR_TOO_LARGE, "%s: over %d bytes", what, TLS_PEM_MAX);
	return true;
}

static bool is_clean_token(struct str token)
{
	for (size_t i = 0; i < token.len; i++) {
		if (token.ptr[i] <= 0x20 || token.ptr[i] >= 0x7f)
			return false;
	}
	return token.len > 0 && token.len <= TOKEN_MAX;
}

static bool fill_client(struct http_client *client, const struct http_client_config *config,
                        struct err *err)
{
	if (!copy_pem(&client->roots_pem, config->roots_pem, "CA certificates", err) ||
	    !copy_pem(&client->cert_pem, config->cert_pem, "client certificate", err) ||
	    !copy_pem(&client->key_pem, config->key_pem, "client key", err))
		return false;
	if ((client->cert_pem.len > 0) != (client->key_pem.len > 0))
		return err_set(err, ERR_INVALID, "a client certificate needs its key, and reverse");
	if (config->bearer_token != NULL &&
	    !is_clean_token(str_trim(str_from(config->bearer_token))))
		return err_set(err, ERR_INVALID, "bearer token with spaces or line ends");
	http_client_set_token(client, config->bearer_token);
	if (config->server_name != NULL)
		client->server_name = xstrdup(config->server_name);
	if (config->proxy_url != NULL)
		client->proxy_url = xstrdup(config->proxy_url);
	client->insecure = config->insecure;
	client->dial = config->dial;
	client->dial_arg = config->dial_arg;
	return true;
}

struct http_client *http_client_create(const struct http_client_config *config, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *client = xcalloc(1, sizeof(*client));
	long connections = config->connections_max > 0 ? (long)config->connections_max
	                                               : HTTP_CLIENT_CONNECTIONS_MAX;

	pthread_once(&once, init_curl);
	client->loop = config->loop;
	list_init(&client->calls);
	list_init(&client->sockets);
	loop_timer_init(&client->timer, config->loop, on_timer, client);
	loop_timer_init(&client->start, config->loop, on_start, client);
	client->multi = curl_multi_init();
	if (client->multi == NULL)
		UNREACHABLE("out of memory");
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	if (!fill_client(client, config, err)) {
		http_client_destroy(client);
		return NULL;
	}
	return client;
}

static void free_client(void *arg)
{
	struct http_client *client = arg;

	/* Sockets are forgotten here, as this may run inside none of curl's callbacks. */
	curl_multi_cleanup(client->multi);
	list_for_each_safe (it, &client->sockets)
		drop_watch(LIST_ENTRY(it, struct socket_watch, link));
	loop_timer_fini(&client->timer);
	buf_fini(&client->roots_pem);
	buf_fini(&client->cert_pem);
	buf_fini(&client->key_pem);
	http_client_set_token(client, NULL);
	free(client->server_name);
	free(client->proxy_url);
	free(client);
}

static void end_client(void *arg)
{
	struct http_client *client = arg;

	list_for_each_safe (it, &client->calls)
		http_call_release(LIST_ENTRY(it, struct http_call, link));
	/* Behind the calls, whose handles must go before the multi handle. */
	loop_bury(client->loop, free_client, client);
}

void http_client_destroy(struct http_client *client)
{
	if (client == NULL || client->destroyed)
		return;
	client->destroyed = true;
	list_for_each (it, &client->calls)
		LIST_ENTRY(it, struct http_call, link)->state = CALL_CANCELLED;
	loop_timer_fini(&client->start);
	loop_bury(client->loop, end_client, client);
}

void http_client_set_token(struct http_client *client, const char *bearer_token)
{
	/* Files of tokens end with a line end. */
	struct str token = str_trim(str_from(bearer_token));

	if (client->bearer_token != NULL)
		explicit_bzero(client->bearer_token, strlen(client->bearer_token));
	free(client->bearer_token);
	client->bearer_token = is_clean_token(token) ? str_dup(token) : NULL;
}
