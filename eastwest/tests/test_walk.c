/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seeded random walk: a worker, turn by turn in this thread, between clients and upstreams that
 * write, read, end and reset as the dice say. Whatever happens no byte is lost, doubled or out of
 * order, who waits has a deadline, and who ends has one reason.
 *
 *   WALK_SEED=7 WALK_STEPS=1000000 test_eastwest_walk
 */
#include "hello_bytes.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/net.h"
#include "path/path_io.h"

#define SNI "outbound_.80_._.web.shop.svc.cluster.local"

enum {
	LINKS = 12,
	CHUNK_MAX = 50000,
	STEPS = 20000,
	ID_AT = 11,     /* in the hello: its random */
	WINDOW = 32768, /* of both ends; what the gateway may have under way is smaller still */
	UNDER_WAY = 8192,
	STREAM_MAX = 1 << 20,
	SETTLE_MS = 60 * 1000 /* shut windows are asked by the kernel's timers only */
};

/* Bytes that one end writes and the other one reads. */
struct stream {
	size_t sent;
	size_t got;
	bool ended; /* the writer has */
};

/* One end of a link. */
struct end {
	int fd;     /* -1: none */
	bool heard; /* the other's end */
};

struct link {
	uint16_t id; /* 0: free */
	bool broken; /* somebody has reset it: bytes under way may be lost */
	size_t hello_sent;
	struct end client;
	struct end upstream;
	struct stream up;
	struct stream down;
};

struct walk {
	uint64_t dice;
	uint16_t last_id;
	struct link links[LINKS];
	struct hello_bytes hello;
	struct addr door;
	int listener;
	struct ew_listener_config config;
	struct ew_limiter *limiter;
	struct ew_worker_setup setup;
	struct ew_worker *worker;
};

/* --- world ------------------------------------------------------------------------------------ */

static size_t roll(struct walk *walk, size_t sides)
{
	walk->dice ^= walk->dice << 13;
	walk->dice ^= walk->dice >> 7;
	walk->dice ^= walk->dice << 17;
	return walk->dice % sides;
}

/* So that writes soon have to wait. */
static void narrow(int fd, int option, int size)
{
	setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size));
}

static struct ew_table *make_table(struct walk *walk)
{
	struct ew_endpoint_spec endpoint = {.weight = 1, .healthy = true};
	struct ew_route_spec route = {
		.sni = STR_LIT(SNI), .exposed = true, .endpoints = &endpoint, .n_endpoints = 1};
	struct ew_table_builder *builder = ew_table_builder_create(NULL, walk->setup.registry);
	struct addr any;
	struct err err;
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &any));
	walk->listener = net_listen(&any, false, &endpoint.addr, &err);
	narrow(walk->listener, SO_RCVBUF, WINDOW);
	assert_true(ew_table_builder_set_route(builder, &route, &err));
	return ew_table_builder_finish(builder);
}

static void walk_init(struct walk *walk, uint64_t seed)
{
	static const struct ew_limits limits = {.connections = 1000, .hello_memory_mib = 1};
	static char name[] = "ingress";
	struct err err;
	*walk = (struct walk){.dice = seed * 0x9e3779b97f4a7c15u | 1};
	walk->limiter = ew_limiter_create(&limits);
	walk->config = (struct ew_listener_config){.name = name, .door = EW_DOOR_INGRESS};
	walk->setup = (struct ew_worker_setup){
		.registry = ew_health_registry_create(),
		.stats = ew_stats_create(),
		.recorder = ew_recorder_create(),
		.limiter = walk->limiter,
	};
	assert_true(addr_parse(STR_LIT("127.0.0.1:0"), &walk->config.addr));
	int fd = net_listen(&walk->config.addr, false, &walk->door, &err);
	struct ew_doors *doors = ew_doors_create(&walk->config, 1);
	walk->worker = ew_worker_create(&walk->setup, 0, make_table(walk));
	ew_worker_set_doors(walk->worker, doors, &fd);
	ew_doors_unref(doors);
	ew_worker_turn(walk->worker, 0);
	make_hello(&walk->hello, SNI, "istio", 16384);
	for (size_t i = 0; i < LINKS; i++)
		walk->links[i].client.fd = walk->links[i].upstream.fd = -1;
}

static int64_t count_ends(const struct ew_stats *stats)
{
	int64_t n = 0;
	for (int reason = 0; reason < N_EW_CLOSE_REASONS; reason++)
		n += metrics_get(stats->ends[EW_DOOR_INGRESS][reason]);
	return n;
}

