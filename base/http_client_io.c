/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One curl multi handle a client; its sockets and its one timer are ours to watch. libcurl calls us
 * from inside curl_multi_socket_action(), where handles may not be removed: calls that end there
 * are marked and reaped when it has returned (settle).
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/http_client.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/net.h"
#include "base/tls.h"

enum {
	ERROR_BODY_MAX = 1 << 20,
	TOKEN_MAX = 16 << 10,
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	USER_TIMEOUT_MS = 45000,
	IDLE_CONNECTION_S = 45, /* less than any server keeps one */
	IDLE_CONNECTIONS_MAX = 8
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct list calls;   /* http_call.link */
	struct list sockets; /* socket_watch.link */
	struct loop_timer timer;
	struct loop_timer start; /* calls that wait to be handed to curl */
	struct buf roots_pem;
	struct buf cert_pem;
	struct buf key_pem;
	char *bearer_token;
	char *server_name;
	char *proxy_url;
	bool insecure;
	int (*dial)(void *arg);
	void *dial_arg;
	int depth; /* inside curl */
	bool destroyed;
};

struct socket_watch {
	struct http_client *client;
	struct list link;
	struct loop_io io;
};

enum call_state {
	CALL_NEW, /* not yet given to curl */
	CALL_RUNNING,
	CALL_FAILED,   /* by us, err is set */
	CALL_FINISHED, /* by curl */
	CALL_CANCELLED,
};

struct http_call {
	struct http_client *client;
	struct list link;
	enum call_state state;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct http_call_config config;
	struct buf request_body;
	struct http_response response;
	struct buf body;
	struct loop_timer idle;
	struct err err;
	bool failed; /* err is ours, not curl's */
	bool head_told;
	int64_t took_ms;
	CURLcode result;
	char error_text[CURL_ERROR_SIZE];
	int stand_in_fd; /* config.dial: what curl connects, and ... */
	int dialled_fd;  /* ... what takes its place, -1: none */
};

/* --- end of a call ---------------------------------------------------------------------------- */

static void free_call(void *arg)
{
	struct http_call *call = arg;

	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	if (call->dialled_fd >= 0)
		close(call->dialled_fd);
	buf_fini(&call->request_body);
	buf_fini(&call->body);
	http_fields_fini(&call->response.fields);
	free(call);
}

static void release(struct http_call *call)
{
	list_remove(&call->link);
	loop_timer_fini(&call->idle);
	curl_multi_remove_handle(call->client->multi, call->easy);
	loop_bury(call->client->loop, free_call, call);
}

static enum err_code code_of_curl(CURLcode result)
{
	switch ((int)result) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return ERR_FORBIDDEN;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return ERR_INVALID;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_TOO_LARGE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_BAD_CONTENT_ENCODING:
		return ERR_PROTOCOL;
	default:
		return ERR_IO;
	}
}

static void explain(struct http_call *call)
{
	const char *text =
		call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(call->result);

	if (!call->failed)
		err_set(&call->err, code_of_curl(call->result), "%s", text);
}

static bool is_streamed(const struct http_call *call)
{
	return call->config.on_data != NULL && call->response.status / 100 == 2;
}

static void read_status(struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->response.status = (int)status;
}

static void tell_head(struct http_call *call)
{
	if (call->head_told)
		return;
	call->head_told = true;
	read_status(call);
	if (is_streamed(call) && call->config.on_head != NULL)
		call->config.on_head(call, &call->response, call->config.arg);
}

/* An answer without a body has not told its head yet. */
static void tell_late_head(struct http_call *call)
{
	call->state = CALL_RUNNING;
	call->client->depth++;
	tell_head(call);
	call->client->depth--;
	if (call->state == CALL_RUNNING)
		call->state = CALL_FINISHED;
}

static void finish_call(struct http_call *call)
{
	curl_off_t took_us = 0;
	bool ok;

	curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &took_us);
	call->took_ms = took_us / 1000;
	if (call->state == CALL_FINISHED && call->result == CURLE_OK && !call->failed)
		tell_late_head(call);
	ok = call->state == CALL_FINISHED && call->result == CURLE_OK && !call->failed;
	release(call);
	if (call->state == CALL_CANCELLED)
		return;
	call->response.body = buf_str(&call->body);
	if (!ok)
		explain(call);
	call->config.on_done(call, ok ? &call->response : NULL, ok ? NULL : &call->err,
	                     call->config.arg);
}

