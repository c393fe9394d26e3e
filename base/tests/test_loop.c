/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"

/* What happened, one letter each. */
struct trace {
	struct loop *loop;
	char text[64];
	size_t len;
};

static void note(struct trace *trace, char c)
{
	assert_true(trace->len < sizeof(trace->text) - 1);
	trace->text[trace->len++] = c;
}

static void on_a(void *arg)
{
	note(arg, 'a');
}

static void on_b(void *arg)
{
	note(arg, 'b');
}

static void on_stop(void *arg)
{
	struct trace *trace = arg;

	note(trace, 's');
	loop_stop(trace->loop);
}

static void runs_timers_in_their_order(void **state)
{
	struct trace trace = {.loop = loop_create()};
	struct loop_timer a;
	struct loop_timer b;
	struct loop_timer stop;
	int64_t begin_ms = loop_now_ms(trace.loop);

	(void)state;
	loop_timer_init(&a, trace.loop, on_a, &trace);
	loop_timer_init(&b, trace.loop, on_b, &trace);
	loop_timer_init(&stop, trace.loop, on_stop, &trace);
	loop_timer_set(&stop, 30);
	loop_timer_set(&b, 15);
	loop_timer_set(&a, 5);
	assert_true(loop_timer_is_set(&a));
	loop_run(trace.loop);
	assert_string_equal(trace.text, "abs");
	assert_false(loop_timer_is_set(&a));
	assert_true(loop_now_ms(trace.loop) - begin_ms >= 30);
	loop_timer_fini(&a);
	loop_timer_fini(&a);
	loop_timer_fini(&b);
	loop_timer_fini(&stop);
	loop_destroy(trace.loop);
}

static void sets_again_and_cancels_timers(void **state)
{
	struct trace trace = {.loop = loop_create()};
	struct loop_timer a = {0};
	struct loop_timer b;
	struct loop_timer stop;

	(void)state;
	loop_timer_fini(&a);
	loop_timer_init(&a, trace.loop, on_a, &trace);
	loop_timer_init(&b, trace.loop, on_b, &trace);
	loop_timer_init(&stop, trace.loop, on_stop, &trace);
	loop_timer_set(&a, 100000);
	loop_timer_set(&a, 1);
	loop_timer_set(&b, 1);
	loop_timer_cancel(&b);
	loop_timer_set(&stop, 20);
	loop_run(trace.loop);
	assert_string_equal(trace.text, "as");
	loop_timer_fini(&a);
	loop_timer_fini(&b);
	loop_timer_fini(&stop);
	loop_destroy(trace.loop);
}

static void waits_at_most_the_given_time(void **state)
{
	struct loop *loop = loop_create();
	int64_t begin_ms = loop_now_ms(loop);

	(void)state;
	loop_run_once(loop, 0);
	loop_run_once(loop, 10);
	assert_in_range(loop_now_ms(loop) - begin_ms, 10, 5000);
	loop_destroy(loop);
}

struct end {
	struct trace trace;
	struct loop_io io;
	int fd;
};

static void on_ready(unsigned ready, void *arg)
{
	struct end *end = arg;
	char c;

	if ((ready & LOOP_WRITE) != 0) {
		note(&end->trace, 'w');
		assert_int_equal(write(end->fd, "x", 1), 1);
		loop_io_set(&end->io, LOOP_READ);
	} else {
		assert_int_equal(read(end->fd, &c, 1), 1);
		note(&end->trace, 'r');
		loop_io_set(&end->io, 0);
	}
}

static void calls_for_the_interest_that_is_set(void **state)
{
	struct loop *loop = loop_create();
	struct end end = {.trace.loop = loop};
	int fds[2];
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end.fd = fds[0];
	loop_io_init(&end.io, loop, fds[0], on_ready, &end);
	loop_run_once(loop, 0);
	assert_string_equal(end.trace.text, "");
	loop_io_set(&end.io, LOOP_READ | LOOP_WRITE);
	loop_run_once(loop, 1000);
	assert_string_equal(end.trace.text, "w");
	assert_int_equal(read(fds[1], &c, 1), 1);
	assert_int_equal(write(fds[1], "yy", 2), 2);
	loop_run_once(loop, 1000);
	loop_run_once(loop, 5);
	assert_string_equal(end.trace.text, "wr");
	loop_io_fini(&end.io);
	loop_io_fini(&end.io);
	close(fds[0]);
	close(fds[1]);
	loop_destroy(loop);
}

static void *post_from_thread(void *arg)
{
	struct trace *trace = arg;

	for (int i = 0; i < 10; i++)
		loop_post(trace->loop, i % 2 == 0 ? on_a : on_b, trace);
	loop_post(trace->loop, on_stop, trace);
	return NULL;
}

static void runs_posts_of_another_thread_in_order(void **state)
{
	struct trace trace = {.loop = loop_create()};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &trace), 0);
	loop_run(trace.loop);
	pthread_join(thread, NULL);
	assert_string_equal(trace.text, "abababababs");
	loop_destroy(trace.loop);
}

static void on_bury_b(void *arg)
{
	struct trace *trace = arg;

	loop_bury(trace->loop, on_b, trace);
	note(trace, '1');
	loop_post(trace->loop, on_stop, trace);
}

static void buries_at_the_end_of_the_turn(void **state)
{
	struct trace trace = {.loop = loop_create()};

	(void)state;
	loop_post(trace.loop, on_bury_b, &trace);
	loop_post(trace.loop, on_a, &trace);
	loop_run(trace.loop);
	assert_string_equal(trace.text, "1abs");
	loop_bury(trace.loop, on_b, &trace);
	loop_destroy(trace.loop);
	assert_string_equal(trace.text, "1absb");
}

static void free_timer(void *arg)
{
	loop_timer_fini(arg);
	free(arg);
}

static void destroys_what_a_buried_timer_still_needs(void **state)
{
	struct trace trace = {.loop = loop_create()};
	struct loop_timer *timer = malloc(sizeof(*timer));

	(void)state;
	assert_non_null(timer);
	loop_timer_init(timer, trace.loop, on_a, &trace);
	loop_timer_set(timer, 1000);
	loop_bury(trace.loop, free_timer, timer);
	loop_destroy(trace.loop);
	loop_destroy(NULL);
}

static void catches_signals(void **state)
{
	struct trace trace = {.loop = loop_create()};
	struct loop_signal *signal = loop_signal_create(trace.loop, SIGUSR1, on_stop, &trace);

	(void)state;
	raise(SIGUSR1);
	loop_run(trace.loop);
	assert_string_equal(trace.text, "s");
	loop_signal_destroy(signal);
	loop_signal_destroy(NULL);
	loop_destroy(trace.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_timers_in_their_order),
		cmocka_unit_test(sets_again_and_cancels_timers),
		cmocka_unit_test(waits_at_most_the_given_time),
		cmocka_unit_test(calls_for_the_interest_that_is_set),
		cmocka_unit_test(runs_posts_of_another_thread_in_order),
		cmocka_unit_test(buries_at_the_end_of_the_turn),
		cmocka_unit_test(destroys_what_a_buried_timer_still_needs),
		cmocka_unit_test(catches_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
