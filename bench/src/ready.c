/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-ready: milliseconds from the exec of a program to its first answer 200 to GET PATH over
 * TLS, whoever it says it is. The program is ended by SIGTERM afterwards.
 *
 *   bench-ready IP:PORT PATH PROGRAM [WORD...]
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

/* true: answered with 200. Blocking: the connect is on loopback. */
static bool ask(const struct addr *to, SSL_CTX *ctx, const char *path)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[512] = "";
	bool good = false;
	int n;

	if (fd < 0)
		die("socket");
	if (connect(fd, (const struct sockaddr *)&to->in, sizeof(to->in)) == 0) {
		SSL *ssl = SSL_new(ctx);

		SSL_set_fd(ssl, fd);
		n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
		if (SSL_connect(ssl) == 1 && SSL_write(ssl, text, n) == n) {
			n = SSL_read(ssl, text, sizeof(text) - 1);
			text[n > 0 ? n : 0] = '\0';
			good = strncmp(text, "HTTP/1.1 200", 12) == 0;
			if (!good && n > 0)
				fprintf(stderr, "answer: %.*s\n", (int)strcspn(text, "\r\n"), text);
		}
		SSL_free(ssl);
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
		usage_error("usage", "bench-ready IP:PORT PATH PROGRAM [WORD...]");
	to = addr_parse(argv[1]);
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
		ready = ask(&to, ctx, argv[2]);
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
