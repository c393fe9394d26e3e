/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/net.h"

enum {
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	USER_TIMEOUT_MS = 45000,
	IDLE_CONNECTION_S = 45 /* less than any server keeps one */
};

/* --- sockets ---------------------------------------------------------------------------------- */

static int set_socket_options(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const struct http_call *call = arg;

	(void)purpose;
	if (call->client->dial == NULL)
		net_set_keepalive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, USER_TIMEOUT_MS);
	return CURL_SOCKOPT_OK;
}

/*
 * CURL_SOCKOPT_ALREADY_CONNECTED does nothing in curl 7.88 (curl #10626), it connects all the same.
 * So with config.dial curl gets a UDP socket, which connects to anything at once, and before the
 * first byte is sent the socket that was dialled takes its number (on_before_request).
 */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct http_call *call = arg;
	const struct http_client *client = call->client;

	(void)purpose;
	if (client->dial == NULL)
		return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
	if (call->dialled_fd >= 0)
		close(call->dialled_fd);
	call->dialled_fd = client->dial(client->dial_arg);
	if (call->dialled_fd < 0)
		return CURL_SOCKET_BAD;
	call->stand_in_fd = socket(addr->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return call->stand_in_fd;
}

static struct socket_watch *find_watch(struct http_client *client, int fd)
{
	list_for_each (it, &client->sockets) {
		struct socket_watch *watch = LIST_ENTRY(it, struct socket_watch, link);

		if (watch->io.fd == fd)
			return watch;
	}
	return NULL;
}

static int on_before_request(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct http_call *call = arg;
	struct socket_watch *watch;
	unsigned interest;
	int fd = call->dialled_fd;

	(void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
	if (fd < 0)
		return CURL_PREREQFUNC_OK;
	/* epoll knows files, not numbers: it has to be told of the new one. */
	watch = find_watch(call->client, call->stand_in_fd);
	interest = watch != NULL ? watch->io.interest : 0;
	if (watch != NULL)
		loop_io_set(&watch->io, 0);
	call->dialled_fd = -1;
	IGNORE(fcntl(fd, F_SETFL, O_NONBLOCK) < 0); /* a socket of ours */
	if (dup3(fd, call->stand_in_fd, O_CLOEXEC) < 0) {
		close(fd);
		return CURL_PREREQFUNC_ABORT;
	}
	close(fd);
	if (watch != NULL)
		loop_io_set(&watch->io, interest);
	return CURL_PREREQFUNC_OK;
}

/* --- options -----------------------------------------------------------------------------------
 */

static void set_blob(CURL *easy, CURLoption option, const struct buf *pem)
{
	struct curl_blob blob = {.data = pem->ptr, .len = pem->len, .flags = CURL_BLOB_NOCOPY};

	if (pem->len > 0)
		curl_easy_setopt(easy, option, &blob);
}

static void set_tls(struct http_call *call)
{
	const struct http_client *client = call->client;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	set_blob(easy, CURLOPT_CAINFO_BLOB, &client->roots_pem);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, &client->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, &client->key_pem);
	if (client->roots_pem.len > 0)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (client->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void add_header(struct http_call *call, const char *line)
{
	call->headers = curl_slist_append(call->headers, line);
}

static void set_headers(struct http_call *call, const struct http_fields *fields)
{
	const struct http_client *client = call->client;
	char *line;

	for (size_t i = 0; fields != NULL && i < fields->n; i++) {
		line = xasprintf("%s: %s", fields->v[i].name.ptr, fields->v[i].value.ptr);
		add_header(call, line);
		free(line);
	}
	if (client->bearer_token != NULL &&
	    (fields == NULL || http_fields_find(fields, "authorization") == NULL)) {
		line = xasprintf("authorization: Bearer %s", client->bearer_token);
		add_header(call, line);
		free(line);
	}
	/* No waiting for 100-continue, no content type that the caller did not name. */
	add_header(call, "Expect:");
	if (fields == NULL || http_fields_find(fields, "content-type") == NULL)
		add_header(call, "Content-Type:");
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static bool has_body(const struct http_call_config *config)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH"};

	for (size_t i = 0; i < N_ELEMS(methods); i++) {
		if (strcmp(config->method, methods[i]) == 0)
			return true;
	}
	return config->body.len > 0;
}

static void set_method(struct http_call *call, const struct http_call_config *config)
{
	if (has_body(config)) {
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		                 (curl_off_t)call->request_body.len);
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, buf_text(&call->request_body));
	} else if (strcmp(config->method, "HEAD") == 0) {
		curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, config->method);
}

