/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * tcp - sockets, time and numbers for the load programs. They are measuring tools on addresses of
 * their own: whatever fails at start ends the program with one line on stderr, exit status 2.
 */

struct addr {
	struct sockaddr_in in;
};

/* Monotonic time in ns. */
uint64_t now_ns(void);

/* Prints "what: errno's text" and exits. */
void die(const char *what) __attribute__((noreturn));
/* The same for bad words on the command line. */
void usage_error(const char *what, const char *value) __attribute__((noreturn));

/* A number >= 0 out of an option's value; exits when it is none. */
long number(const char *option, const char *value);

/* "IP:PORT", only inside 127.0.0.0/8, 10.99.0.0/16 and 172.30.0.0/16 (addresses that the bench's
 * namespaces have); else exits. */
struct addr addr_parse(const char *text);

/* Non-blocking listener with a backlog of 65,535; exits when it cannot be had. */
int tcp_listen(const struct addr *at);
/* Starts a non-blocking connect; -1 with errno. */
int tcp_connect(const struct addr *to);
void tcp_nodelay(int fd);
/* recv(): > 0 bytes; 0 nothing there now; -1 error or end of the stream. */
ssize_t tcp_recv(int fd, void *into, size_t n, int flags);

/* Raises the soft limit of open files to the hard one, and ignores SIGPIPE. */
void process_setup(void);
