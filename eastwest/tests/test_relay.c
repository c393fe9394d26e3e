/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows between two stream sockets of this process: `in` is written by the test, `out` read by it.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "path/relay_io.h"

struct world {
	int in;
	int out;
	struct ew_side from;
	struct ew_side to;
	struct ew_flow flow;
	struct ew_pipes pipes;
	uint8_t *buffer;
	uint64_t bytes;
};

static void open_world(struct world *world)
{
	int a[2];
	int b[2];
	*world = (struct world){.buffer = xmalloc(EW_BUFFER_SIZE)};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
	world->in = a[0];
	world->from = (struct ew_side){.fd = a[1]};
	world->to = (struct ew_side){.fd = b[0]};
	world->out = b[1];
}

static void close_world(struct world *world)
{
	ew_flow_fini(&world->flow, &world->pipes);
	assert_int_equal(world->pipes.n_used, 0);
	ew_pipes_fini(&world->pipes);
	int fds[] = {world->in, world->out, world->from.fd, world->to.fd};
	for (size_t i = 0; i < N_ELEMS(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(world->buffer);
}

static enum ew_pump pump(struct world *world)
{
	/* every turn as if events for both had come */
	world->from.readable = true;
	world->to.writable = true;
	return ew_flow_pump(&world->flow, &world->from, &world->to, &world->pipes, world->buffer,
	                    &world->bytes);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* Writes what fits of the stream from position at. */
static size_t feed(struct world *world, size_t at, size_t chunk)
{
	uint8_t data[32768];
	for (size_t i = 0; i < chunk; i++)
		data[i] = byte_at(at + i);
	ssize_t n = send(world->in, data, chunk, MSG_NOSIGNAL);
	return n > 0 ? (size_t)n : 0;
}

static size_t drain(struct world *world, size_t at, size_t most)
{
	uint8_t data[65536];
	ssize_t n = recv(world->out, data, most < sizeof(data) ? most : sizeof(data), 0);
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(data[i], byte_at(at + (size_t)i));
	return n > 0 ? (size_t)n : 0;
}

/* Everything arrives in order, whatever the sizes of writes and reads. */
static void carry_stream(size_t total, size_t write_len, size_t read_len)
{
	struct world world;
	size_t written = 0;
	size_t got = 0;
	open_world(&world);
	while (got < total) {
		size_t left = total - written;
		if (left > 0)
			written += feed(&world, written, left < write_len ? left : write_len);
		enum ew_pump result = pump(&world);
		assert_true(result == EW_PUMP_WAIT || result == EW_PUMP_AGAIN);
		got += drain(&world, got, read_len);
	}
	shutdown(world.in, SHUT_WR);
	assert_int_equal(pump(&world), EW_PUMP_DONE);
	assert_int_equal(world.bytes, total);
	close_world(&world);
}

static void carries_streams_unchanged(void **state)
{
	static const struct {
		size_t total;
		size_t write_len;
		size_t read_len;
	} cases[] = {{1, 1, 1},
	             {1000, 7, 3},
	             {100000, 100, 65536},
	             {3000000, 32768, 65536},
	             {3000000, 32768, 5000},
	             {500000, 16384, 100},
	             {400000, 16383, 16385}};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++)
		carry_stream(cases[i].total, cases[i].write_len, cases[i].read_len);
}

static void holds_nothing_while_idle(void **state)
{
	struct world world;
	size_t at = 0;
	(void)state;
	open_world(&world);
	for (int i = 0; i < 20; i++) {
		size_t n = feed(&world, at, 20000);
		assert_int_equal(pump(&world), EW_PUMP_WAIT);
		while (n > 0) {
			size_t got = drain(&world, at, 65536);
			at += got;
			n -= got;
		}
	}
	assert_false(ew_flow_holds(&world.flow));
	assert_int_equal(world.pipes.n_used, 0);
	assert_null(world.flow.carry);
	close_world(&world);
}

static void passes_the_end_on_after_the_last_byte(void **state)
{
	struct world world;
	uint8_t data[65536];
	size_t fed = 0;
	(void)state;
	open_world(&world);
	/* more than the far end's buffer takes */
	for (size_t n = 1; n > 0; fed += n) {
		n = feed(&world, fed, 32768);
		pump(&world);
	}
	shutdown(world.in, SHUT_WR);
	assert_int_not_equal(pump(&world), EW_PUMP_DONE);
	size_t got = 0;
	enum ew_pump result = EW_PUMP_WAIT;
	while (result != EW_PUMP_DONE) {
		got += drain(&world, got, 65536);
		result = pump(&world);
	}
	for (size_t n = 1; n > 0; got += n)
		n = drain(&world, got, 65536);
	assert_int_equal(got, fed);
	assert_int_equal(recv(world.out, data, sizeof(data), 0), 0);
	assert_int_equal(pump(&world), EW_PUMP_DONE);
	close_world(&world);
}

static void leaves_the_other_side_its_turn(void **state)
{
	struct world world;
	int pairs = 0;
	(void)state;
	open_world(&world);
	/* a reader and writer that never pause */
	size_t at = 0;
	size_t got = 0;
	while (world.bytes < 3 * (size_t)EW_PUMP_BUDGET) {
		at += feed(&world, at, 32768);
		pump(&world);
		got += drain(&world, got, 65536);
		pairs++;
	}
	assert_true(pairs > 3);
	close_world(&world);
}

static void tells_who_has_gone(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	close(world.out);
	world.out = -1;
	feed(&world, 0, 100);
	assert_int_equal(pump(&world), EW_PUMP_TO_RESET);
	close_world(&world);
}

static void knows_the_last_read_by_what_events_said(void **state)
{
	static const struct {
		struct ew_side side;
		size_t got; /* of 10 */
		bool last;
		bool readable;
	} cases[] = {
		{{.readable = true}, 10, false, true},
		{{.readable = true}, 3, false, false},
		{{.readable = true, .closing = true}, 10, false, true},
		{{.readable = true, .closing = true}, 3, true, false},
		/* the error behind is to be read */
		{{.readable = true, .closing = true, .failed = true}, 3, false, true},
		/* more may lie behind the mark */
		{{.readable = true, .closing = true, .urgent = true}, 3, false, true},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_side side = cases[i].side;
		assert_int_equal(ew_side_on_read(&side, 10, cases[i].got), cases[i].last);
		assert_int_equal(side.readable, cases[i].readable);
	}
}

static void takes_bytes_and_end_by_one_read(void **state)
{
	struct world world;
	uint8_t data[1];
	(void)state;
	open_world(&world);
	assert_int_equal(feed(&world, 0, 1000), 1000);
	shutdown(world.in, SHUT_WR);
	world.from.closing = true;
	assert_int_equal(pump(&world), EW_PUMP_DONE);
	assert_int_equal(drain(&world, 0, 65536), 1000);
	assert_int_equal(recv(world.out, data, 1, 0), 0);
	close_world(&world);
}

static void keeps_what_does_not_go_out_at_once(void **state)
{
	struct world world;
	uint8_t *data = xcalloc(1, 1 << 20);
	(void)state;
	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = byte_at(i);
	open_world(&world);
	assert_true(ew_flow_push(&world.flow, &world.to, data, 1 << 20, &world.bytes));
	assert_true(ew_flow_holds(&world.flow));
	size_t got = 0;
	while (got < 1 << 20) {
		got += drain(&world, got, 65536);
		pump(&world);
	}
	assert_false(ew_flow_holds(&world.flow));
	free(data);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_streams_unchanged),
		cmocka_unit_test(holds_nothing_while_idle),
		cmocka_unit_test(passes_the_end_on_after_the_last_byte),
		cmocka_unit_test(leaves_the_other_side_its_turn),
		cmocka_unit_test(tells_who_has_gone),
		cmocka_unit_test(knows_the_last_read_by_what_events_said),
		cmocka_unit_test(takes_bytes_and_end_by_one_read),
		cmocka_unit_test(keeps_what_does_not_go_out_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
