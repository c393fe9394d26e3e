/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-ready: milliseconds from the exec of a program to its first answer 200 to GET PATH over
 * TLS, whoever it says it is, or in the clear. The program is ended afterwards by SIGTERM.
 *
 *   bench-ready [http:]IP:PORT PATH PROGRAM [WORD...]
 */
#include "tcp.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_NS 20000000000u
#define AGAIN_US    500

static int ask_tls(SSL_CTX *ctx, int fd, const char *request, char *answer, int size)
{
	SSL *ssl = SSL_new(ctx);
	const int len = (int)strlen(request);
	int n = -1;

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1 && SSL_write(ssl, request, len) == len)
		n = SSL_read(ssl, answer, size);
	SSL_free(ssl);
	return n;
}

static int ask_plain(int fd, const char *request, char *answer, size_t size)
{
	const size_t len = strlen(request);

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -1;
	return (int)recv(fd, answer, size, 0);
}

/* true: answered with 200. Blocking: the connect is on loopback. ctx NULL: without TLS. */
static bool ask(const struct addr *to, SSL_CTX *ctx, const char *path)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[512], answer[512] = "";
	bool good = false;
	int n = -1;

	if (fd < 0)
		die("socket");
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
	if (connect(fd, (const struct sockaddr *)&to->in, sizeof(to->in)) == 0)
		n = ctx != NULL ? ask_tls(ctx, fd, request, answer, sizeof(answer) - 1)
		                : ask_plain(fd, request, answer, sizeof(answer) - 1);
	if (n > 0) {
		answer[n] = '\0';
		good = strncmp(answer, "HTTP/1.1 200", 12) == 0;
		if (!good)
			fprintf(stderr, "answer: %.*s\n", (int)strcspn(answer, "\r\n"), answer);
	}
	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ready = false, gone = false;
	uint64_t begin;
	struct addr to;
	pid_t child;
	int status;

	if (argc < 4)
		usage_error("usage", "bench-ready [http:]IP:PORT PATH PROGRAM [WORD...]");
	const bool plain = strncmp(argv[1], "http:", 5) == 0;
	to = addr_parse(argv[1] + (plain ? 5 : 0));
	process_setup();
	begin = now_ns();
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		execv(argv[3], argv + 3);
		die(argv[3]);
	}
	while (!ready && !gone && now_ns() - begin < DEADLINE_NS) {
		ready = ask(&to, plain ? NULL : ctx, argv[2]);
		gone = waitpid(child, &status, WNOHANG) != 0;
		if (!ready)
			usleep(AGAIN_US);
	}
	printf("%.1f\n", ready ? (double)(now_ns() - begin) / 1e6 : -1.0);
	if (!gone) {
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
	}
	SSL_CTX_free(ctx);
	return ready ? 0 : 1;
}
