/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-lat: latency of small requests on kept connections, over several proxies in turn. It is
 * client and upstream at once, in one thread, so that everything fits on one CPU and nobody's
 * wake-up is another CPU's. Requests come at random times, 2,000 a second; a latency begins when
 * the request was meant to be sent, however late it is.
 *
 *   bench-lat UPSTREAM-IP:PORT REQUESTS BLOCKS --target NAME,IP:PORT,CGROUP|- ...
 */
#include "hello.h"
#include "sample.h"
#include "tcp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNS = 50,
	RATE = 2000, /* requests a second */
	REQUEST = 200,
	REPLY = 1000,
	PENDING = 64, /* requests of a connection that may wait for their replies */
	TARGETS_MAX = 16,
	DEADLINE_NS = 2000000000
};

struct peer {
	int fd;
	bool is_client;
	/* client */
	bool greeted; /* the first reply is the hello's */
	uint64_t meant[PENDING];
	unsigned first, n;
	size_t got; /* of a reply */
	/* upstream */
	size_t hello_len, have;
	uint8_t head[HELLO_HEAD];
};

struct target {
	char name[32], group[256];
	struct addr to;
};

static int poll_fd, listener;
static uint8_t buffer[1 << 16];
static double *latencies;
static long n_latencies, n_greeted;

static struct peer *watch(int fd, bool is_client)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};

	if (p == NULL || fd < 0)
		die("connection");
	p->fd = fd;
	p->is_client = is_client;
	tcp_nodelay(fd);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev);
	return p;
}

/* The hello and each whole request get a reply. */
static bool serve(struct peer *p, size_t n)
{
	size_t at = p->have;

	p->have += n;
	if (p->hello_len == 0) {
		for (size_t i = 0; i < n && at + i < sizeof(p->head); i++)
			p->head[at + i] = buffer[i];
		if (p->have < sizeof(p->head))
			return true;
		p->hello_len = 5 + ((size_t)p->head[3] << 8 | p->head[4]);
		if (p->have < p->hello_len)
			return true;
		p->have -= p->hello_len;
		p->have += REQUEST;
	}
	for (; p->have >= REQUEST; p->have -= REQUEST)
		if (send(p->fd, buffer, REPLY, MSG_NOSIGNAL) != REPLY)
			return false;
	return true;
}

static void take_replies(struct peer *p, size_t n)
{
	for (p->got += n; p->got >= REPLY; p->got -= REPLY) {
		if (!p->greeted) {
			p->greeted = true;
			n_greeted++;
		} else if (p->n > 0) {
			latencies[n_latencies++] = (double)(now_ns() - p->meant[p->first]) / 1e3;
			p->first = (p->first + 1) % PENDING;
			p->n--;
		}
	}
}

/* Waits at most so long for events, and works them off. */
static void turn(uint64_t wait_ns)
{
	const struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u),
	                              .tv_nsec = (long)(wait_ns % 1000000000u)};
	struct epoll_event events[128];
	const int n = epoll_pwait2(poll_fd, events, 128, &wait, NULL);

	for (int i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;
		ssize_t r;

		if (p == NULL) {
			watch(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), false);
			continue;
		}
		r = tcp_recv(p->fd, buffer, sizeof(buffer), 0);
		if (r > 0 && p->is_client)
			take_replies(p, (size_t)r);
		if (r < 0 || (r > 0 && !p->is_client && !serve(p, (size_t)r))) {
			close(p->fd);
			p->fd = -1;
			if (!p->is_client)
				free(p);
		}
	}
}

static bool ask(struct peer *p, uint64_t meant)
{
	if (p->n == PENDING || send(p->fd, buffer, REQUEST, MSG_NOSIGNAL) != REQUEST)
		return false;
	p->meant[(p->first + p->n++) % PENDING] = meant;
	return true;
}

