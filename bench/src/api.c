/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-api: Kubernetes APIs beside each other, in small blocks: each block does each kind of work
 * on every API, in a new random order. One line of KEY=VALUE words a measurement.
 *
 *   bench-api BLOCKS NAME,IP:PORT,CERT,KEY,CGROUP|-...
 *
 *   create get update delete   one ConfigMap of 1 KB a request
 *   list                       LISTED of them in one answer
 *   watch                      one update, told to WATCHERS watches
 *   rest                       nothing, for a second; at the end, up to REST_MAX times
 */
#include "http.h"
#include "sample.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APIS_MAX 4
#define REQUESTS 24
#define LISTS    4
#define UPDATES  8
#define LISTED   500
#define WATCHERS 20
#define REST_MAX 5
#define MAPS     "/api/v1/namespaces/%s/configmaps"
#define TIMES    64

struct api {
	char name[32];
	struct addr to;
	char *group; /* NULL: CPU time is not counted */
	SSL_CTX *ctx;
	struct http *http;
	struct http *watches[WATCHERS];
	unsigned version; /* of what was written last */
};

/* --- one request -------------------------------------------------------------------------------
 */

/* What the API answers other than `wanted` or 409 (it is there already) ends the program. */
static void ask(struct api *api, const struct request *request, int wanted)
{
	size_t size;
	const int status = http_ask(api->http, request, &size);

	if (status != wanted && !(wanted == 201 && status == 409)) {
		fprintf(stderr, "%s: %s %s: %d\n", api->name, request->method, request->path,
		        status);
		exit(2);
	}
}

static void map_text(char *text, size_t max, const char *name, unsigned version)
{
	snprintf(text, max,
	         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\"},"
	         "\"data\":{\"version\":\"%u\",\"text\":\"%0800u\"}}",
	         name, version, version);
}

static void create(struct api *api, const char *space, const char *name)
{
	char path[256], body[2048];

	snprintf(path, sizeof(path), MAPS, space);
	map_text(body, sizeof(body), name, ++api->version);
	ask(api, &(struct request){.method = "POST", .path = path, .body = body}, 201);
}

static void on_one(struct api *api, const char *method, const char *space, const char *name)
{
	char path[256], body[2048];
	struct request request = {.method = method, .path = path};

	snprintf(path, sizeof(path), MAPS "/%s", space, name);
	if (strcmp(method, "PUT") == 0) {
		map_text(body, sizeof(body), name, ++api->version);
		request.body = body;
	}
	ask(api, &request, 200);
}

static void create_space(struct api *api, const char *name)
{
	char body[256];

	snprintf(body, sizeof(body),
	         "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
	         name);
	ask(api, &(struct request){.method = "POST", .path = "/api/v1/namespaces", .body = body},
	    201);
}

/* --- kinds of work -----------------------------------------------------------------------------
 */

static void do_create(struct api *api, const char *name)
{
	create(api, "bench", name);
}

static void do_get(struct api *api, const char *name)
{
	on_one(api, "GET", "bench", name);
}

static void do_update(struct api *api, const char *name)
{
	on_one(api, "PUT", "bench", name);
}

static void do_delete(struct api *api, const char *name)
{
	on_one(api, "DELETE", "bench", name);
}

static void do_list(struct api *api, const char *name)
{
	char path[256];

	(void)name;
	snprintf(path, sizeof(path), MAPS, "bench-list");
	ask(api, &(struct request){.method = "GET", .path = path}, 200);
}

/* Until every watch has told it. */
static void do_watch(struct api *api, const char *name)
{
	struct pollfd fds[WATCHERS];
	size_t left = WATCHERS;

	(void)name;
	for (size_t i = 0; i < WATCHERS; i++)
		fds[i] = (struct pollfd){.fd = api->watches[i]->fd, .events = POLLIN};
	on_one(api, "PUT", "bench-watch", "one");
	while (left > 0) {
		if (poll(fds, WATCHERS, 10000) <= 0)
			usage_error("a watch is silent", api->name);
		for (size_t i = 0; i < WATCHERS; i++) {
			if (fds[i].revents == 0 || http_count(api->watches[i], "\"MODIFIED\"") == 0)
				continue;
			fds[i].fd = -1;
			fds[i].revents = 0;
			left--;
		}
	}
}

static void do_rest(struct api *api, const char *name)
{
	(void)api;
	(void)name;
	sleep(1);
}

struct work {
	const char *name;
	void (*run)(struct api *api, const char *name);
	unsigned times;  /* a measurement */
	unsigned counts; /* as so many, each time */
};