/* What holds after each turn. */
static void check(struct walk *walk)
{
	struct ew_worker *worker = walk->worker;
	struct ew_stats *stats = walk->setup.stats;
	uint32_t n = 0;
	list_for_each_safe (it, &worker->conns) {
		struct ew_conn *conn = LIST_ENTRY(it, struct ew_conn, link);
		assert_int_not_equal(conn->state, EW_CONN_CLOSED);
		assert_false(list_is_empty(&conn->timer.link));
		n += conn->state != EW_CONN_CLOSING;
		narrow(conn->client.fd, SO_SNDBUF, UNDER_WAY);
		if (conn->upstream.fd >= 0)
			narrow(conn->upstream.fd, SO_SNDBUF, UNDER_WAY);
	}
	assert_true(list_is_empty(&worker->closed));
	assert_int_equal(n, metrics_get(stats->accepted[EW_DOOR_INGRESS]) - count_ends(stats));
}

static void turn(struct walk *walk, int most_ms)
{
	ew_worker_turn(walk->worker, most_ms);
	check(walk);
}

static void walk_fini(struct walk *walk)
{
	assert_int_equal(walk->worker->n_conns, 0);
	assert_int_equal(walk->worker->pipes.n_used, 0);
	assert_true(ew_limiter_take_memory(walk->limiter, 1 << 20));
	ew_worker_stop(walk->worker);
	ew_limiter_destroy(walk->limiter);
	ew_recorder_destroy(walk->setup.recorder);
	ew_stats_destroy(walk->setup.stats);
	ew_health_registry_destroy(walk->setup.registry);
	close(walk->listener);
}

/* --- ends ------------------------------------------------------------------------------------- */

static uint8_t byte_at(const struct link *link, size_t i)
{
	return (uint8_t)(i * 7 + i / 251 + link->id);
}

static void end_close(struct end *end)
{
	close(end->fd);
	*end = (struct end){.fd = -1};
}

/* By a reset. */
static void end_abort(struct link *link, struct end *end)
{
	const struct linger reset = {.l_onoff = 1};
	if (end->fd < 0)
		return;
	setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	end_close(end);
	link->broken = true;
}

