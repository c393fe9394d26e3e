/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-change: from a change of a service to its first use elsewhere. Patches an object of an API
 * in turns to SOME and to NONE, while one thread a door knocks at a gateway, and answers as the
 * upstream behind them. One line of KEY=VALUE words a change: how long after the API's answer each
 * door's outcome was another one.
 *
 *   bench-change OPTIONS --door NAME,IP:PORT...     (options: the table below; bench/change.py
 * calls)
 */
#include "door.h"
#include "hello.h"
#include "http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DOORS_MAX   4
#define DEADLINE_NS 20000000000u
/* Changes are this far apart, and a random part of it more, so that no timer keeps step. */
#define REST_US 60000

struct options {
	const char *api, *cert, *key, *path, *some, *none, *sni, *upstream, *changes;
	struct door doors[DOORS_MAX];
	size_t n_doors;
};

/* --- upstream ----------------------------------------------------------------------------------
 */

static void answer(int fd)
{
	static const uint8_t reply[512] = {0x5a};
	const struct timeval deadline = {.tv_sec = 2};
	uint8_t hello[HELLO_MAX];
	struct command command;
	size_t have = 0, length = HELLO_MAX;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	while (have < length) {
		n = recv(fd, hello + have, length - have, 0);
		if (n <= 0)
			return;
		have += (size_t)n;
		if (have >= HELLO_HEAD && (!hello_read(hello, &command, &length) ||
		                           length > sizeof(hello) || command.reply > sizeof(reply)))
			return;
	}
	send(fd, reply, command.reply, MSG_NOSIGNAL);
}

/* One after the other: what comes is a hello, whole. */
static void *serve(void *arg)
{
	const int listener = *(const int *)arg;

	for (;;) {
		const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("accept");
		answer(fd);
		close(fd);
	}
	return NULL;
}

static void start_upstream(const char *at)
{
	static int listener;
	const struct addr addr = addr_parse(at);
	pthread_t thread;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (listener < 0 ||
	    bind(listener, (const struct sockaddr *)&addr.in, sizeof(addr.in)) != 0 ||
	    listen(listener, 64) != 0)
		die("upstream");
	errno = pthread_create(&thread, NULL, serve, &listener);
	if (errno != 0)
		die("pthread_create");
}

/* --- changes -----------------------------------------------------------------------------------
 */

struct change {
	bool some;
	uint64_t sent, answered, wall_ms; /* ns, monotonic; ms of the day's clock */
	uint64_t first[DOORS_MAX];        /* flip that is to come of each door */
};

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void write_change(const struct options *o, struct http *api, struct change *change)
{
	const struct request patch = {.method = "PATCH",
	                              .path = o->path,
	                              .type = "application/merge-patch+json",
	                              .body = change->some ? o->some : o->none};
	int status;

	change->sent = now_ns();
	status = http_ask(api, &patch, NULL);
	change->answered = now_ns();
	change->wall_ms = wall_ms();
	if (status != 200) {
		fprintf(stderr, "PATCH %s: %d\n", o->path, status);
		exit(2);
	}
}

static void rest(void)
{
	usleep(REST_US + (unsigned)random() % REST_US);
}

/* Flips beyond the one that was asked for: an outcome that did not last. */
static uint64_t flips_too_many(struct options *o, const struct change *change)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < o->n_doors; i++) {
		bool open;

		sum += door_flips(&o->doors[i], &open) - change->first[i] - 1;
	}
	return sum;
}

static void measure(struct options *o, struct http *api, bool some)
{
	struct change change = {.some = some};

	for (size_t i = 0; i < o->n_doors; i++) {
		bool open;

		change.first[i] = door_flips(&o->doors[i], &open);
		if (open == some)
			usage_error("door is not as the last change left it", o->doors[i].name);
	}
	write_change(o, api, &change);
	printf("to=%s wall_ms=%" PRIu64 " write_us=%.1f", some ? "some" : "none", change.wall_ms,
	       (double)(change.answered - change.sent) / 1e3);
	for (size_t i = 0; i < o->n_doors; i++) {
		const uint64_t at =
			door_wait(&o->doors[i], change.first[i], change.sent + DEADLINE_NS);

		if (at == 0)
			usage_error("no change is seen at door", o->doors[i].name);
		printf(" %s_us=%.1f", o->doors[i].name,
		       ((double)at - (double)change.answered) / 1e3);
	}
	rest();
	printf(" unsteady=%" PRIu64 "\n", flips_too_many(o, &change));
	fflush(stdout);
}

static void parse_door(struct options *o, char *text)
{
	char *comma = strchr(text, ',');
	struct door *door = &o->doors[o->n_doors];

	if (o->n_doors == DOORS_MAX || comma == NULL)
		usage_error("--door needs NAME,IP:PORT, at most 4 of them", text);
	*comma = '\0';
	*door = (struct door){.name = text, .to = addr_parse(comma + 1)};
	o->n_doors++;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	const struct {
		const char *name;
		const char **value;
	} table[] = {
		{"--api", &o->api},   /* IP:PORT */
		{"--cert", &o->cert}, /* PEM files of who may write there */
		{"--key", &o->key},         {"--path", &o->path},         /* of the object */
		{"--some", &o->some},       {"--none", &o->none},         /* merge patches */
		{"--sni", &o->sni},         {"--upstream", &o->upstream}, /* IP:PORT to serve */
		{"--changes", &o->changes},                               /* each way */
	};
	const size_t n = sizeof(table) / sizeof(table[0]);

	for (int i = 1; i < argc; i += 2) {
		size_t k = 0;

		if (i + 1 == argc)
			usage_error("value missing", argv[i]);
		if (strcmp(argv[i], "--door") == 0) {
			parse_door(o, argv[i + 1]);
			continue;
		}
		while (k < n && strcmp(argv[i], table[k].name) != 0)
			k++;
		if (k == n)
			usage_error("unknown option", argv[i]);
		*table[k].value = argv[i + 1];
	}
	for (size_t k = 0; k < n; k++) {
		if (*table[k].value == NULL)
			usage_error("missing", table[k].name);
	}
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct http *api;
	struct addr to;
	SSL_CTX *ctx;
	long changes;

	parse_options(&o, argc, argv);
	changes = number("--changes", o.changes);
	to = addr_parse(o.api);
	process_setup();
	srandom((unsigned)now_ns());
	ctx = http_ctx(o.cert, o.key);
	api = http_open(&to, ctx);
	start_upstream(o.upstream);
	for (size_t i = 0; i < o.n_doors; i++) {
		o.doors[i].sni = o.sni;
		door_start(&o.doors[i]);
	}
	rest();
	for (long i = 0; i < 2 * changes; i++)
		measure(&o, api, i % 2 == 0);
	for (size_t i = 0; i < o.n_doors; i++)
		printf("door=%s knock_us=%.1f\n", o.doors[i].name,
		       (double)door_mean(&o.doors[i]) / 1e3);
	http_close(api);
	SSL_CTX_free(ctx);
	return 0;
}