/*
 * The server's certificate and SNI follow the URL's host in curl. So the expected name takes the
 * host's place in the URL, CONNECT_TO keeps the address, and Host says what the URL said.
 */
static char *rename_host(struct http_call *call, const char *url, const char *name)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *text = NULL, *copy = NULL, *line;

	if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_set(parts, CURLUPART_HOST, name, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK) {
		line = xasprintf("%s::%s:", name, host);
		call->connect_to = curl_slist_append(NULL, line);
		free(line);
		curl_url_get(parts, CURLUPART_PORT, &port, 0);
		line = xasprintf("host: %s%s%s", host, port != NULL ? ":" : "",
		                 port != NULL ? port : "");
		add_header(call, line);
		free(line);
		copy = xstrdup(text);
	}
	curl_free(host);
	curl_free(port);
	curl_free(text);
	curl_url_cleanup(parts);
	return copy;
}

static void set_url(struct http_call *call, const char *url)
{
	const struct http_client *client = call->client;
	char *renamed = NULL;

	if (client->server_name != NULL)
		renamed = rename_host(call, url, client->server_name);
	else if (client->dial != NULL)
		/* Nobody is to look the host up: the socket is connected already. */
		call->connect_to = curl_slist_append(NULL, "::127.0.0.1:");
	curl_easy_setopt(call->easy, CURLOPT_URL, renamed != NULL ? renamed : url);
	curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
	free(renamed);
}

static void set_transport(struct http_call *call)
{
	const struct http_client *client = call->client;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	/* HTTP/2 of curl 7.88 does not tell the server of cancelled streams, so that watches would
	 * go on for ever over there; closing a connection cannot be lost. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROXY, client->proxy_url != NULL ? client->proxy_url : "");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	if (call->config.on_data == NULL)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->config.timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_call_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_call_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

/* --- start ----------------------------------------------------------------------------------- */

static void set_call_defaults(struct http_call *call)
{
	struct http_call_config *config = &call->config;

	if (config->timeout_ms <= 0)
		config->timeout_ms = HTTP_CLIENT_TIMEOUT_MS;
	if (config->idle_ms <= 0)
		config->idle_ms = HTTP_CLIENT_IDLE_MS;
	if (config->body_max == 0)
		config->body_max = HTTP_CLIENT_BODY_MAX;
	if (config->on_data != NULL)
		config->body_max = HTTP_CALL_ERROR_BODY_MAX;
}

struct http_call *http_client_send(struct http_client *client,
                                   const struct http_call_config *config)
{
	struct http_call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->dialled_fd = -1;
	call->config = *config;
	set_call_defaults(call);
	list_init(&call->link);
	list_append(&client->calls, &call->link);
	call->easy = curl_easy_init();
	if (call->easy == NULL)
		UNREACHABLE("out of memory");
	buf_init(&call->request_body, SIZE_MAX / 4);
	buf_add_str(&call->request_body, config->body);
	buf_init(&call->body, call->config.body_max);
	loop_timer_init(&call->idle, client->loop, http_call_on_idle, call);
	if (config->on_data != NULL)
		loop_timer_set(&call->idle, call->config.idle_ms);
	set_transport(call);
	set_url(call, config->url);
	set_tls(call);
	set_headers(call, config->fields);
	set_method(call, config);
	/* The caller's texts may go now. */
	call->config.method = call->config.url = NULL;
	call->config.fields = NULL;
	call->config.body = STR_NULL;
	loop_timer_set(&client->start, 0);
	return call;
}
