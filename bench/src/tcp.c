/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void die(const char *what)
{
	perror(what);
	exit(2);
}

void usage_error(const char *what, const char *value)
{
	fprintf(stderr, "%s: %s\n", what, value);
	exit(2);
}

long number(const char *option, const char *value)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < 0)
		usage_error(option, "needs a number of 0 or more");
	return n;
}

struct addr addr_parse(const char *text)
{
	struct addr a = {.in = {.sin_family = AF_INET}};
	const char *colon = strrchr(text, ':');
	char ip[64];
	uint32_t host;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(ip))
		usage_error("not an IP:PORT", text);
	snprintf(ip, sizeof(ip), "%.*s", (int)(colon - text), text);
	a.in.sin_port = htons((uint16_t)number("port", colon + 1));
	if (inet_pton(AF_INET, ip, &a.in.sin_addr) != 1)
		usage_error("not an IPv4 address", text);
	host = ntohl(a.in.sin_addr.s_addr);
	if (host >> 24 != 127 && host >> 16 != (10 << 8 | 99) && host >> 16 != (172 << 8 | 30))
		usage_error("only 127.0.0.0/8, 10.99.0.0/16 and 172.30.0.0/16 may be used", text);
	return a;
}

int tcp_listen(const struct addr *at)
{
	const int one = 1;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&at->in, sizeof(at->in)) != 0)
		die("bind");
	if (listen(fd, 65535) != 0)
		die("listen");
	return fd;
}

int tcp_connect(const struct addr *to)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to->in, sizeof(to->in)) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void tcp_nodelay(int fd)
{
	const int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

ssize_t tcp_recv(int fd, void *into, size_t n, int flags)
{
	const ssize_t got = recv(fd, into, n, flags);

	if (got > 0)
		return got;
	return got < 0 && errno == EAGAIN ? 0 : -1;
}

void process_setup(void)
{
	struct rlimit r;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}