static const struct work works[] = {
	{"create", do_create, REQUESTS, 1}, {"get", do_get, REQUESTS, 1},
	{"update", do_update, REQUESTS, 1}, {"delete", do_delete, REQUESTS, 1},
	{"list", do_list, LISTS, 1},        {"watch", do_watch, UPDATES, WATCHERS},
};

/* --- measuring ---------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(struct api *api, const struct work *work, long block)
{
	uint64_t took[TIMES];
	struct sample a, b;
	char name[64];

	sample_take(&a, api->group, NULL);
	for (unsigned i = 0; i < work->times; i++) {
		const uint64_t begin = now_ns();

		snprintf(name, sizeof(name), "block-%ld-%u", block, i);
		work->run(api, name);
		took[i] = now_ns() - begin;
	}
	sample_take(&b, api->group, NULL);
	qsort(took, work->times, sizeof(took[0]), compare);
	printf("block=%ld foreign_pct=%.1f peer=%s work=%s cpu_us=%.1f wall_us=%.1f\n", block,
	       sample_foreign(&a, &b), api->name, work->name,
	       (double)(b.proxy_ns - a.proxy_ns) / 1e3 / work->times / work->counts,
	       (double)took[work->times / 2] / 1e3);
	fflush(stdout);
}

static void measure_all(struct api *apis, size_t n, const struct work *work, long block)
{
	size_t order[APIS_MAX];

	for (size_t i = 0; i < n; i++) {
		const size_t j = (size_t)random() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < n; i++)
		measure(&apis[order[i]], work, block);
}

/* --- set-up ------------------------------------------------------------------------------------
 */

static void parse_api(struct api *api, const char *text)
{
	char addr[64], cert[256], key[256], group[256];

	if (sscanf(text, "%31[^,],%63[^,],%255[^,],%255[^,],%255s", api->name, addr, cert, key,
	           group) != 5)
		usage_error("needs NAME,IP:PORT,CERT,KEY,CGROUP|-", text);
	api->to = addr_parse(addr);
	api->ctx = http_ctx(cert, key);
	api->group = strcmp(group, "-") == 0 ? NULL : strdup(group);
}

static void open_watch(struct api *api, struct http **ret_watch)
{
	char path[256];

	snprintf(path, sizeof(path), MAPS "?watch=true", "bench-watch");
	*ret_watch = http_open(&api->to, api->ctx);
	http_send(*ret_watch, &(struct request){.method = "GET", .path = path});
	if (http_take_head(*ret_watch) != 200)
		usage_error("no watch", api->name);
}

static void prepare(struct api *api)
{
	char name[32];

	api->http = http_open(&api->to, api->ctx);
	create_space(api, "bench");
	create_space(api, "bench-list");
	create_space(api, "bench-watch");
	for (int i = 0; i < LISTED; i++) {
		snprintf(name, sizeof(name), "map-%d", i);
		create(api, "bench-list", name);
	}
	create(api, "bench-watch", "one");
	for (size_t i = 0; i < WATCHERS; i++)
		open_watch(api, &api->watches[i]);
}

static void finish(struct api *api)
{
	for (size_t i = 0; i < WATCHERS; i++)
		http_close(api->watches[i]);
	http_close(api->http);
	SSL_CTX_free(api->ctx);
	free(api->group);
}

int main(int argc, char **argv)
{
	struct api apis[APIS_MAX] = {0};
	struct work rest = {"rest", do_rest, REST_MAX, 1};
	const size_t n = (size_t)argc - 2;
	long blocks;

	if (argc < 3 || n > APIS_MAX)
		usage_error("usage", "bench-api BLOCKS NAME,IP:PORT,CERT,KEY,CGROUP|-...");
	blocks = number("BLOCKS", argv[1]);
	process_setup();
	srandom((unsigned)now_ns());
	for (size_t i = 0; i < n; i++) {
		parse_api(&apis[i], argv[i + 2]);
		prepare(&apis[i]);
	}
	/* Block 0 fills caches and pools, and is left out of tables. */
	for (long block = 0; block <= blocks; block++) {
		for (size_t k = 0; k < sizeof(works) / sizeof(works[0]); k++)
			measure_all(apis, n, &works[k], block);
	}
	if (blocks < REST_MAX)
		rest.times = 1;
	measure_all(apis, n, &rest, 1);
	for (size_t i = 0; i < n; i++)
		finish(&apis[i]);
	return 0;
}