static void fail_call(struct http_call *call, enum err_code code, const char *text)
{
	if (call->state == CALL_CANCELLED || call->failed)
		return;
	call->failed = true;
	call->state = CALL_FAILED;
	err_set(&call->err, code, "%s", text);
}

static bool is_over(const struct http_call *call)
{
	return call->state == CALL_FAILED || call->state == CALL_FINISHED ||
	       call->state == CALL_CANCELLED;
}

static struct http_call *find_over(struct http_client *client)
{
	list_for_each (it, &client->calls) {
		struct http_call *call = LIST_ENTRY(it, struct http_call, link);

		if (is_over(call))
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
		if (!is_over(call))
			call->state = CALL_FINISHED;
	}
}

/* Ends what is to end, now that we are outside curl. Handlers may start, cancel, destroy. */
static void settle(struct http_client *client)
{
	if (client->depth > 0 || client->destroyed)
		return;
	collect_results(client);
	for (;;) {
		struct http_call *call = client->destroyed ? NULL : find_over(client);

		if (call == NULL)
			return;
		finish_call(call);
	}
}

/* --- curl's sockets and timer ----------------------------------------------------------------- */

static void act(struct http_client *client, curl_socket_t fd, int what)
{
	int running;

	client->depth++;
	curl_multi_socket_action(client->multi, fd, what, &running);
	client->depth--;
	settle(client);
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

/* --- a call's input --------------------------------------------------------------------------- */

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	struct str line = str_trim(str_make(data, size * n));
	struct str name;

	/* The head of another answer follows (100-continue, a proxy's): only the last one counts.
	 */
	if (str_starts_with(line, STR_LIT("HTTP/"))) {
		http_fields_fini(&call->response.fields);
		return size * n;
	}
	if (line.len == 0 || !str_split(&line, ':', &name))
		return size * n;
	/* Fields past the limits are dropped: none that anybody looks for comes so late. */
	http_fields_add(&call->response.fields, name, str_trim(line));
	return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	struct str piece = {data, size * n};

	if (is_over(call))
		return 0;
	tell_head(call);
	if (is_over(call))
		return 0;
	if (is_streamed(call)) {
		loop_timer_set(&call->idle, call->config.idle_ms);
		call->config.on_data(call, piece, call->config.arg);
		return is_over(call) ? 0 : piece.len;
	}
	if (!buf_add_str(&call->body, piece)) {
		fail_call(call, ERR_TOO_LARGE, "the answer is larger than the limit");
		return 0;
	}
	return piece.len;
}

static void on_idle(void *arg)
{
	struct http_call *call = arg;

	fail_call(call, ERR_TIMEOUT, "the stream has been silent for too long");
	settle(call->client);
}

/* --- a call's birth --------------------------------------------------------------------------- */

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
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
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
		curl_multi_add_handle(client->multi, call->easy);
	}
	client->depth--;
	settle(client);
}

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
		config->body_max = ERROR_BODY_MAX;
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
	loop_timer_init(&call->idle, client->loop, on_idle, call);
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

void http_call_cancel(struct http_call *call)
{
	struct http_client *client;

	if (call == NULL || is_over(call))
		return;
	client = call->client;
	call->state = CALL_CANCELLED;
	if (client->depth == 0)
		release(call);
	/* Else settle() does it, when curl has let go. */
}

int64_t http_call_took_ms(const struct http_call *call)
{
	return call->took_ms;
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

static bool is_clean_token(const char *token)
{
	for (const char *c = token; *c != '\0'; c++) {
		if (*c <= 0x20 || *c >= 0x7f)
			return false;
	}
	return strlen(token) <= TOKEN_MAX;
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
	if (config->bearer_token != NULL && !is_clean_token(config->bearer_token))
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
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
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
		release(LIST_ENTRY(it, struct http_call, link));
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
	if (client->bearer_token != NULL)
		explicit_bzero(client->bearer_token, strlen(client->bearer_token));
	free(client->bearer_token);
	client->bearer_token =
		bearer_token != NULL && is_clean_token(bearer_token) ? xstrdup(bearer_token) : NULL;
}
