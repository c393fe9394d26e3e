/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 65536
#define WORD_MAX    64
#define UNKNOWN     SIZE_MAX

SSL_CTX *http_ctx(const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		usage_error("certificate or key cannot be used", cert);
	return ctx;
}

struct http *http_open(const struct addr *to, SSL_CTX *ctx)
{
	const struct timeval deadline = {.tv_sec = HTTP_DEADLINE_S};
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		die("calloc");
	http->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (http->fd < 0)
		die("socket");
	setsockopt(http->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	if (connect(http->fd, (const struct sockaddr *)&to->in, sizeof(to->in)) != 0)
		die("connect to the API");
	tcp_nodelay(http->fd);
	http->ssl = SSL_new(ctx);
	SSL_set_fd(http->ssl, http->fd);
	if (SSL_connect(http->ssl) != 1)
		usage_error("API", "no TLS");
	return http;
}

void http_close(struct http *http)
{
	if (http == NULL)
		return;
	SSL_free(http->ssl);
	close(http->fd);
	free(http);
}

/* --- an answer ---------------------------------------------------------------------------------
 */

static void fill(struct http *http)
{
	int n;

	if (http->at == http->end)
		http->at = http->end = 0;
	if (http->end == sizeof(http->bytes))
		usage_error("API", "a line of an answer is too long");
	n = SSL_read(http->ssl, http->bytes + http->end, (int)(sizeof(http->bytes) - http->end));
	if (n <= 0)
		usage_error("API", "no answer, or half of one");
	http->end += (size_t)n;
}

/* One line without its end; it stays valid until the next read. */
static const char *take_line(struct http *http)
{
	for (;;) {
		char *from = http->bytes + http->at;
		char *end = memchr(from, '\n', http->end - http->at);

		if (end != NULL) {
			http->at += (size_t)(end - from) + 1;
			*end = '\0';
			if (end > from && end[-1] == '\r')
				end[-1] = '\0';
			return from;
		}
		if (http->at > 0) {
			memmove(http->bytes, from, http->end - http->at);
			http->end -= http->at;
			http->at = 0;
		}
		fill(http);
	}
}

static void skip(struct http *http, size_t n)
{
	while (n > 0) {
		size_t have = http->end - http->at;

		if (have == 0) {
			fill(http);
			continue;
		}
		if (have > n)
			have = n;
		http->at += have;
		n -= have;
	}
}

/* Status; ret_length is what Content-Length says, or UNKNOWN. */
static int take_head(struct http *http, size_t *ret_length)
{
	const char *line = take_line(http);
	int status;

	if (sscanf(line, "HTTP/1.1 %d", &status) != 1)
		usage_error("API: no HTTP/1.1", line);
	*ret_length = UNKNOWN;
	for (;;) {
		line = take_line(http);
		if (*line == '\0')
			return status;
		if (strncasecmp(line, "content-length:", 15) == 0)
			*ret_length = strtoul(line + 15, NULL, 10);
	}
}

static size_t take_chunks(struct http *http)
{
	size_t sum = 0, n;

	for (;;) {
		n = strtoul(take_line(http), NULL, 16);
		skip(http, n);
		take_line(http);
		if (n == 0)
			return sum;
		sum += n;
	}
}

int http_take_head(struct http *http)
{
	size_t length;

	return take_head(http, &length);
}

int http_take(struct http *http, size_t *ret_size)
{
	size_t length;
	const int status = take_head(http, &length);

	if (length == UNKNOWN)
		length = take_chunks(http);
	else
		skip(http, length);
	if (ret_size != NULL)
		*ret_size = length;
	return status;
}

/* --- requests and watches ----------------------------------------------------------------------
 */

void http_send(struct http *http, const struct request *request)
{
	static char text[REQUEST_MAX];
	const char *body = request->body != NULL ? request->body : "";
	const int n = snprintf(text, sizeof(text),
	                       "%s %s HTTP/1.1\r\nHost: api\r\nAccept: application/json\r\n"
	                       "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
	                       request->method, request->path,
	                       request->type != NULL ? request->type : "application/json",
	                       strlen(body), body);

	if ((size_t)n >= sizeof(text))
		usage_error("request", "too long");
	if (SSL_write(http->ssl, text, n) != n)
		usage_error("API", "takes no request");
}

int http_ask(struct http *http, const struct request *request, size_t *ret_size)
{
	http_send(http, request);
	return http_take(http, ret_size);
}

size_t http_count(struct http *http, const char *word)
{
	const size_t len = strlen(word);
	size_t count = 0;

	if (len == 0 || len > WORD_MAX)
		usage_error("word", word);
	fcntl(http->fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		const char *from = http->bytes + http->at;
		const char *found = memmem(from, http->end - http->at, word, len);
		size_t keep;
		int n;

		if (found != NULL) {
			count++;
			http->at = (size_t)(found - http->bytes) + len;
			continue;
		}
		/* The end may be the beginning of the word. */
		keep = http->end - http->at < len ? http->end - http->at : len - 1;
		memmove(http->bytes, http->bytes + http->end - keep, keep);
		http->at = 0;
		http->end = keep;
		n = SSL_read(http->ssl, http->bytes + keep, (int)(sizeof(http->bytes) - keep));
		if (n <= 0) {
			if (SSL_get_error(http->ssl, n) != SSL_ERROR_WANT_READ)
				usage_error("API", "a watch has ended");
			return count;
		}
		http->end += (size_t)n;
	}
}