static void end_write(struct link *link, struct end *end, struct stream *stream, size_t len)
{
	static uint8_t data[CHUNK_MAX];
	if (end->fd < 0 || stream->ended || stream->sent > STREAM_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(link, stream->sent + i);
	ssize_t n = send(end->fd, data, len, MSG_NOSIGNAL);
	if (n > 0)
		stream->sent += (size_t)n;
	else if (errno != EAGAIN)
		assert_true(link->broken);
}

static void end_shut(struct end *end, struct stream *stream)
{
	if (end->fd < 0 || stream->ended)
		return;
	shutdown(end->fd, SHUT_WR);
	stream->ended = true;
}

static void end_read(struct link *link, struct end *end, struct stream *stream, size_t len)
{
	static uint8_t data[CHUNK_MAX];
	if (end->fd < 0 || end->heard)
		return;
	ssize_t n = recv(end->fd, data, len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(data[i], byte_at(link, stream->got + (size_t)i));
	if (n > 0) {
		stream->got += (size_t)n;
		return;
	}
	end->heard = true;
	if (link->broken)
		return;
	assert_int_equal(n, 0);
	assert_true(stream->ended);
	assert_int_equal(stream->got, stream->sent);
}

/* --- links ------------------------------------------------------------------------------------ */

static struct link *find(struct walk *walk, uint16_t id)
{
	for (size_t i = 0; i < LINKS; i++) {
		if (walk->links[i].id == id)
			return &walk->links[i];
	}
	return NULL;
}

static void link_open(struct walk *walk, struct link *link)
{
	struct err err;
	*link = (struct link){.id = ++walk->last_id != 0 ? walk->last_id : ++walk->last_id,
	                      .client = {.fd = net_connect(&walk->door, &err)},
	                      .upstream = {.fd = -1}};
	assert_true(link->client.fd >= 0);
	narrow(link->client.fd, SO_RCVBUF, WINDOW);
}

/* The hello, or a part of it. */
static void link_greet(struct walk *walk, struct link *link, size_t len)
{
	struct hello_bytes *hello = &walk->hello;
	size_t left = hello->len - link->hello_sent;
	hello->data[ID_AT] = (uint8_t)link->id;
	hello->data[ID_AT + 1] = (uint8_t)(link->id >> 8);
	if (link->client.fd < 0)
		return;
	ssize_t n = send(link->client.fd, hello->data + link->hello_sent, len < left ? len : left,
	                 MSG_NOSIGNAL);
	if (n > 0)
		link->hello_sent += (size_t)n;
}

/* An upstream's connection belongs to the link that its hello names. The gateway sends a hello at
 * once, so it is whole when it is there. */
static void accept_upstream(struct walk *walk)
{
	struct hello_bytes hello;
	int fd = net_accept(walk->listener, NULL);
	if (fd < 0)
		return;
	ssize_t n = -1;
	for (int64_t until = clock_now_ms() + SETTLE_MS; n < 0 && clock_now_ms() < until;) {
		n = recv(fd, hello.data, walk->hello.len, 0);
		if (n < 0 && errno != EAGAIN)
			break;
		turn(walk, 0);
	}
	uint16_t id = (uint16_t)(hello.data[ID_AT] | hello.data[ID_AT + 1] << 8);
	struct link *link = n == (ssize_t)walk->hello.len ? find(walk, id) : NULL;
	if (link == NULL || link->upstream.fd >= 0) {
		/* its client has gone and is forgotten */
		close(fd);
		return;
	}
	link->upstream.fd = fd;
}

/* Ends that have nothing more to hear are closed; a link without ends is free. */
static void link_sweep(struct link *link)
{
	if (link->client.fd >= 0 && link->client.heard && (link->up.ended || link->broken))
		end_close(&link->client);
	if (link->upstream.fd >= 0 && link->upstream.heard && (link->down.ended || link->broken))
		end_close(&link->upstream);
	if (link->client.fd < 0 && link->upstream.fd < 0)
		link->id = 0;
}

/* One end does something: it writes, ends right behind that, or goes. */
static void end_act(struct walk *walk, struct link *link, struct end *end, struct stream *stream)
{
	size_t sides = roll(walk, 2) ? CHUNK_MAX : 600;
	end_write(link, end, stream, 1 + roll(walk, sides));
	if (roll(walk, 60) == 0)
		end_shut(end, stream);
	else if (roll(walk, 300) == 0)
		end_abort(link, end);
}

static void link_step(struct walk *walk, struct link *link)
{
	if (link->hello_sent < walk->hello.len)
		link_greet(walk, link, 1 + roll(walk, 600));
	else if (roll(walk, 2))
		end_act(walk, link, &link->client, &link->up);
	else
		end_act(walk, link, &link->upstream, &link->down);
	/* some read seldom, so that what is written has to wait */
	if (link->id % 3 != 0 || roll(walk, 12) == 0)
		end_read(link, &link->client, &link->down, 1 + roll(walk, CHUNK_MAX));
	if (link->id % 4 != 0 || roll(walk, 12) == 0)
		end_read(link, &link->upstream, &link->up, 1 + roll(walk, CHUNK_MAX));
}

/* Everybody says what is left to say and hears the rest. */
static bool link_settle(struct walk *walk, struct link *link)
{
	if (link->id == 0)
		return true;
	link_greet(walk, link, walk->hello.len);
	if (link->hello_sent == walk->hello.len)
		end_shut(&link->client, &link->up);
	end_shut(&link->upstream, &link->down);
	end_read(link, &link->client, &link->down, CHUNK_MAX);
	end_read(link, &link->upstream, &link->up, CHUNK_MAX);
	link_sweep(link);
	return link->id == 0;
}

static void settle(struct walk *walk)
{
	int64_t until = clock_now_ms() + SETTLE_MS;
	bool settled = false;
	while (!settled && clock_now_ms() < until) {
		settled = true;
		accept_upstream(walk);
		for (size_t k = 0; k < LINKS; k++)
			settled &= link_settle(walk, &walk->links[k]);
		turn(walk, settled ? 0 : 1);
	}
	assert_true(settled);
	while (walk->worker->n_conns > 0 && clock_now_ms() < until)
		turn(walk, 1);
}

static uint64_t number_of(const char *name, uint64_t dflt)
{
	const char *text = getenv(name);
	return text != NULL ? strtoull(text, NULL, 10) : dflt;
}

static void nothing_is_lost_and_everything_ends_once(void **state)
{
	static struct walk walk;
	uint64_t steps = number_of("WALK_STEPS", STEPS);
	/* as the gateway does: splice knows no MSG_NOSIGNAL */
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	(void)state;
	sigaction(SIGPIPE, &ignore, NULL);
	walk_init(&walk, number_of("WALK_SEED", 1));
	for (uint64_t i = 0; i < steps; i++) {
		struct link *link = &walk.links[roll(&walk, LINKS)];
		if (link->id == 0)
			link_open(&walk, link);
		link_step(&walk, link);
		link_sweep(link);
		if (roll(&walk, 2))
			turn(&walk, 0);
		if (roll(&walk, 4) == 0)
			accept_upstream(&walk);
	}
	settle(&walk);
	walk_fini(&walk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_and_everything_ends_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