/* Opens the connections and has their hellos answered. */
static bool open_all(struct peer *conns[CONNS], const struct addr *to)
{
	const uint64_t begin = now_ns();
	uint8_t hello[HELLO_MAX];
	const size_t len = hello_build(hello, HELLO_NAME, (struct command){.reply = REPLY});

	n_greeted = 0;
	for (int i = 0; i < CONNS; i++) {
		conns[i] = watch(tcp_connect(to), true);
		/* to be writable: loopback connects at once */
		turn(1000000);
		if (send(conns[i]->fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len)
			return false;
	}
	while (n_greeted < CONNS && now_ns() - begin < DEADLINE_NS)
		turn(1000000);
	return n_greeted == CONNS;
}

static void close_all(struct peer *conns[CONNS])
{
	for (int i = 0; i < CONNS && conns[i] != NULL; i++) {
		if (conns[i]->fd >= 0)
			close(conns[i]->fd);
		free(conns[i]);
	}
	/* The proxy passes the ends on. */
	for (int i = 0; i < 20; i++)
		turn(1000000);
}

/* Returns how many requests could not be sent. */
static long run(struct peer *conns[CONNS], long requests)
{
	const uint64_t begin = now_ns();
	uint64_t next = begin;
	long left = requests, failed = 0;

	while ((left > 0 || n_latencies + failed < requests) &&
	       now_ns() - begin < DEADLINE_NS + (uint64_t)requests * (1000000000u / RATE)) {
		const uint64_t now = now_ns();

		if (left > 0 && now >= next) {
			failed += !ask(conns[random() % CONNS], next);
			left--;
			/* exponential gaps */
			next += (uint64_t)(-log(1 - drand48()) * 1e9 / RATE);
			continue;
		}
		turn(left > 0 ? next - now : 10000000);
	}
	return failed;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct target *t, long requests, long block)
{
	const char *group = strcmp(t->group, "-") == 0 ? NULL : t->group;
	struct peer *conns[CONNS] = {NULL};
	struct sample a, b;
	double cpu_us, p50 = 0, p99 = 0;

	n_latencies = 0;
	if (open_all(conns, &t->to)) {
		sample_take(&a, group, NULL);
		run(conns, requests);
		sample_take(&b, group, NULL);
	} else {
		sample_take(&a, group, NULL);
		b = a;
	}
	close_all(conns);
	qsort(latencies, (size_t)n_latencies, sizeof(double), compare);
	if (n_latencies > 0) {
		p50 = latencies[n_latencies / 2];
		p99 = latencies[n_latencies * 99 / 100];
	}
	cpu_us = (double)(b.proxy_ns - a.proxy_ns) / 1e3;
	printf("block=%ld foreign_pct=%.1f peer=%s ok=%ld failed=%ld p50_us=%.1f p99_us=%.1f "
	       "cpu_us_per_request=%.2f\n",
	       block, sample_foreign(&a, &b), t->name, n_latencies, requests - n_latencies, p50,
	       p99, n_latencies > 0 ? cpu_us / (double)n_latencies : 0);
	fflush(stdout);
}

static void run_blocks(const struct target *targets, size_t n, long requests, long blocks)
{
	for (long block = 0; block < blocks; block++) {
		/* a new random order, by a random rotation: neighbours do not matter here */
		const size_t from = (size_t)random() % n;

		for (size_t i = 0; i < n; i++)
			measure(&targets[(from + i) % n], requests, block);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct target targets[TARGETS_MAX];
	struct addr at;
	size_t n = 0;
	long requests;

	if (argc < 6)
		usage_error("usage",
		            "bench-lat UPSTREAM REQUESTS BLOCKS --target NAME,IP:PORT,CGROUP");
	process_setup();
	at = addr_parse(argv[1]);
	requests = number("REQUESTS", argv[2]);
	for (int i = 4; i + 1 < argc && n < TARGETS_MAX; i += 2) {
		char to[64];

		if (strcmp(argv[i], "--target") != 0 ||
		    sscanf(argv[i + 1], "%31[^,],%63[^,],%255s", targets[n].name, to,
		           targets[n].group) != 3)
			usage_error("--target needs NAME,IP:PORT,CGROUP|-", argv[i + 1]);
		targets[n++].to = addr_parse(to);
	}
	srandom((unsigned)now_ns());
	srand48((long)now_ns());
	latencies = calloc((size_t)requests + 1, sizeof(*latencies));
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = tcp_listen(&at);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &ev);
	run_blocks(targets, n, requests, number("BLOCKS", argv[3]));
	free(latencies);
	return 0;
}
